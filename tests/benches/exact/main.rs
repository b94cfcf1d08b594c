//! What barriers cost: labs of real guests in `exact`, by number of guests and lookahead, and labs
//! in `lockstep` beside them.
//!
//! `cargo xtask bench exact -- [--quick] [--guests 1,2,4,8,10,16] [--wall SECONDS]`
//!
//! Each number of guests is booted once in each mode; the lookahead is changed with `link set`.
//! Busy guests run an endless loop in a shell. Idle guests are not released in each window, so that
//! windows and releases are counted, and what a barrier costs with all guests in it shows in busy
//! ones: their own work takes as long in many short windows as in few long ones, and what short
//! ones take on top is the barriers'.

mod arguments;
mod bench_lab;
mod report;
mod sample;

use std::process::ExitCode;

use arguments::Arguments;
use bench_lab::BenchLab;
use report::{Load, Report};

/// The shortest lookahead that windows of lockstep still do something in.
const LOCKSTEP_FROM_US: u32 = 1000;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let mut report = Report::begin();
    for &guests in &arguments.guests {
        exact(&arguments, guests, &mut report);
    }
    for &guests in &arguments.beside {
        lockstep(&arguments, guests, &mut report);
    }
    frames(&arguments, &report);
    report.end();
    ExitCode::SUCCESS
}

/// Idle guests first, then the same ones busy.
fn exact(arguments: &Arguments, guests: u32, report: &mut Report) {
    let lab = BenchLab::up("exact", guests);
    measure(arguments, &lab, Load::Idle, 0, report);
    lab.make_busy();
    measure(arguments, &lab, Load::Busy, 0, report);
}

fn lockstep(arguments: &Arguments, guests: u32, report: &mut Report) {
    let lab = BenchLab::up("lockstep", guests);
    measure(arguments, &lab, Load::Idle, LOCKSTEP_FROM_US, report);
    lab.make_busy();
    measure(arguments, &lab, Load::Busy, LOCKSTEP_FROM_US, report);
}

fn measure(arguments: &Arguments, lab: &BenchLab, load: Load, from_us: u32, report: &mut Report) {
    // The longest first: what the others are held against.
    for &lookahead in arguments.lookaheads_us.iter().rev().filter(|&&us| us >= from_us) {
        lab.set_lookahead(lookahead);
        let mode = if from_us == 0 { "exact" } else { "lockstep" };
        report.add(mode, load, lookahead, lab.measure(arguments.wall));
    }
}

/// Two guests with and without traffic between them.
fn frames(arguments: &Arguments, report: &Report) {
    const FLOW: &str = "iperf3 -c g0 -u -b 20M -l 1000 -t 3600 </dev/null >/dev/null 2>&1 &";
    const STOP: &str = "killall iperf3; while pidof iperf3; do sleep 0.1; done";
    let lab = BenchLab::up("exact", 2);
    lab.set_lookahead(1000);
    lab.sh(0, "iperf3 -s -D");
    lab.sh(1, "ping -q -c 2 g0");
    for load in [Load::Idle, Load::Busy] {
        if load == Load::Busy {
            lab.make_busy();
        }
        let without = lab.measure(arguments.wall);
        lab.sh(1, FLOW);
        lab.sh(1, "sleep 1");
        report.compare_frames(load, &without, &lab.measure(arguments.wall));
        lab.sh(1, STOP);
    }
}
