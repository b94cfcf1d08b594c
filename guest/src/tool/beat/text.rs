//! The report for people.

use chronotap_guest::report::beat::{Direction, Report};

use crate::tool::text::{columns, nanos, row, signed_nanos};

/// The whole report.
pub fn render(report: &Report) -> String {
    let titles = [
        "WAY",
        "SENT",
        "RECEIVED",
        "LOST",
        "REORDERED",
        "DUPLICATED",
        "DEVIATION P50",
        "P99",
        "P99.9",
    ];
    let mut rows = vec![row(titles)];
    rows.extend(report.there.as_ref().map(|there| direction("there", there)));
    rows.push(direction("back", &report.back));
    let mut lines = vec![format!("a packet each {}", nanos(report.interval_ns)), String::new()];
    lines.push(columns(&rows));
    if report.there.is_none() {
        lines.push("the listener did not say in the end what had arrived there".to_owned());
    }
    lines.push(String::new());
    for (way, direction) in [("there", report.there.as_ref()), ("back", Some(&report.back))] {
        let Some(deviation) = direction.and_then(|direction| direction.deviation) else { continue };
        let step = deviation.largest;
        let size = signed_nanos(step.deviation_ns);
        lines.push(format!("largest step {way}: {size} at packet {}", step.seq));
    }
    lines.extend(round_trips(report));
    lines.join("\n").trim_end().to_owned()
}

fn direction(way: &str, direction: &Direction) -> Vec<String> {
    let or_dash =
        |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    let deviation = |quantile: Option<u64>| quantile.map_or_else(|| "-".to_owned(), nanos);
    vec![
        way.to_owned(),
        or_dash(direction.sent),
        direction.received.to_string(),
        or_dash(direction.lost),
        direction.reordered.to_string(),
        direction.duplicated.to_string(),
        deviation(direction.deviation.map(|deviation| deviation.p50_ns)),
        deviation(direction.deviation.map(|deviation| deviation.p99_ns)),
        deviation(direction.deviation.map(|deviation| deviation.p99_9_ns)),
    ]
}

fn round_trips(report: &Report) -> Vec<String> {
    let (Some(rtt), Some(clock)) = (report.rtt, report.clock) else {
        return vec!["no echo has come back".to_owned()];
    };
    let [min, p50, p99, max] = [rtt.min_ns, rtt.p50_ns, rtt.p99_ns, rtt.max_ns].map(nanos);
    let drift = clock.drift_ppm.map_or_else(|| "unknown".to_owned(), |ppm| format!("{ppm:.3} ppm"));
    let offset = signed_nanos(clock.offset_ns);
    vec![
        format!("rtt: min {min}, p50 {p50}, p99 {p99}, max {max}"),
        format!("the listener's clock: {offset} (within {}), drift {drift}", nanos(clock.rtt_ns)),
    ]
}
