//! `clocks`: watches every clock of the guest for gaps, steps back and rates.
//!
//! ```text
//!   turns (5 clocks) ─ rtc ─ source::Loan { hpet ─ acpi_pm } ─▶ Report ─ text
//!     each reading ─▶ gaps::Watched        three turns, or steps ─▶ rates
//! ```

mod gaps;
mod rates;
mod rtc;
mod source;
mod text;
mod turns;

use std::error::Error;
use std::io::{self, Write as _};
use std::time::Duration;

use chronotap_guest::report::clocks::{Clock, Clocks, Rate, Rates, Report, Unit};

use super::command_line;
use gaps::Watched;
use turns::Turns;

/// Watches, and prints what was seen.
pub fn run(args: &command_line::Clocks) -> Result<(), Box<dyn Error>> {
    let (report, restored) = watch(args.watch)?;
    let text = match args.json {
        true => serde_json::to_string(&report)?,
        false => text::render(&report),
    };
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(restored?)
}

/// What the process does that brings a clocksource back.
pub fn keep_clocksource(args: &command_line::KeepClocksource) -> io::Result<()> {
    source::keep(&args.name)
}

/// The report, and whether the former clocksource came back.
fn watch(span: Duration) -> Result<(Report, io::Result<()>), Box<dyn Error>> {
    let clocksource = source::current()?;
    let (watched, [begin, middle, end]) = Turns::watch(turns::read_all, span);
    let [monotonic, tsc, raw, realtime, boottime] = watched;
    let by_monotonic = |index: usize| {
        rates::rate([begin, middle, end].map(|turn: [u64; 5]| (turn[index], turn[0])))
    };
    let (rtc, rtc_rate) = watch_rtc(span);
    let loan = source::Loan::take();
    let (hpet, tsc_per_hpet) = watch_source(&loan, "hpet", span);
    let (acpi_pm, tsc_per_acpi_pm) = watch_source(&loan, "acpi_pm", span);
    let restored = loan.map_or(Ok(()), source::Loan::end);
    let report = Report {
        watched_seconds: span.as_secs_f64(),
        clocksource,
        clocks: Clocks {
            tsc: seen(tsc, Unit::Ticks),
            monotonic: seen(monotonic, Unit::Ns),
            monotonic_raw: seen(raw, Unit::Ns),
            realtime: seen(realtime, Unit::Ns),
            boottime: seen(boottime, Unit::Ns),
            rtc,
            hpet,
            acpi_pm,
        },
        rates: Rates {
            tsc_per_monotonic: by_monotonic(1),
            monotonic_raw_per_monotonic: by_monotonic(2),
            realtime_per_monotonic: by_monotonic(3),
            boottime_per_monotonic: by_monotonic(4),
            rtc_per_realtime: rtc_rate,
            tsc_per_hpet,
            tsc_per_acpi_pm,
        },
    };
    Ok((report, restored))
}

fn seen(watched: Watched, unit: Unit) -> Clock {
    Clock::Watched(watched.readings(unit))
}

fn watch_rtc(span: Duration) -> (Clock, Option<Rate>) {
    match rtc::watch(span) {
        Ok(rtc::Seen { watched, steps }) => (seen(watched, Unit::S), rates::rate_of_steps(&steps)),
        Err(missing) => (Clock::Missing { missing }, None),
    }
}

/// Watches while the kernel uses this clocksource.
fn watch_source(
    loan: &io::Result<source::Loan>,
    name: &str,
    span: Duration,
) -> (Clock, Option<Rate>) {
    let switched = match loan {
        Ok(loan) => loan.switch(name).map_err(|error| error.to_string()),
        Err(error) => Err(format!("the clocksource cannot be switched: {error}")),
    };
    if let Err(missing) = switched {
        return (Clock::Missing { missing }, None);
    }
    let ([_, _, raw], turns) = Turns::watch(turns::read_source, span);
    let rate = rates::rate(turns.map(|[_, tsc, raw]| (tsc, raw)));
    (seen(raw, Unit::Ns), rate)
}
