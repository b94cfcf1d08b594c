//! Whether what a guest saw of its clocks in some runs differs from what it saw in others.
//!
//! Nothing is compared with a bound from outside: the measure of a difference is how much the usual
//! runs, of the same minute and host, differ among themselves.

use chronotap_guest::report::clocks::{Rate, Readings, Report};

use crate::figures::{Figures, median};

/// What is usual, times this, is still the host's noise.
const FACTOR: f64 = 3.0;

/// Two clocks are read one after the other: what that leaves open in the rate between them, as a
/// part of it. A reading takes about 1 us, half of the shortest watch is 250 ms.
const RESOLUTION: f64 = 2e-5;

/// What is looked at in the gaps of a clock.
type Feature = (&'static str, fn(&Readings) -> u64);

const FEATURES: [Feature; 4] = [
    ("99 % of the gaps", |seen| seen.gaps.p99),
    ("99.9 % of the gaps", |seen| seen.gaps.p99_9),
    ("the largest gap", |seen| seen.gaps.largest),
    ("the largest gaps together", sum_of_largest),
];

/// The 32 largest gaps together.
pub fn sum_of_largest(seen: &Readings) -> u64 {
    seen.gaps.top.iter().map(|gap| gap.gap).sum()
}

/// By what the one kind of runs can be told from the usual ones, a sentence each.
///
/// # Panics
/// When there are no runs of either kind.
pub fn told_apart(usual: &[Report], others: &[Report]) -> Vec<String> {
    let mut found = Vec::new();
    for clock in 0..usual[0].clocks.named().len() {
        gaps(clock, usual, others, &mut found);
        steps_back(clock, usual, others, &mut found);
    }
    for rate in 0..usual[0].rates.named().len() {
        rates(rate, usual, others, &mut found);
    }
    found
}

fn of_clock(reports: &[Report], clock: usize) -> impl Iterator<Item = &Readings> {
    reports.iter().filter_map(move |report| report.clocks.named()[clock].1.readings())
}

fn gaps(clock: usize, usual: &[Report], others: &[Report], found: &mut Vec<String>) {
    let name = usual[0].clocks.named()[clock].0;
    for (what, feature) in FEATURES {
        let values = |reports| of_clock(reports, clock).map(|seen| feature(seen) as f64).collect();
        let (before, after): (Vec<f64>, Vec<f64>) = (values(usual), values(others));
        if before.is_empty() || after.is_empty() {
            continue;
        }
        let (most, now) = (Figures::of(before).max(), median(after));
        if now > FACTOR * most {
            found.push(format!("{name}: {what}: {now:.0} where {most:.0} is the most"));
        }
    }
}

fn steps_back(clock: usize, usual: &[Report], others: &[Report], found: &mut Vec<String>) {
    let name = usual[0].clocks.named()[clock].0;
    let most = |reports| of_clock(reports, clock).map(|seen| seen.steps_back.count).max();
    let (before, after) = (most(usual).unwrap_or(0), most(others).unwrap_or(0));
    if after > before {
        found.push(format!("{name}: {after} steps back where {before} is the most"));
    }
}

fn rates(rate: usize, usual: &[Report], others: &[Report], found: &mut Vec<String>) {
    let name = usual[0].rates.named()[rate].0;
    let values = |reports: &[Report]| -> Vec<f64> {
        reports.iter().filter_map(|report| report.rates.named()[rate].1).flat_map(parts).collect()
    };
    let (before, after) = (values(usual), values(others));
    if before.is_empty() || after.is_empty() {
        return;
    }
    let middle = median(before.iter().copied());
    let distance = |value: &f64| (value - middle).abs();
    let most = Figures::of(before.iter().map(distance)).max();
    let now = median(after.iter().map(distance));
    if now > FACTOR * most + RESOLUTION * middle.abs() {
        found.push(format!("{name}: {now:e} from {middle} where {most:e} is the most"));
    }
}

/// Both halves of a run, or the whole where there are none.
fn parts(rate: Rate) -> impl Iterator<Item = f64> {
    let halves = rate.first_half.zip(rate.second_half);
    let (first, second) =
        halves.map_or((rate.whole, None), |(first, second)| (first, Some(second)));
    std::iter::once(first).chain(second)
}

#[cfg(test)]
mod tests {
    use chronotap_guest::report::clocks::{Clock, Clocks, Gap, Gaps, Rates, StepsBack, Unit};

    use super::*;

    fn readings(largest: u64) -> Readings {
        let gaps = Gaps {
            p50: 10,
            p99: 20,
            p99_9: 30,
            largest,
            top: vec![Gap { at: 5, gap: largest }, Gap { at: 1, gap: 30 }],
            histogram: Vec::new(),
        };
        let steps_back = StepsBack::default();
        Readings { unit: Unit::Ns, reads: 1000, span: 100_000, gaps, steps_back }
    }

    fn report(largest: u64, tsc: f64) -> Report {
        let clock = || Clock::Watched(readings(largest));
        let rate = Rate { first_half: Some(tsc), second_half: Some(tsc * 1.000_01), whole: tsc };
        Report {
            watched_seconds: 0.5,
            clocksource: "tsc".into(),
            clocks: Clocks {
                tsc: clock(),
                monotonic: clock(),
                monotonic_raw: clock(),
                realtime: clock(),
                boottime: clock(),
                rtc: Clock::Missing { missing: "there is none".into() },
                hpet: clock(),
                acpi_pm: clock(),
            },
            rates: Rates { tsc_per_hpet: Some(rate), ..Rates::default() },
        }
    }

    #[test]
    fn noise_of_the_usual_size_is_no_difference() {
        let usual = [report(900, 2.4), report(400, 2.4), report(500, 2.400_01)];
        let others = [report(1000, 2.4), report(9000, 2.400_02), report(300, 2.4)];
        assert_eq!(told_apart(&usual, &others), [""; 0]);
        assert_eq!(told_apart(&usual, &usual), [""; 0]);
    }

    #[test]
    fn gaps_that_most_runs_have_are_a_difference() {
        let usual = [report(900, 2.4), report(400, 2.4), report(500, 2.4)];
        let others = [report(90_000, 2.4), report(80_000, 2.4), report(300, 2.4)];
        let found = told_apart(&usual, &others);
        assert_eq!(found.len(), 7 * 2, "seven clocks, the largest and the sum: {found:?}");
        assert!(found[0].contains("tsc: the largest gap: 80000 where 900"), "{found:?}");
    }

    #[test]
    fn a_clock_that_ran_on_alone_has_another_rate() {
        let usual = [report(900, 2.4), report(400, 2.4)];
        let found = told_apart(&usual, &[report(500, 3.1)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("tsc_per_hpet: "), "{found:?}");
    }

    #[test]
    fn one_step_back_is_a_difference() {
        let mut other = report(500, 2.4);
        let mut seen = readings(500);
        seen.steps_back = StepsBack { count: 1, largest: 3 };
        other.clocks.acpi_pm = Clock::Watched(seen);
        let found = told_apart(&[report(900, 2.4)], &[other]);
        assert_eq!(found, ["acpi_pm: 1 steps back where 0 is the most"]);
    }
}
