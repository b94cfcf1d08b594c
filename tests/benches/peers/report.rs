//! What is printed: Markdown for `docs/benchmarks.md`.

use std::fmt;
use std::time::Duration;

use chronotap_tests::figures::Figures;
use chronotap_tests::load::Outcome;
use chronotap_tests::machine::{Machine, Strain};

use crate::peer::Peer;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Octets of each frame.
    pub len: usize,
    /// Frames per second, or as fast as it goes.
    pub rate: Option<u64>,
    /// Threads beside it that never sleep.
    pub hogs: usize,
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Frames delivered per second.
    rate: f64,
    /// CPU nanoseconds per delivered frame: of what forwards in user space, and of that and both
    /// fake guests.
    path: f64,
    all: f64,
    /// Microseconds between when frames should have been read and when they were: median, 99th
    /// percentile, greatest.
    errors: Option<[f64; 3]>,
    /// Share of the frames that did not arrive, in percent.
    lost: f64,
}

impl Sample {
    /// What became of a run whose path used so much CPU time and should take so long.
    pub fn new(outcome: &Outcome, path: Duration, expected: Duration) -> Self {
        let per = |cpu: Duration| cpu.as_nanos() as f64 / outcome.received.max(1) as f64;
        let expected = expected.as_nanos() as f64;
        let errors = outcome.transits.iter().map(|nanos| (*nanos as f64 - expected).abs() / 1000.0);
        let errors = (!outcome.transits.is_empty()).then(|| Figures::of(errors));
        Self {
            rate: outcome.rate,
            path: per(path),
            all: per(path + outcome.cpu),
            errors: errors.map(|e| [e.quantile(0.5), e.quantile(0.99), e.max()]),
            lost: 100.0 * (1.0 - outcome.received as f64 / outcome.sent.max(1) as f64),
        }
    }
}

/// All samples.
pub struct Report {
    machine: Machine,
    command: String,
    begun: Strain,
    left_out: Vec<String>,
    samples: Vec<(Case, Peer, Sample)>,
}

impl Report {
    /// Nothing yet, by a command.
    pub fn new(command: String) -> Self {
        let (machine, begun) = (Machine::look(), Strain::now());
        Self { machine, command, begun, left_out: Vec::new(), samples: Vec::new() }
    }

    /// A peer cannot be measured here.
    pub fn leave_out(&mut self, peer: Peer, why: &str) {
        self.left_out.push(format!("* not measured: {} ({why})\n", peer.name()));
    }

    /// One more sample.
    pub fn add(&mut self, case: Case, peer: Peer, sample: Sample) {
        self.samples.push((case, peer, sample));
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        for (case, ..) in &self.samples {
            if !cases.contains(case) {
                cases.push(*case);
            }
        }
        cases
    }

    /// What was measured of a peer in a case, if it was.
    fn figures(
        &self,
        case: Case,
        peer: Peer,
        of: impl Fn(&Sample) -> Option<f64>,
    ) -> Option<Figures> {
        let samples = self.samples.iter().filter(|(c, p, _)| (*c, *p) == (case, peer));
        let values: Vec<f64> = samples.filter_map(|(.., sample)| of(sample)).collect();
        (!values.is_empty()).then(|| Figures::of(values))
    }

    fn median(&self, case: Case, peer: Peer, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.figures(case, peer, of).map(|figures| figures.quantile(0.5))
    }

    fn throughput(&self, f: &mut fmt::Formatter<'_>, case: Case) -> fmt::Result {
        writeln!(f, "\n### {} B, as fast as it goes\n", case.len)?;
        writeln!(
            f,
            "| path | kframes/s | least – most | Chronotap is | lost | ns/frame, forwarder | ns/frame, all |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|")?;
        let ours = self.median(case, Peer::Chronotap, |sample| Some(sample.rate));
        for peer in Peer::ALL {
            let Some(rate) = self.figures(case, peer, |sample| Some(sample.rate / 1000.0)) else {
                continue;
            };
            let median =
                |of: fn(&Sample) -> f64| self.median(case, peer, |s| Some(of(s))).unwrap_or(0.0);
            writeln!(
                f,
                "| {} | {:.0} | {:.0} – {:.0} | {:.2} × | {:.0} % | {:.0} | {:.0} |",
                peer.name(),
                rate.quantile(0.5),
                rate.min(),
                rate.max(),
                ours.unwrap_or(0.0) / 1000.0 / rate.quantile(0.5).max(1e-9),
                median(|sample| sample.lost),
                median(|sample| sample.path),
                median(|sample| sample.all),
            )?;
        }
        Ok(())
    }

