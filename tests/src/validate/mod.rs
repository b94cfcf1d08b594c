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
mod machine;
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
        for rows in [on_pair(plan, mode), on_shared(plan, mode)] {
            for row in rows {
                told(&row);
                report.rows.push(row);
            }
        }
    }
    report.end();
    report
}

/// What two guests tell.
fn on_pair(plan: &Plan, mode: Mode) -> Vec<Row> {
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
    measure(plan, mode, "validate", &pair(&["delay = '20ms'", "queue = '64KiB'"]), &measurements)
}

/// What many guests tell.
fn on_shared(plan: &Plan, mode: Mode) -> Vec<Row> {
    let measurements: [Measurement; 1] =
        [(Subject::Sharing, &|trial| sharing::sharing(trial, 6000))];
    measure(plan, mode, "validate-shared", &sharing::shared_topology(), &measurements)
}

fn measure(
    plan: &Plan,
    mode: Mode,
    name: &str,
    topology: &str,
    measurements: &[Measurement],
) -> Vec<Row> {
    let wanted = |subject: Subject| plan.subjects.contains(&subject);
    let wanted: Vec<_> = measurements.iter().filter(|(subject, _)| wanted(*subject)).collect();
    let Some((first, _)) = wanted.first() else { return Vec::new() };
    let failed = |subject, why: String| {
        let why = why.replace('\n', " ");
        vec![Row::new(subject, mode, "all").demand(false, format!("not measured: {why}"))]
    };
    let trial = match Trial::up(name, mode, topology) {
        Ok(trial) => trial,
        Err(why) => return failed(*first, why),
    };
    let rows = wanted
        .iter()
        .map(|(subject, rows)| rows(&trial).unwrap_or_else(|why| failed(*subject, why)));
    rows.flatten().collect()
}
