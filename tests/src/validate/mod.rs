//! Validation: what a lab is asked for beside what real guests find, in one report.
//!
//! ```text
//! for each mode:  trial (a lab) ─▶ pings: delay, jitter, loss, order ─┐
//!                               ─▶ load: rate, queue                  ├─▶ rows ─▶ report
//!                 trial         ─▶ sharing                            ┘
//! ```
//!
//! Frames are seen where they enter and leave the network, which knows nothing of what a link does
//! (`vmctl verify` has the same from there), by iperf3 and ping in the guests, and by a capture. What
//! they are held against is in [`theory`] and [`statistics`].

mod iperf;
mod load;
mod pings;
mod report;
mod row;
mod sharing;
mod statistics;
mod theory;
mod trial;

use crate::lab::pair;

pub use report::Report;
pub use row::{Mode, Row, Subject, Verdict};
use statistics::Shape;
use trial::{Result, Trial};

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What holds the guests, one after the other.
    pub modes: Vec<Mode>,
    /// What is measured in each.
    pub subjects: Vec<Subject>,
    /// Few samples, and the shorter half of the rows: to see whether the measurement itself works.
    pub is_short: bool,
}

/// How a subject is measured.
type Measurement<'a> = (Subject, &'a dyn Fn(&Trial) -> Result<Vec<Row>>);

/// Measures everything; what cannot be measured is a row that has failed.
pub fn run(plan: &Plan, command: &str, mut told: impl FnMut(&Row)) -> Report {
    let mut report = Report::begin(command);
    for &mode in &plan.modes {
        let mut add = |row: Row| {
            told(&row);
            report.rows.push(row);
        };
        on_pair(plan, mode, &mut add);
        on_shared(plan, mode, &mut add);
    }
    report.end();
    report
}

/// What two guests tell.
fn on_pair(plan: &Plan, mode: Mode, add: &mut dyn FnMut(Row)) {
    let is_short = plan.is_short;
    let few = |all: u32| if is_short { all / 4 } else { all };
    let shapes = if is_short { &Shape::ALL[..1] } else { &Shape::ALL };
    let queues: &[u32] = if is_short { &[32] } else { &[16, 64, 256] };
    let seconds = if is_short { 6 } else { 9 };
    let measurements: [Measurement; 6] = [
        (Subject::Delay, &|trial| pings::delay(trial, few(200))),
        (Subject::Jitter, &|trial| pings::jitter(trial, shapes, few(500).max(200))),
        (Subject::Loss, &|trial| pings::loss(trial, few(1200))),
        (Subject::Order, &|trial| pings::order(trial, few(1000))),
        (Subject::Rate, &|trial| load::rate(trial, seconds, !is_short)),
        (Subject::Queue, &|trial| load::queue(trial, queues)),
    ];
    let topology = pair(&["delay = '20ms'", "queue = '64KiB'"]);
    measure(plan, mode, ("validate", &topology), &measurements, add);
}

/// What many guests tell.
fn on_shared(plan: &Plan, mode: Mode, add: &mut dyn FnMut(Row)) {
    let measurements: [Measurement; 1] =
        [(Subject::Sharing, &|trial| sharing::sharing(trial, 6000))];
    let topology = sharing::shared_topology();
    measure(plan, mode, ("validate-shared", &topology), &measurements, add);
}

/// Boots a lab, if there is something to be measured in it, and measures.
fn measure(
    plan: &Plan,
    mode: Mode,
    lab: (&str, &str),
    measurements: &[Measurement],
    add: &mut dyn FnMut(Row),
) {
    let wanted = |subject: Subject| plan.subjects.contains(&subject);
    let wanted: Vec<_> = measurements.iter().filter(|(subject, _)| wanted(*subject)).collect();
    if wanted.is_empty() {
        return;
    }
    let (name, topology) = lab;
    let trial = Trial::up(name, mode, topology);
    for (subject, rows) in wanted {
        let rows = trial.as_ref().map_err(Clone::clone).and_then(rows);
        let failed = |why: String| {
            let why = format!("not measured: {}", why.replace('\n', " "));
            vec![Row::new(*subject, mode, "all").demand(false, why)]
        };
        rows.unwrap_or_else(failed).into_iter().for_each(&mut *add);
    }
}