    fn errors(&self, f: &mut fmt::Formatter<'_>, cases: &[Case]) -> fmt::Result {
        let host =
            if cases[0].hogs == 0 { "idle".to_owned() } else { format!("{} hogs", cases[0].hogs) };
        writeln!(f, "\n### {} B, delay error in µs, {host}\n", cases[0].len)?;
        writeln!(
            f,
            "| kframes/s | path | delay | p50 | p99 | p99, least – most | max | lost \
             | ns/frame, forwarder | ns/frame, all |"
        )?;
        writeln!(f, "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        for &case in cases {
            for peer in Peer::ALL {
                let error =
                    |which: usize| self.figures(case, peer, |sample| Some(sample.errors?[which]));
                let median = |of: fn(&Sample) -> f64| self.median(case, peer, |s| Some(of(s)));
                let Some(lost) = median(|sample| sample.lost) else { continue };
                let [Some(p50), Some(p99), Some(max)] = [0, 1, 2].map(error) else {
                    writeln!(
                        f,
                        "| {} | {} | | nothing arrived | | | | {lost:.0} % | | |",
                        case.rate.unwrap_or(0) / 1000,
                        peer.name()
                    )?;
                    continue;
                };
                writeln!(
                    f,
                    "| {} | {} | {} ms | {:.1} | {:.1} | {:.1} – {:.1} | {:.0} | {lost:.1} % | {:.0} | {:.0} |",
                    case.rate.unwrap_or(0) / 1000,
                    peer.name(),
                    if peer.delays() { crate::DELAY.as_millis() } else { 0 },
                    p50.quantile(0.5),
                    p99.quantile(0.5),
                    p99.min(),
                    p99.max(),
                    max.max(),
                    median(|sample| sample.path).unwrap_or(0.0),
                    median(|sample| sample.all).unwrap_or(0.0),
                )?;
            }
        }
        Ok(())
    }

    fn targets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n### Targets\n")?;
        writeln!(f, "| what | wanted | measured | |")?;
        writeln!(f, "|---|---:|---:|---|")?;
        for case in self.cases() {
            for peer in Peer::ALL.into_iter().filter(|peer| *peer != Peer::Chronotap) {
                let compare = |of: fn(&Sample) -> Option<f64>| {
                    Some((self.median(case, Peer::Chronotap, of)?, self.median(case, peer, of)?))
                };
                let (what, wanted, ratio) = match (case, peer.target()) {
                    (Case { rate: None, .. }, Some(wanted)) => {
                        let ratio = compare(|s| Some(s.rate)).map(|(ours, theirs)| ours / theirs);
                        ("frames/s", wanted, ratio)
                    }
                    (Case { rate: Some(10_000), .. }, _) => {
                        let p99 = |sample: &Sample| Some(sample.errors?[1]);
                        let ratio = compare(p99).map(|(ours, theirs)| theirs / ours);
                        ("smaller p99 of the delay error at 10 kframes/s", 10.0, ratio)
                    }
                    _ => continue,
                };
                let Some(ratio) = ratio else { continue };
                let host = if case.hogs == 0 { "idle" } else { "loaded" };
                let verdict = if ratio >= wanted { "reached" } else { "**not reached**" };
                let (len, name) = (case.len, peer.name());
                writeln!(
                    f,
                    "| {what}, {len} B, {host}, beside {name} | {wanted} × | {ratio:.2} × | {verdict} |"
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, command, begun, .. } = self;
        write!(f, "{machine}\n* Command: `{command}`\n{}", begun.until(&Strain::now()))?;
        let cases = self.cases();
        let runs =
            cases.first().and_then(|case| self.figures(*case, Peer::Chronotap, |s| Some(s.rate)));
        writeln!(
            f,
            "* {} repetitions, taken in turn; figures are medians of runs",
            runs.map_or(0, |runs| runs.len())
        )?;
        self.left_out.iter().try_for_each(|line| f.write_str(line))?;
        for case in cases.iter().filter(|case| case.rate.is_none()) {
            self.throughput(f, *case)?;
        }
        let paced: Vec<Case> = cases.iter().copied().filter(|case| case.rate.is_some()).collect();
        for group in paced.chunk_by(|a, b| (a.len, a.hogs) == (b.len, b.hogs)) {
            self.errors(f, group)?;
        }
        self.targets(f)
    }
}
