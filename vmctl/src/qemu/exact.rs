//! What a machine is made of in mode `exact`, besides what it has in every mode: nothing in it may
//! come from the host, so whatever QEMU would draw by lot or read off a clock follows from the seed.

use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use crate::scenario::{IcountShift, mix};

/// Unix time of 2024-01-01T00:00:00Z, in seconds.
const YEAR_BEGINS: u64 = 1_704_067_200;
/// Seconds of 2024, which is a leap year.
const YEAR: u64 = 366 * 24 * 3600;

/// A machine whose time is made of instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactMachine {
    /// How long an instruction takes.
    pub shift: IcountShift,
    /// Seed of QEMU's random numbers.
    pub seed: u64,
    /// What its real-time clock shows at power-on, as `-rtc base=` takes it. The same for all
    /// guests of a lab.
    pub start: String,
    /// Its UUID.
    pub uuid: String,
}

impl ExactMachine {
    /// UNIX time of power-on, which is virtual zero: a whole number of seconds.
    pub fn epoch(lab_seed: u64) -> Duration {
        Duration::from_secs(YEAR_BEGINS + mix(lab_seed) % YEAR)
    }

    /// The machine of a lab's guest, which is an index into its guests.
    pub fn new(shift: IcountShift, lab_seed: u64, guest: usize) -> Self {
        let start = Self::epoch(lab_seed);
        let start = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + start).to_string();
        // No guest's numbers are another's one step on: the seed goes through the mill first.
        let own = mix(mix(lab_seed) ^ guest as u64);
        Self {
            shift,
            seed: own,
            start: start.trim_end_matches('Z').to_owned(),
            uuid: uuid([mix(own), mix(own.wrapping_add(1))]),
        }
    }
}

/// A UUID that says of itself that it is random (RFC 9562, version 4).
fn uuid([high, low]: [u64; 2]) -> String {
    let (high, low) = (high & !0xf000 | 0x4000, low & !(3 << 62) | 2 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// What a guest's QEMU is given for mode `exact`.
#[derive(Debug)]
pub struct ExactLaunch {
    /// What its machine is made of.
    pub machine: ExactMachine,
    /// The agent's library, readable by whom QEMU runs as.
    pub library: OwnedFd,
    /// The memory that it shares with the data plane.
    pub page: OwnedFd,
    /// What it rings when it has stopped its guest.
    pub bell: OwnedFd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_follow_from_the_seed_alone() {
        let machine = |seed, guest| ExactMachine::new(IcountShift::default(), seed, guest);
        assert_eq!(machine(1, 0), machine(1, 0));
        let (one, other) = (machine(1, 0), machine(1, 1));
        assert_eq!(one.start, other.start, "one lab, one time");
        assert!(one.seed != other.seed && one.uuid != other.uuid);
        assert_ne!(one.start, machine(2, 0).start);
        for seed in [0, 1, u64::MAX] {
            assert!(machine(seed, 0).start.starts_with("2024-"), "{seed}");
        }
    }

    #[test]
    fn uuids_say_what_they_are() {
        assert_eq!(uuid([0, 0]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid([u64::MAX, u64::MAX]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
