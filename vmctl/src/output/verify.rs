//! `vmctl verify`.

use super::{
    labs::or_dash,
    table::{table, text},
    text::{nanos, rate, share},
};
use crate::commands::verify::{Account, Bucket, Errors, Verification};

/// Columns of the longest bar.
const BAR: u64 = 40;

/// A table of all ways, how far each is from what was asked, and what is wrong.
pub fn render(verification: &Verification) -> String {
    let mut parts = vec![heading(verification), ways(&verification.ways)];
    parts.extend(errors(&verification.ways));
    parts.extend(verification.ways.iter().filter(|way| !way.findings.is_empty()).map(findings));
    let unmeasured = verification.unmeasured.iter();
    parts.extend(unmeasured.map(|link| format!("{}: not measured: {}", link.link, link.reason)));
    parts.join("\n\n")
}

fn heading(verification: &Verification) -> String {
    let Verification { lab, mode, against, .. } = verification;
    let against = against.as_deref().unwrap_or("what its links are set to");
    let off = verification.ways.iter().filter(|way| !way.findings.is_empty()).count();
    let verdict = match off {
        0 => "all ways are as asked".to_owned(),
        1 => "1 way is not as asked".to_owned(),
        off => format!("{off} ways are not as asked"),
    };
    format!("lab {lab} ({mode}) against {against}: {verdict}")
}

fn ways(ways: &[Account]) -> String {
    let titles = [
        "way",
        "delay",
        "measured",
        "error p50",
        "p99",
        "max",
        "rate",
        "measured",
        "loss",
        "measured",
        "verdict",
    ];
    let mut table = table(&titles, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for way in ways {
        let lost = way.sent_frames.saturating_sub(way.arrived_frames);
        let measured_loss =
            (way.sent_frames > 0).then(|| share(lost as f64 / way.sent_frames as f64));
        let error = |of: fn(&Errors) -> i64| or_dash(way.error.as_ref().map(|e| signed(of(e))));
        table.add_row([
            format!("{} -> {}", way.from, way.to),
            asked_delay(way),
            or_dash(way.delay.map(|delay| signed(delay.p50_ns))),
            error(|error| error.spans.p50_ns),
            error(|error| error.spans.p99_ns),
            error(|error| error.spans.max_ns),
            or_dash(way.asked.rate_bit_per_s.map(rate)),
            or_dash(way.rate.as_ref().map(|found| rate(found.bit_per_s))),
            share(way.asked.loss),
            or_dash(measured_loss),
            verdict(way).to_owned(),
        ]);
    }
    text(&table)
}

fn asked_delay(way: &Account) -> String {
    match way.asked.jitter_ns {
        0 => nanos(way.asked.delay_ns),
        jitter => format!("{}±{}", nanos(way.asked.delay_ns), nanos(jitter)),
    }
}

fn verdict(way: &Account) -> &'static str {
    if way.findings.is_empty() { "ok" } else { "off" }
}

fn signed(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    format!("{sign}{}", nanos(ns.unsigned_abs()))
}

/// The errors of all ways together.
fn errors(ways: &[Account]) -> Option<String> {
    let all = || ways.iter().filter_map(|way| way.error.as_ref());
    let early: u64 = all().map(|errors| errors.early_frames).sum();
    let bounds = all().next()?.histogram.iter().enumerate();
    let buckets = bounds.map(|(place, bucket)| {
        let frames = all().map(|errors| errors.histogram[place].frames).sum();
        Bucket { frames, ..*bucket }
    });
    let buckets: Vec<_> = buckets.collect();
    let most = buckets.iter().map(|bucket| bucket.frames).chain([early]).max()?.max(1);
    let mut lines = vec!["how late frames were, of all ways:".to_owned()];
    let bar = |frames: u64| "#".repeat((frames * BAR).div_ceil(most) as usize);
    let line = |title: String, frames: u64| {
        format!("  {title:>9}  {frames:>6}  {}", bar(frames)).trim_end().to_owned()
    };
    lines.extend((early > 0).then(|| line("too early".to_owned(), early)));
    lines.extend(buckets.iter().map(|bucket| {
        let title =
            bucket.up_to_ns.map_or("more".to_owned(), |bound| format!("<= {}", nanos(bound)));
        line(title, bucket.frames)
    }));
    Some(lines.join("\n"))
}

fn findings(way: &Account) -> String {
    let links = way.links.join(", ");
    let mut lines = vec![format!("{} -> {} (over {links}):", way.from, way.to)];
    for finding in &way.findings {
        lines.push(format!("  {}: {}", finding.subject, finding.found));
        lines.push(format!("    help: {}", finding.remedy));
    }
    lines.join("\n")
}
