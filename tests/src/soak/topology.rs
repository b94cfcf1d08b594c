//! The lab of a soak: two switches with guests around them, and everything that a link can do.

use std::{fmt, time::Duration};

use clap::ValueEnum;

/// What holds the guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Nothing.
    Realtime,
    /// Windows of virtual time.
    Lockstep,
    /// Barriers at instants of their own clocks.
    Exact,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Realtime => "realtime",
            Self::Lockstep => "lockstep",
            Self::Exact => "exact",
        })
    }
}

/// What lab it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Guests, two or more.
    pub guests: u32,
    /// What holds them.
    pub mode: Mode,
}

/// Virtual time from one event of the trunk to the next, in seconds.
const EVERY: u64 = 5;

/// Events beyond the length, for virtual time that passes while guests boot on a busy host.
const BEYOND: u64 = 24;

/// More of them would make a file that nobody reads, and a lab has no more than 1024.
const MOST_EVENTS: u64 = 200;

/// What the links of guests take turns in, besides what all have.
const WAYS: [&str; 4] = [
    "jitter = '2ms'\nloss = '0.5%'",
    "jitter = '1ms'\ndistribution = 'normal'\nduplicate = '0.5%'",
    "jitter = '500us'\ndistribution = 'pareto'\nreorder = '0.5%'",
    "jitter = '2ms'\ncorrupt = '0.5%'\nloss = { model = 'gilbert-elliott', p = '0.1%', r = '20%' }",
];

impl Plan {
    /// The name of a guest, counted from 0.
    pub fn guest(&self, number: u32) -> String {
        format!("g{number}")
    }

    /// Whom a guest sends to: the one that is half of all guests further, at the other switch.
    pub fn peer(&self, number: u32) -> String {
        self.guest((number + self.guests / 2) % self.guests)
    }

    /// The file. Changes are scheduled for all of `length`, if virtual time goes no faster than the
    /// host's.
    pub fn topology(&self, length: Duration) -> String {
        let Self { guests, mode, .. } = *self;
        let mut text = format!(
            "[time]\nmode = '{mode}'\n[defaults.node]\nmemory = '96MiB'\n\
             [defaults.link]\ndelay = '10ms'\nrate = '20Mbit'\nqueue = '64KiB'\n\
             [node.west]\nkind = 'switch'\n[node.east]\nkind = 'switch'\n"
        );
        for guest in 0..guests {
            let (name, way) = (self.guest(guest), WAYS[guest as usize % WAYS.len()]);
            let side = if guest < guests / 2 { "west" } else { "east" };
            text += &format!(
                "[node.{name}]\n[[link]]\nendpoints = ['{name}:eth0', '{side}:p{guest}']\n{way}\n"
            );
        }
        text += "[[link]]\nendpoints = ['west:trunk', 'east:trunk']\n";
        let first = boot(mode);
        let events = (length.as_secs() / EVERY + BEYOND).min(MOST_EVENTS);
        let partitions: String =
            (0..events).map(|number| change(first + number * EVERY, number)).collect();
        text + &partitions
    }
}

/// When guests have booted, in virtual seconds.
fn boot(mode: Mode) -> u64 {
    if mode == Mode::Exact { 10 } else { 5 }
}

/// A change of the trunk, in turns; a partition is no part of a link, but may follow one.
fn change(at: u64, number: u64) -> String {
    let set = match number % 4 {
        0 => "delay = '30ms', jitter = '5ms'",
        1 => "rate = '5Mbit', queue = '20 frames'",
        2 => "loss = '5%', duplicate = '2%', reorder = '2%'",
        _ => "up = false",
    };
    let span = if number % 4 == 3 { 1 } else { 3 };
    format!("[[link.event]]\nat = '{at}s'\nfor = '{span}s'\nset = {{ {set} }}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_and_the_largest_lab_are_files_that_are_right() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("soak.toml");
        for (guests, hours) in [(2, 0), (3, 1), (16, 1), (64, 24)] {
            for mode in Mode::value_variants() {
                let plan = Plan { name: "soak".to_owned(), guests, mode: *mode };
                let text = plan.topology(Duration::from_hours(hours));
                std::fs::write(&file, text).expect("written");
                let scenario = vmctl::scenario::Scenario::load(&file);
                assert!(scenario.is_ok(), "{guests} guests: {}", scenario.expect_err("wrong"));
                assert_ne!(plan.peer(0), plan.guest(0));
            }
        }
    }
}
