//! `chronotap-guest clocks --json`: how the guest's clocks moved while they were watched.
//!
//! Every clock is read again and again as fast as it can be. A gap is the difference of two
//! neighbouring readings, so a clock that ran on while the guest stood still shows a gap that the
//! others do not have, and a rate against them that is not that of the other half.

use serde::{Deserialize, Serialize};

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How long each of the parts was meant to take, in seconds.
    pub watched_seconds: f64,
    /// The clocksource in use before and after the parts that switch it.
    pub clocksource: String,
    /// Every clock, whether there is one or not.
    pub clocks: Clocks,
    /// How fast the clocks went in comparison.
    pub rates: Rates,
}

/// Every clock by its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clocks {
    /// The processor's counter, read by RDTSC. Unit: ticks.
    pub tsc: Clock,
    /// CLOCK_MONOTONIC.
    pub monotonic: Clock,
    /// CLOCK_MONOTONIC_RAW.
    pub monotonic_raw: Clock,
    /// CLOCK_REALTIME.
    pub realtime: Clock,
    /// CLOCK_BOOTTIME.
    pub boottime: Clock,
    /// The battery-backed clock, which moves once a second. Unit: s.
    pub rtc: Clock,
    /// CLOCK_MONOTONIC_RAW while the clocksource is `hpet`.
    pub hpet: Clock,
    /// CLOCK_MONOTONIC_RAW while the clocksource is `acpi_pm`.
    pub acpi_pm: Clock,
}

impl Clocks {
    /// All clocks with their names, in the order of the report.
    pub fn named(&self) -> [(&'static str, &Clock); 8] {
        [
            ("tsc", &self.tsc),
            ("monotonic", &self.monotonic),
            ("monotonic_raw", &self.monotonic_raw),
            ("realtime", &self.realtime),
            ("boottime", &self.boottime),
            ("rtc", &self.rtc),
            ("hpet", &self.hpet),
            ("acpi_pm", &self.acpi_pm),
        ]
    }
}

/// A clock that was watched, or why it was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Clock {
    /// It was.
    Watched(Readings),
    /// It was not.
    Missing {
        /// Why.
        missing: String,
    },
}

impl Clock {
    /// What was read, if the clock is there.
    pub fn readings(&self) -> Option<&Readings> {
        match self {
            Self::Watched(readings) => Some(readings),
            Self::Missing { .. } => None,
        }
    }
}

/// What a clock's values are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// Seconds.
    S,
    /// Ticks of the processor's counter.
    Ticks,
}

/// The readings of one clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    /// Of all values below.
    pub unit: Unit,
    /// How often it was read.
    pub reads: u64,
    /// From the first to the last reading.
    pub span: u64,
    /// Differences of neighbouring readings.
    pub gaps: Gaps,
    /// Neighbouring readings of which the second was less.
    pub steps_back: StepsBack,
}

/// Differences of neighbouring readings; steps back are not among them.
///
/// Quantiles are upper bounds of histogram buckets, which are 1/32 wide, and no larger than the
/// largest gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// Half of the gaps were at most this.
    pub p50: u64,
    /// 99 % of the gaps were at most this.
    pub p99: u64,
    /// 99.9 % of the gaps were at most this.
    pub p99_9: u64,
    /// The largest.
    pub largest: u64,
    /// The 32 largest of those that are not 0, the largest first.
    pub top: Vec<Gap>,
    /// All of them: pairs of a bucket's upper bound and how many gaps are in it; no empty buckets.
    pub histogram: Vec<(u64, u64)>,
}

/// One gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Its begin, counted from the clock's first reading.
    pub at: u64,
    /// How large it is.
    pub gap: u64,
}

/// How often and how far a clock went back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepsBack {
    /// How often.
    pub count: u64,
    /// How far at most.
    pub largest: u64,
}

/// Rates of clocks against each other; absent where one of the two is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Ticks per nanosecond of CLOCK_MONOTONIC.
    pub tsc_per_monotonic: Option<Rate>,
    /// CLOCK_MONOTONIC_RAW by CLOCK_MONOTONIC.
    pub monotonic_raw_per_monotonic: Option<Rate>,
    /// CLOCK_REALTIME by CLOCK_MONOTONIC.
    pub realtime_per_monotonic: Option<Rate>,
    /// CLOCK_BOOTTIME by CLOCK_MONOTONIC.
    pub boottime_per_monotonic: Option<Rate>,
    /// Seconds of the RTC by seconds of CLOCK_REALTIME, between seconds' beginnings.
    pub rtc_per_realtime: Option<Rate>,
    /// Ticks per nanosecond of the clocksource `hpet`.
    pub tsc_per_hpet: Option<Rate>,
    /// Ticks per nanosecond of the clocksource `acpi_pm`.
    pub tsc_per_acpi_pm: Option<Rate>,
}

impl Rates {
    /// All rates with their names, in the order of the report.
    pub fn named(&self) -> [(&'static str, Option<Rate>); 7] {
        [
            ("tsc_per_monotonic", self.tsc_per_monotonic),
            ("monotonic_raw_per_monotonic", self.monotonic_raw_per_monotonic),
            ("realtime_per_monotonic", self.realtime_per_monotonic),
            ("boottime_per_monotonic", self.boottime_per_monotonic),
            ("rtc_per_realtime", self.rtc_per_realtime),
            ("tsc_per_hpet", self.tsc_per_hpet),
            ("tsc_per_acpi_pm", self.tsc_per_acpi_pm),
        ]
    }
}

/// One clock's progress by another's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// In the first half; absent when the RTC moved too seldom for halves.
    pub first_half: Option<f64>,
    /// In the second half.
    pub second_half: Option<f64>,
    /// From begin to end.
    pub whole: f64,
}
