//! A lab that is measured: commands in guests, links that change, pings as they enter and leave.
//!
//! Unlike in tests, what goes wrong is an error here and a failed row in the report: one measurement
//! that does not come about must not take the others with it.

use std::{process::Output, time::Duration};

use tokio::runtime::Runtime;
use vmctl::{
    api::status::Status,
    client::Client,
    commands::verify::trips::{Clock, Trip, trips},
};

use super::row::Mode;
use crate::lab::{Lab, told};

/// What a measurement comes to, or why it came to nothing.
pub type Result<T> = std::result::Result<T, String>;

/// How long a lab may take to boot.
const BOOT_PATIENCE: &str = "8m";

/// How long a command in a guest may take, in virtual time: nothing here takes as long.
const COMMAND_PATIENCE: &str = "10min";

/// The ICMP identifier of our pings.
const ID: u16 = 7001;

/// A lab in one mode.
pub struct Trial {
    /// What holds the guests.
    pub mode: Mode,
    lab: Lab,
    client: Client,
    runtime: Runtime,
}

/// Pings that were sent one after the other.
pub struct Volley {
    /// What became of the questions and of the answers, in the order in which they were sent.
    pub ways: [Vec<Trip>; 2],
    /// Round-trip times that the guest saw, in ms.
    pub rtts: Vec<f64>,
}

impl Trial {
    /// Boots a lab in a mode, from a topology without `[time]`.
    ///
    /// # Errors
    /// What `vmctl up` said.
    pub fn up(name: &str, mode: Mode, topology: &str) -> Result<Self> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        // Slow processors are quick to emulate, and fast enough for the loads here.
        let ips = if mode == Mode::Exact { "ips = '125MHz'\n" } else { "" };
        let text =
            format!("[time]\nmode = '{mode}'\n{ips}[defaults.node]\nmemory = '96MiB'\n{topology}");
        let lab = Lab::try_up(name, &text, &["--timeout", BOOT_PATIENCE])?;
        let client = Client::new(name, lab.state_dir().join("control.sock"));
        Ok(Self { mode, lab, client, runtime })
    }

    /// `vmctl ARGS…`.
    ///
    /// # Errors
    /// What it said, when it failed.
    pub fn vmctl(&self, args: &[&str]) -> Result<String> {
        let output = self.lab.try_vmctl(args);
        succeeded(&args.join(" "), &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A shell command in a guest.
    ///
    /// # Errors
    /// As [`Trial::vmctl`].
    pub fn sh(&self, guest: &str, script: &str) -> Result<String> {
        self.vmctl(&["exec", "--timeout", COMMAND_PATIENCE, guest, "--", "sh", "-c", script])
    }

    /// Puts a link back to what its file says, and then changes it, each change as
    /// `vmctl link set` takes it: `delay=5ms loss=1%`, and perhaps a direction.
    ///
    /// # Errors
    /// As [`Trial::vmctl`].
    pub fn set(&self, link: &str, changes: &[(&str, &str)]) -> Result<()> {
        self.vmctl(&["link", "reset", link])?;
        for (direction, keys) in changes {
            let keys = keys.split(' ').collect::<Vec<_>>();
            let words = [&["link", "set", link][..], &keys, &["--direction", direction]].concat();
            self.vmctl(&words)?;
        }
        Ok(())
    }

    /// How the lab does.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> Result<Status> {
        self.runtime.block_on(self.client.status()).map_err(|failure| failure.to_string())
    }

    /// The address of a guest's first interface.
    ///
    /// # Errors
    /// When there is no such guest, or it has none.
    pub fn address(&self, guest: &str) -> Result<String> {
        let guests = self.status()?.guests;
        let found = guests.iter().find(|found| found.name == guest);
        let address = found.and_then(|found| found.addresses.first()?.address.clone());
        let address = address.ok_or_else(|| format!("{guest} has no address"))?;
        Ok(address.split('/').next().unwrap_or(&address).to_owned())
    }

    /// Lets so much virtual time pass, and a little more: how much, in ns.
    ///
    /// # Errors
    /// When the lab does not answer.
    pub fn wait(&self, span: Duration) -> Result<u64> {
        let now =
            || self.runtime.block_on(self.client.clock()).map_err(|failure| failure.to_string());
        let begun = now()?.virtual_ns;
        loop {
            let passed = now()?.virtual_ns - begun;
            if u128::from(passed) >= span.as_nanos() {
                return Ok(passed);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Lets `alice` ping `bob`, at this interval, and watches at both of their edges.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn ping(&self, count: u32, interval: Duration) -> Result<Volley> {
        self.ping_after("", count, interval)
    }

    /// The same, in a shell that does something else before.
    ///
    /// # Errors
    /// As [`Trial::ping`].
    pub fn ping_after(&self, before: &str, count: u32, interval: Duration) -> Result<Volley> {
        // So that no address is asked for later. A reply may get lost.
        self.sh("alice", "ping -q -c 2 -i 0.2 -W 2 bob || [ $? = 1 ]")?;
        let failed = |failure: vmctl::api::failure::Failure| failure.to_string();
        let watch = self.runtime.block_on(self.client.watch_pings()).map_err(failed)?;
        let seconds = interval.as_secs_f64();
        let script = format!(
            "{before}\nping -n -e {ID} -c {count} -i {seconds:.3} -W 2 bob || [ $? = 1 ]\nwait"
        );
        let output = self.sh("alice", &script);
        let pings = self.runtime.block_on(self.client.take_pings(&watch)).map_err(failed)?;
        if pings.unseen > 0 {
            return Err(format!("no room for {} sightings", pings.unseen));
        }
        let clock = if self.mode == Mode::Realtime { Clock::Host } else { Clock::Virtual };
        let way = |ends, reply: bool| {
            let ours = trips(&pings.sightings, &(ID..ID + 1), ends, clock).into_iter();
            ours.filter(|trip| trip.id.is_some() && trip.reply == reply && !trip.paused).collect()
        };
        let ends = ["alice:eth0", "bob:eth0"];
        let ways = [way(ends, false), way([ends[1], ends[0]], true)];
        Ok(Volley { ways, rtts: rtts(&output?) })
    }
}

/// All of `64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=30.4 ms`, in ms.
fn rtts(output: &str) -> Vec<f64> {
    let time = |line: &str| line.split_once("time=")?.1.split(' ').next()?.parse().ok();
    output.lines().filter_map(time).collect()
}

fn succeeded(what: &str, output: &Output) -> Result<()> {
    if output.status.success() { Ok(()) } else { Err(format!("`{what}`: {}", told(output))) }
}

/// How long trips took that came to their end, in seconds.
pub fn spans(trips: &[Trip]) -> Vec<f64> {
    let span = |trip: &Trip| Some((i128::from(trip.arrived?) - i128::from(trip.sent)) as f64 / 1e9);
    trips.iter().filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_read() {
        let output = "PING bob\n64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=30.4 ms\n\
                      64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=31 ms (DUP!)\n";
        assert_eq!(rtts(output), [30.4, 31.0]);
    }
}
