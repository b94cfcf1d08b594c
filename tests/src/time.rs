//! How a lab's time goes, and letting it pass, through the `vmctl` binary.

use std::time::{Duration, Instant};

use vmctl::api::status::Status;
use vmctl::api::time::{Advanced, Clock, Windows};

use crate::lab::Lab;

/// How long to wait for what must come. Only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `condition` holds, and returns how long that took.
///
/// # Panics
/// When it does not come to hold.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    begun.elapsed()
}

/// Each of these panics when `vmctl` fails or prints anything but the JSON that it documents.
impl Lab {
    /// `vmctl clock`.
    pub fn clock(&self) -> Clock {
        let text = self.vmctl(&["-o", "json", "clock"]);
        serde_json::from_str(&text).expect("clock prints JSON")
    }

    /// `vmctl step DURATION`.
    pub fn step(&self, span: &str) -> Advanced {
        self.advance(&["step", span])
    }

    /// `vmctl run --for DURATION`.
    pub fn run_for(&self, span: &str) -> Advanced {
        self.advance(&["run", "--for", span])
    }

    fn advance(&self, args: &[&str]) -> Advanced {
        let text = self.vmctl(&[&["-o", "json"], args].concat());
        serde_json::from_str(&text).expect("step and run print JSON")
    }

    /// `vmctl status`, as the API has it.
    pub fn look(&self) -> Status {
        let text = self.vmctl(&["-o", "json", "status"]);
        serde_json::from_str(&text).expect("status prints JSON")
    }

    /// What windows were like so far; panics as well where there are none.
    pub fn windows(&self) -> Windows {
        self.look().windows.expect("the lab runs in windows")
    }

    /// Whether an event in the lab's journal mentions all of these words.
    pub fn has_recorded(&self, words: &[&str]) -> bool {
        let told = |message: &str| words.iter().all(|word| message.contains(word));
        self.look().events.iter().any(|event| told(&event.message))
    }

    /// The process of a guest's QEMU; panics as well when it has ended.
    pub fn pid_of(&self, guest: &str) -> u32 {
        let guests = self.look().guests;
        let found = guests.iter().find(|seen| seen.name == guest);
        found.and_then(|seen| seen.pid).unwrap_or_else(|| panic!("no QEMU of {guest}: {guests:?}"))
    }
}

/// Asserts that every living guest stands within its overrun of the lab's time, and that this is
/// less than a window: what one window overran by is taken off the next.
pub fn assert_in_step(lab: &Lab) {
    let (clock, windows) = (lab.clock(), lab.windows());
    let longest = windows.overrun.max_ns.expect("guests have run").cast_signed();
    let quantum = windows.quantum_ns.cast_signed();
    for guest in clock.guests.iter().filter(|guest| !guest.ended) {
        assert!(guest.offset_ns <= longest, "{guest:?} ran over by more than {longest} ns");
        assert!(guest.offset_ns.abs() < quantum, "{guest:?} is windows away: {windows:?}");
    }
}
