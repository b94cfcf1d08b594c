//! The report for people.

use chronotap_guest::report::clocks::{Clock, Rate, Readings, Report, Unit};

use crate::tool::text::{columns, nanos, row};

/// How many of the largest gaps people want to see.
const TOP: usize = 5;

/// The whole report.
pub fn render(report: &Report) -> String {
    let heading =
        format!("each part {} s; clocksource {}", report.watched_seconds, report.clocksource);
    [heading, clocks(report), rates(report), largest(report)].join("\n\n")
}

fn clocks(report: &Report) -> String {
    let titles = ["CLOCK", "READS", "SPAN", "GAP P50", "P99", "P99.9", "LARGEST", "STEPS BACK"];
    let mut rows = vec![row(titles)];
    let mut missing = Vec::new();
    for (name, clock) in report.clocks.named() {
        match clock {
            Clock::Watched(readings) => rows.push(watched(name, readings)),
            Clock::Missing { missing: why } => missing.push(format!("{name} is missing: {why}")),
        }
    }
    let table = columns(&rows);
    std::iter::once(table).chain(missing).collect::<Vec<_>>().join("\n")
}

fn watched(name: &str, readings: &Readings) -> Vec<String> {
    let shown = |value| in_unit(value, readings.unit);
    let (gaps, back) = (&readings.gaps, readings.steps_back);
    let mut cells = vec![name.to_owned(), readings.reads.to_string()];
    let values = [readings.span, gaps.p50, gaps.p99, gaps.p99_9, gaps.largest];
    cells.extend(values.map(shown));
    cells.push(match back.count {
        0 => "0".to_owned(),
        count => format!("{count}, largest {}", shown(back.largest)),
    });
    cells
}

fn in_unit(value: u64, unit: Unit) -> String {
    match unit {
        Unit::Ns => nanos(value),
        Unit::S => format!("{value}s"),
        Unit::Ticks => format!("{value}t"),
    }
}

fn rates(report: &Report) -> String {
    let mut rows = vec![row(["RATE", "FIRST HALF", "SECOND HALF", "WHOLE"])];
    for (name, rate) in report.rates.named() {
        let half = |half: fn(&Rate) -> Option<f64>| number(rate.as_ref().and_then(half));
        rows.push(vec![
            name.to_owned(),
            half(|rate| rate.first_half),
            half(|rate| rate.second_half),
            half(|rate| Some(rate.whole)),
        ]);
    }
    columns(&rows)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.9}"))
}

fn largest(report: &Report) -> String {
    let mut lines = vec!["largest gaps, and when:".to_owned()];
    for (name, clock) in report.clocks.named() {
        let Some(readings) = clock.readings() else { continue };
        let shown = |value| in_unit(value, readings.unit);
        let top = readings.gaps.top.iter().take(TOP);
        let gaps: Vec<_> =
            top.map(|gap| format!("{} at {}", shown(gap.gap), shown(gap.at))).collect();
        lines.push(format!("  {name}: {}", gaps.join(", ")));
    }
    lines.join("\n")
}
