//! Whether something grew that should not. Pure.
//!
//! The first quarter is left out: memory that a lab takes once, it takes there. Then the last quarter
//! is held against the second, by medians.

use std::fmt;

use super::Sample;
use crate::figures::median;

/// Memory that grew by less than this share is not taken for a leak …
const RSS_SHARE: f64 = 0.05;
/// … nor is less than this, in KiB.
const RSS_KIB: f64 = 4096.0;
/// Descriptors and threads come and go with who asks: so many more are no growth.
const FEW: f64 = 2.0;
/// Lateness is known by powers of two: two steps of it are growth …
const LATENESS_FACTOR: f64 = 4.0;
/// … where frames are later than this, in seconds. Below, it is the host's affair.
const LATENESS_FLOOR: f64 = 0.010;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub subject: &'static str,
    /// What was seen.
    pub found: String,
}

impl Finding {
    /// Puts one together.
    pub fn new(subject: &'static str, found: String) -> Self {
        Self { subject, found }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.found)
    }
}

/// The samples of each quarter of the time; fewer than four of them have none.
pub fn quarters(samples: &[Sample]) -> Vec<&[Sample]> {
    let length = samples.len() / 4;
    if length == 0 {
        return Vec::new();
    }
    // The first takes what does not divide.
    samples[samples.len() - 4 * length..].chunks(length).collect()
}

/// The 99th percentile of how late frames of each quarter were, in seconds.
pub fn lateness(samples: &[Sample]) -> Vec<Option<f64>> {
    let quarters = quarters(samples);
    let mut before = &super::Buckets::default();
    let mut found = Vec::new();
    for last in quarters.iter().filter_map(|quarter| quarter.last()) {
        found.push(last.lateness.quantile_since(before, 0.99));
        before = &last.lateness;
    }
    found
}

/// All that grew.
pub fn judge(samples: &[Sample]) -> Vec<Finding> {
    let quarters = quarters(samples);
    let [_, second, _, last] = quarters[..] else {
        let few = format!("{} samples do not tell", samples.len());
        return vec![Finding::new("samples", few)];
    };
    let middle = |quarter: &[Sample], of: fn(&Sample) -> u64| {
        median(quarter.iter().map(|sample| of(sample) as f64))
    };
    let pair = |of| (middle(second, of), middle(last, of));
    let mut found = Vec::new();
    let (was, is) = pair(|sample| sample.held.rss_kib);
    if is - was > RSS_KIB && is > was * (1.0 + RSS_SHARE) {
        found.push(Finding::new("RSS", format!("from {was:.0} to {is:.0} KiB")));
    }
    let counts = [
        ("descriptors", pair(|sample| sample.held.descriptors)),
        ("threads", pair(|sample| sample.held.threads)),
    ];
    for (subject, (was, is)) in counts {
        if is > was + FEW {
            found.push(Finding::new(subject, format!("from {was} to {is}")));
        }
    }
    if let [_, Some(was), _, Some(is)] = lateness(samples)[..]
        && is > LATENESS_FLOOR
        && is > was * LATENESS_FACTOR
    {
        let told = format!("99 % within {:.1} ms, then within {:.1} ms", was * 1e3, is * 1e3);
        found.push(Finding::new("lateness", told));
    }
    // A soak without traffic tells nothing.
    let carried = |quarter: &[Sample]| Some(quarter.last()?.received - quarter.first()?.received);
    for (number, quarter) in quarters.iter().enumerate() {
        if quarter.len() > 1 && carried(quarter) == Some(0) {
            let told = format!("no frame in quarter {}", number + 1);
            found.push(Finding::new("traffic", told));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Buckets, proc::Held};
    use super::*;

    /// Forty samples; `change` makes of each what it should be.
    fn soaked(change: impl Fn(u64, &mut Sample)) -> Vec<Sample> {
        let sample = |number: u64| {
            let held = Held { rss_kib: 40_000, threads: 6, descriptors: 50 };
            let count = number * 100;
            let mut sample = Sample {
                wall: Duration::from_secs(number),
                virtual_seconds: number as f64,
                sent: count,
                received: count,
                dropped: 0,
                in_flight: 3,
                held,
                lateness: Buckets(vec![(0.001, count), (0.016, count), (f64::INFINITY, count)]),
            };
            change(number, &mut sample);
            sample
        };
        (1..=40).map(sample).collect()
    }

    fn subjects(samples: &[Sample]) -> Vec<&'static str> {
        judge(samples).iter().map(|finding| finding.subject).collect()
    }

    #[test]
    fn what_is_steady_or_settles_is_right() {
        assert_eq!(subjects(&soaked(|_, _| {})), [""; 0]);
        let settles = soaked(|number, sample| sample.held.rss_kib += number.min(10) * 1000);
        assert_eq!(subjects(&settles), [""; 0], "in the first quarter it may grow");
        let spikes = soaked(|number, sample| {
            if number % 10 == 7 {
                sample.held.rss_kib += 50_000;
                sample.held.descriptors += 9;
            }
        });
        assert_eq!(subjects(&spikes), [""; 0], "what is given back was not leaked");
    }

    #[test]
    fn what_grows_is_found() {
        let leaks = soaked(|number, sample| sample.held.rss_kib += number * 300);
        assert_eq!(subjects(&leaks), ["RSS"]);
        let a_little = soaked(|number, sample| sample.held.rss_kib += number * 90);
        assert_eq!(subjects(&a_little), [""; 0], "less than 4 MiB");
        let large = soaked(|number, sample| sample.held.rss_kib = 900_000 + number * 500);
        assert_eq!(subjects(&large), [""; 0], "less than 5 %");
        let open = soaked(|number, sample| sample.held.descriptors += number / 4);
        assert_eq!(subjects(&open), ["descriptors"]);
        let many = soaked(|number, sample| sample.held.threads += number / 4);
        assert_eq!(subjects(&many), ["threads"]);
        let late = soaked(|number, sample| {
            // From half of the time on, every frame is late.
            let timely = number.min(20) * 100;
            sample.lateness.0[0].1 = timely;
        });
        assert_eq!(subjects(&late), ["lateness"]);
        let dull = soaked(|number, sample| sample.received = 100 * number.min(30));
        assert_eq!(subjects(&dull), ["traffic"]);
        assert_eq!(subjects(&soaked(|_, _| {})[..3]), ["samples"]);
    }
}
