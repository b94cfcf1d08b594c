//! `vmctl step`, `run` and `clock`, and what `vmctl status` says of windows.

use super::{
    table::{table, text},
    text::nanos,
};
use crate::api::time::{Advanced, Clock, GuestClock, Spans, Windows, WindowsPassed};

/// The mode in which guests run in windows.
const LOCKSTEP: &str = "lockstep";
/// The mode in which they all stand at the same instant.
const EXACT: &str = "exact";

/// What passed, and where the lab stands.
pub fn advanced(lab: &str, asked_ns: u64, advanced: &Advanced) -> String {
    let Advanced { passed_ns, wall_ns, delivered_frames, in_flight, .. } = *advanced;
    let mut lines = vec![
        format!("lab {lab} stands still at {} of virtual time", seconds(advanced.virtual_ns)),
        format!(
            "{} passed in {} of the host's; virtual/wall {:.3}",
            nanos(passed_ns),
            nanos(wall_ns),
            passed_ns as f64 / wall_ns.max(1) as f64
        ),
        format!("frames: {delivered_frames} delivered, {in_flight} in flight"),
    ];
    match &advanced.windows {
        Some(windows) => lines.push(windows_passed(windows)),
        None if advanced.mode == EXACT => lines.push("all guests stand at this instant".into()),
        None => lines.push(format!(
            "{} was asked for: in {} guests stop within some milliseconds, not exactly",
            nanos(asked_ns),
            advanced.mode
        )),
    }
    lines.join("\n")
}

fn windows_passed(passed: &WindowsPassed) -> String {
    let windows = if passed.count == 1 { "window" } else { "windows" };
    format!(
        "{} {windows}; overrun p50/p99/max: {}, {} of {} runs over the budget of {}",
        passed.count,
        spread(&passed.overrun),
        passed.over_budget,
        passed.overrun.count,
        nanos(passed.budget_ns)
    )
}

/// How far a span has come.
pub fn progress(passed_ns: u64, asked_ns: u64, ratio: f64) -> String {
    let passed = passed_ns.min(asked_ns) as f64 / 1e9;
    format!("{passed:.1} s of {} have passed; virtual/wall {ratio:.3}", nanos(asked_ns))
}

/// Where the lab was stopped on the way.
pub fn interrupted(lab: &str, clock: &Clock, passed_ns: u64, asked_ns: u64) -> String {
    format!(
        "interrupted: lab {lab} stands still at {} of virtual time; {} of {} have passed; \
         `vmctl resume` goes on",
        seconds(clock.virtual_ns),
        nanos(passed_ns),
        nanos(asked_ns)
    )
}

/// All clocks.
pub fn clock(lab: &str, clock: &Clock) -> String {
    let mut parts = vec![heading(lab, clock)];
    match clock.skew_ns {
        Some(skew) => parts.push(format!("{}\nskew {}", guests(&clock.guests), nanos(skew))),
        None if clock.mode == LOCKSTEP => {
            parts.push("guests run freely until all have booted; then windows begin".into());
        }
        None if clock.mode == EXACT => parts.push("all guests' clocks show this".into()),
        None => parts.push(format!("guests' own clocks are not read in {}", clock.mode)),
    }
    parts.join("\n\n")
}

fn heading(lab: &str, clock: &Clock) -> String {
    let mut text = format!(
        "lab {lab}: {}, {}\nvirtual {}, wall {}",
        clock.state.word(),
        clock.mode,
        seconds(clock.virtual_ns),
        seconds(clock.wall_ns)
    );
    if let Some(ratio) = clock.ratio {
        let since = if clock.quantum_ns.is_some() { "windows" } else { "virtual time" };
        text.push_str(&format!("; virtual/wall {ratio:.3} since {since} began"));
    }
    if let Some(ratio) = clock.recent_ratio {
        text.push_str(&format!(", {ratio:.3} lately"));
    }
    text
}

fn guests(guests: &[GuestClock]) -> String {
    let mut table = table(&["guest", "clock", "offset", "read from"], &[1, 2]);
    for guest in guests {
        let source = if guest.ended { "ended".into() } else { guest.source.clone() };
        let row = [guest.name.clone(), seconds(guest.clock_ns), offset(guest.offset_ns), source];
        table.add_row(row);
    }
    text(&table)
}

