//! What a soak came to, as text.

use std::fmt;

use comfy_table::{Table, presets::ASCII_MARKDOWN};

use super::{
    Finding, Plan, Sample,
    judge::{lateness, quarters},
};
use crate::figures::median;

/// A soak that is over.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked for.
    pub plan: Plan,
    /// All that was seen.
    pub samples: Vec<Sample>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn held(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} guests in {}, {} samples",
            self.plan.guests,
            self.plan.mode,
            self.samples.len()
        )?;
        writeln!(f, "{}", by_quarter(&self.samples))?;
        let rss: Vec<_> = self.samples.iter().map(|sample| sample.held.rss_kib).collect();
        writeln!(f, "RSS  {}", sparkline(&rss))?;
        if self.held() {
            return writeln!(f, "held: every frame accounted for in every sample, nothing grew");
        }
        self.findings.iter().try_for_each(|finding| writeln!(f, "FAILED {finding}"))
    }
}

fn by_quarter(samples: &[Sample]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header([
        "quarter",
        "virtual s",
        "sent",
        "received",
        "dropped",
        "RSS MiB",
        "fds",
        "threads",
        "lateness p99 ms",
    ]);
    let late = lateness(samples);
    for (number, quarter) in quarters(samples).into_iter().enumerate() {
        let ends = quarter.first().zip(quarter.last());
        let Some((first, last)) = ends else { continue };
        let middle = |of: fn(&Sample) -> f64| median(quarter.iter().map(of));
        let p99 = late.get(number).copied().flatten();
        table.add_row([
            (number + 1).to_string(),
            format!("{:.1}", last.virtual_seconds - first.virtual_seconds),
            (last.sent - first.sent).to_string(),
            (last.received - first.received).to_string(),
            (last.dropped - first.dropped).to_string(),
            format!("{:.1}", middle(|sample| sample.held.rss_kib as f64) / 1024.0),
            middle(|sample| sample.held.descriptors as f64).to_string(),
            middle(|sample| sample.held.threads as f64).to_string(),
            p99.map_or_else(|| "-".to_owned(), |seconds| format!("{:.3}", seconds * 1e3)),
        ]);
    }
    table
}

/// The curve of some numbers from none to the greatest, a character for each.
fn sparkline(numbers: &[u64]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = numbers.iter().copied().max().unwrap_or(0).max(1);
    let step = |number: &u64| STEPS[((number * 8).div_ceil(most).max(1) - 1).min(7) as usize];
    numbers.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_from_the_lowest_step_to_the_highest() {
        assert_eq!(sparkline(&[0, 1, 25, 50, 75, 100]), "▁▁▂▄▆█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(sparkline(&[]), "");
    }
}
