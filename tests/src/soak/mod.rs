//! A lab under traffic and impairments for as long as one likes, looked at again and again.
//!
//! ```text
//! topology ─▶ lab ─▶ traffic in all guests
//!                     every few seconds: sample (status, metrics, /proc of the daemon)
//!                     ─▶ conservation (each sample) ─▶ judge (all samples) ─▶ report
//! ```
//!
//! Nothing here asserts how fast anything is: what is judged is that no frame is unaccounted for, and
//! that what the daemon holds does not grow.

mod balance;
mod judge;
mod proc;
mod report;
mod sample;
mod topology;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use vmctl::api::status::{GuestState, Status};

use crate::{lab::Lab, time::wait_for};

pub use judge::Finding;
pub use report::Report;
pub use sample::{Buckets, Sample};
pub use topology::{Mode, Plan};

/// How long a lab may take to boot: each guest's boot is ten seconds of one core.
const BOOT_PATIENCE: &str = "10m";

/// How many samples are taken: ten in each quarter.
const SAMPLES: u32 = 40;

/// As short as samples follow each other.
const LEAST_INTERVAL: Duration = Duration::from_millis(250);

/// What each guest does: it serves, and sends pings and datagrams to one other guest. An `iperf3` that
/// an outage ends begins anew.
const TRAFFIC: &str = "iperf3 -s -D
(while :; do ping -q -i 0.2 -c 100 PEER; done) </dev/null >/dev/null 2>&1 &
echo $! >/tmp/loops
(while :; do iperf3 -c PEER -u -b 500k -l 700 -t 60; sleep 1; done) </dev/null >/dev/null 2>&1 &
echo $! >>/tmp/loops";

/// Ends all of it.
const QUIET: &str = "kill $(cat /tmp/loops); killall ping iperf3; true";

/// Boots the lab, lets it run for so long, and takes it down.
///
/// # Panics
/// When the lab does not come up, or stops to answer.
pub fn run(plan: &Plan, length: Duration, mut told: impl FnMut(&str)) -> Report {
    told(&format!("boots {} guests in {}", plan.guests, plan.mode));
    let lab = Lab::up_with(&plan.name, &plan.topology(length), &["--timeout", BOOT_PATIENCE]);
    for guest in 0..plan.guests {
        lab.sh(&plan.guest(guest), &TRAFFIC.replace("PEER", &plan.peer(guest)));
    }
    let begun = Instant::now();
    let interval = (length / SAMPLES).max(LEAST_INTERVAL);
    let (mut samples, mut findings) = (Vec::new(), Vec::new());
    while begun.elapsed() < length {
        sleep(interval);
        let status = lab.look();
        findings.extend(broken(&status));
        samples.push(Sample::take(&lab, &status, begun.elapsed()));
        if let Some(sample) = samples.last() {
            told(&sample.to_string());
        }
    }
    findings.extend(settle(&lab, plan));
    findings.extend(judge::judge(&samples));
    Report { plan: plan.clone(), samples, findings }
}

/// What must never be: a frame too many or too few, a guest that has ended.
fn broken(status: &Status) -> Vec<Finding> {
    let dead = status.guests.iter().filter(|guest| guest.state == GuestState::Dead);
    let dead = dead.map(|guest| Finding::new("guests", format!("{} has ended", guest.name)));
    balance::findings(status).into_iter().chain(dead).collect()
}

/// Ends the traffic: then every frame must have come to its end.
fn settle(lab: &Lab, plan: &Plan) -> Vec<Finding> {
    for guest in 0..plan.guests {
        lab.sh(&plan.guest(guest), QUIET);
    }
    let mut status = lab.look();
    // Guests' kernels say a word now and then: between two of those, nothing is under way.
    wait_for("a lab without a frame under way", || {
        status = lab.look();
        status.in_flight == 0 && balance::waiting(&status) <= 0
    });
    broken(&status)
}