/// `+12us`, `-3ms`, `0s`.
fn offset(ns: i64) -> String {
    let sign = match ns {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", nanos(ns.unsigned_abs()))
}

/// To the nanosecond: `12.345678901 s`.
fn seconds(ns: u64) -> String {
    format!("{}.{:09} s", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// What windows were like so far.
pub fn windows(windows: &Windows) -> String {
    let rates = match (windows.per_second, windows.ratio) {
        (Some(rate), Some(ratio)) => format!("; {rate:.1} a second, virtual/wall {ratio:.3}"),
        _ => String::new(),
    };
    format!(
        "windows: {} of {}, {} at once{rates}\n\
         cost p50/p99/max: stop {}, read {}, cont {}\n\
         overrun p50/p99/max: {}, {} over the budget of {}\n\
         skew p50/p99/max: {}; starts misjudged by {}; estimated readings: {}",
        windows.completed,
        nanos(windows.quantum_ns),
        match windows.parallel {
            1 => "1 guest".into(),
            parallel => format!("{parallel} guests"),
        },
        spread(&windows.stop),
        spread(&windows.read),
        spread(&windows.cont),
        spread(&windows.overrun),
        windows.over_budget,
        nanos(windows.budget_ns),
        spread(&windows.skew),
        spread(&windows.misjudged),
        windows.estimated_readings,
    )
}

fn spread(spans: &Spans) -> String {
    let all = [spans.p50_ns, spans.p99_ns, spans.max_ns];
    all.map(|span| span.map_or_else(|| "-".into(), |ns| nanos(rounded(ns)))).join("/")
}

/// To three digits: quantiles are not known any better.
fn rounded(ns: u64) -> u64 {
    let unit = 10_u64.pow(ns.checked_ilog10().unwrap_or(0).saturating_sub(2));
    ns.saturating_add(unit / 2) / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::LabState;

    fn spans(p50_ns: u64) -> Spans {
        let [p99_ns, max_ns] = [p50_ns * 3, p50_ns * 20];
        Spans { count: 400, p50_ns: Some(p50_ns), p99_ns: Some(p99_ns), max_ns: Some(max_ns) }
    }

    fn guest(name: &str, offset_ns: i64, source: &str) -> GuestClock {
        let clock_ns = 12_350_000_000_u64.saturating_add_signed(offset_ns);
        let (name, source) = (name.into(), source.into());
        GuestClock { name, clock_ns, offset_ns, source, ended: false }
    }

    fn lockstep() -> Clock {
        Clock {
            state: LabState::Paused,
            mode: LOCKSTEP.into(),
            virtual_ns: 12_350_000_000,
            wall_ns: 14_100_200_300,
            ratio: Some(0.7371),
            recent_ratio: Some(0.75),
            quantum_ns: Some(8_000_000),
            skew_ns: Some(13_540),
            guests: vec![
                guest("alice", 12_340, "hpet"),
                guest("bob", -1_200, "acpi_pm"),
                GuestClock { ended: true, ..guest("carol", -350_000_000, "hpet") },
            ],
        }
    }

    #[test]
    fn clocks_in_lockstep() {
        insta::assert_snapshot!(clock("pair", &lockstep()));
    }

    #[test]
    fn clocks_where_there_are_no_windows() {
        let before = Clock {
            skew_ns: None,
            quantum_ns: None,
            ratio: None,
            recent_ratio: None,
            guests: vec![],
            ..lockstep()
        };
        let freely = Clock { mode: "realtime".into(), ratio: Some(0.99), ..before.clone() };
        insta::assert_snapshot!([clock("pair", &before), clock("pair", &freely)].join("\n---\n"));
    }

    #[test]
    fn what_a_step_says() {
        let exactly = Advanced {
            state: LabState::Paused,
            mode: LOCKSTEP.into(),
            virtual_ns: 12_350_000_000,
            passed_ns: 10_000_000,
            wall_ns: 13_200_000,
            delivered_frames: 3,
            in_flight: 1,
            windows: Some(WindowsPassed {
                count: 1,
                overrun: spans(20_000),
                over_budget: 0,
                budget_ns: 2_000_000,
            }),
        };
        let mode = "realtime".into();
        let nearly = Advanced { mode, passed_ns: 11_203_000, windows: None, ..exactly.clone() };
        let both = [exactly, nearly].map(|one| advanced("pair", 10_000_000, &one));
        insta::assert_snapshot!(both.join("\n---\n"));
    }

    #[test]
    fn what_status_says_of_windows() {
        let told = Windows {
            quantum_ns: 8_000_000,
            budget_ns: 2_000_000,
            parallel: 2,
            completed: 200,
            entered_ns: 4_000_000_000,
            wall_ns: 2_170_000_000,
            ratio: Some(0.7373),
            per_second: Some(92.166),
            stop: spans(786_431),
            read: spans(190_000),
            cont: spans(100_000),
            overrun: spans(20_000),
            skew: spans(60_000),
            misjudged: spans(10_000),
            over_budget: 2,
            estimated_readings: 0,
        };
        let none = Spans::default();
        let fresh = Windows {
            parallel: 1,
            completed: 0,
            ratio: None,
            per_second: None,
            overrun: none,
            skew: none,
            misjudged: none,
            ..told.clone()
        };
        insta::assert_snapshot!([windows(&told), windows(&fresh)].join("\n---\n"));
    }
}
