//! What windows cost: labs of real guests in lockstep, by number of guests and length of a window.
//!
//! `cargo xtask bench windows -- [--guests 1,2,4,8,16] [--quanta 1,5,10,50] [--for 5s]`
//!
//! A window of N guests, `parallel` at once, would take `ceil(N / parallel)` quanta if stopping,
//! reading clocks and going on were free. What it takes beyond that is the overhead, printed as a
//! part of the whole. Busy guests run an endless loop in a shell.

mod arguments;

use std::process::ExitCode;

use chronotap_tests::lab::Lab;
use serde_json::Value;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    println!("{}", Row::TITLES);
    for &guests in &arguments.guests {
        for &quantum in &arguments.quanta {
            measure(guests, quantum, &arguments.span);
        }
    }
    ExitCode::SUCCESS
}

/// Idle guests first, then the same ones busy.
fn measure(guests: u32, quantum_ms: u32, span: &str) {
    let lab = Lab::up("bench-windows", &topology(guests, quantum_ms));
    print(&lab, guests, "idle", span);
    for guest in 0..guests {
        lab.sh(&name(guest), "(while :; do :; done) </dev/null >/dev/null 2>&1 &");
    }
    print(&lab, guests, "busy", span);
}

fn print(lab: &Lab, guests: u32, load: &'static str, span: &str) {
    let before = windows(lab);
    lab.vmctl(&["run", "--for", span]);
    let after = windows(lab);
    lab.vmctl(&["resume"]);
    println!("{}", Row { guests, load, before, after });
}

fn windows(lab: &Lab) -> Value {
    lab.status()["windows"].clone()
}

fn name(guest: u32) -> String {
    format!("g{guest}")
}

/// Guests on a switch; the delays allow the quantum with a quarter of it to spare.
fn topology(guests: u32, quantum_ms: u32) -> String {
    let delay_us = quantum_ms * 1250 / 2;
    let mut text = format!(
        "[time]\nmode = 'lockstep'\nquantum = '{quantum_ms}ms'\n[defaults.node]\nmemory = '96MiB'\n\
         [defaults.link]\ndelay = '{delay_us}us'\n[node.hub]\nkind = 'switch'\n"
    );
    for guest in 0..guests {
        text.push_str(&format!("[node.{}]\n", name(guest)));
    }
    for guest in 0..guests {
        text.push_str(&format!("[[link]]\nendpoints = ['{}:eth0', 'hub:p{guest}']\n", name(guest)));
    }
    text
}

/// What one lab did in one span. Costs are those of the whole time since windows began.
struct Row {
    guests: u32,
    load: &'static str,
    before: Value,
    after: Value,
}

impl Row {
    const TITLES: &str = "guests  load  window  parallel  windows/s  virtual/wall  overhead  \
                          us/guest  stop p50/p99 us   read p50/p99 us   cont p50/p99 us  \
                          overrun p50/p99 us";

    fn number(&self, key: &str) -> f64 {
        number(&self.after[key])
    }

    fn grown(&self, key: &str) -> f64 {
        number(&self.after[key]) - number(&self.before[key])
    }

    fn spread(&self, what: &str) -> String {
        let micros = |quantile: &str| number(&self.after[what][quantile]) / 1e3;
        format!("{:>7.0}/{:<8.0}", micros("p50_ns"), micros("p99_ns"))
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (quantum, parallel) = (self.number("quantum_ns"), self.number("parallel"));
        let (windows, wall) = (self.grown("completed"), self.grown("wall_ns"));
        let turns = (f64::from(self.guests) / parallel).ceil();
        let ideal = windows * turns * quantum;
        let costs = ["stop", "read", "cont", "overrun"].map(|what| self.spread(what)).join("  ");
        write!(
            f,
            "{:>6}  {}  {:>4.0}ms  {parallel:>8}  {:>9.1}  {:>12.3}  {:>7.1}%  {:>8.0}  {costs}",
            self.guests,
            self.load,
            quantum / 1e6,
            windows / wall * 1e9,
            windows * quantum / wall,
            (1.0 - ideal / wall) * 100.0,
            (wall - ideal) / windows / turns / 1e3,
        )
    }
}

/// # Panics
/// If it is none: the status has changed its shape.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}
