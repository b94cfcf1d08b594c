//! What is printed: a row for each measurement as it comes, then what was hoped for beside what is.

use std::fmt;

use crate::sample::Sample;

/// What the guests do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Nothing but what their kernel does by itself.
    Idle,
    /// An endless loop each.
    Busy,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
        })
    }
}

struct Row {
    mode: &'static str,
    load: Load,
    lookahead_us: u32,
    sample: Sample,
}

/// All rows so far.
pub struct Report(Vec<Row>);

impl Report {
    /// Prints the titles.
    pub fn begin() -> Self {
        println!(
            "mode      guests  load  lookahead  virtual/wall  barriers/s  us/barrier  releases/s  \
             us/release  overhead us/barrier"
        );
        Self(Vec::new())
    }

    /// Prints and keeps a row.
    pub fn add(&mut self, mode: &'static str, load: Load, lookahead_us: u32, sample: Sample) {
        let row = Row { mode, load, lookahead_us, sample };
        let overhead = self.overhead(&row);
        let overhead = overhead.map_or_else(|| "-".to_owned(), |us| format!("{us:.0}"));
        println!(
            "{mode:<8}  {:>6}  {load:<4}  {:>7}us  {:>12.3}  {:>10.0}  {:>10.0}  {:>10.0}  {:>10.0}  {overhead:>19}",
            sample.guests,
            lookahead_us,
            sample.ratio(),
            sample.windows / sample.wall,
            sample.per_window(),
            sample.releases / sample.wall,
            sample.per_release(),
        );
        self.0.push(row);
    }

    /// Prints what traffic between two guests changes.
    pub fn compare_frames(&self, load: Load, without: &Sample, with: &Sample) {
        let frames = with.frames / with.passed;
        println!("\ntwo {load} guests, lookahead 1 ms, for each virtual second:");
        for (name, sample) in [("quiet", without), ("iperf3", with)] {
            println!(
                "  {name:<7} {:>6.0} frames  {:>6.0} barriers  {:>6.0} releases  {:>8.3} s on the host",
                sample.frames / sample.passed,
                sample.windows / sample.passed,
                sample.releases / sample.passed,
                sample.wall / sample.passed,
            );
        }
        let more = (with.windows / with.passed - without.windows / without.passed) / frames;
        let cost = (with.wall / with.passed - without.wall / without.passed) / frames;
        println!(
            "  a frame: {more:.3} barriers, {:.0} us with all that both guests do for it",
            cost * 1e6
        );
    }

    /// Prints targets.
    pub fn end(&self) {
        println!("\ntargets");
        for row in self.0.iter().filter(|row| (row.mode, row.load) == ("exact", Load::Busy)) {
            if let Some(cost) = self.overhead(row).filter(|_| row.lookahead_us == 100) {
                let guests = row.sample.guests;
                let target = f64::from(20 + 8 * guests);
                judge(
                    &format!("barrier of {guests} busy guests"),
                    cost,
                    "us",
                    cost <= target,
                    target,
                );
                self.beside(guests, cost);
            }
        }
        if let Some(row) = self.find("exact", Load::Idle, 10, 10_000) {
            let ratio = row.sample.ratio();
            judge("10 idle guests 10 ms apart, virtual/wall", ratio, "", ratio >= 10.0, 10.0);
        }
    }

    fn beside(&self, guests: u32, cost: f64) {
        let Some(row) = self.find("lockstep", Load::Busy, guests, 10_000) else { return };
        let times = row.sample.overhead(None) / cost;
        let what = format!("lockstep's window of {guests} busy guests by it");
        judge(&what, times, "", times >= 10.0, 10.0);
    }

    /// What a barrier costs, where that is known.
    fn overhead(&self, row: &Row) -> Option<f64> {
        if row.mode == "lockstep" {
            return Some(row.sample.overhead(None));
        }
        let longest = self.find(row.mode, row.load, row.sample.guests, 10_000)?;
        (row.load == Load::Busy).then(|| row.sample.overhead(Some(&longest.sample)))
    }

    fn find(&self, mode: &str, load: Load, guests: u32, lookahead_us: u32) -> Option<&Row> {
        self.0.iter().find(|row| {
            (row.mode, row.load, row.sample.guests, row.lookahead_us)
                == (mode, load, guests, lookahead_us)
        })
    }
}

fn judge(what: &str, value: f64, unit: &str, met: bool, target: f64) {
    let verdict = if met { "met" } else { "MISSED" };
    println!("  {what}: {value:.1} {unit} (target {target:.0}) {verdict}");
}
