//! `[time]`: keys that the mode has, values within their limits, windows that fit the network.

use std::num::NonZeroU32;
use std::time::Duration;

use super::super::time::quantum;
use super::super::{Lockstep, Mode, Parallel, TimeSettings, limits};
use super::lookahead::Windows;
use super::profiles::in_range;
use super::wiring::Wired;
use crate::topology::{Choice, Diagnostic, Diagnostics, Spanned, Time, Topology, schema};
use crate::units::Delay;

/// Checks what can be told without the network.
pub(super) fn check(time: &Time, found: &mut Diagnostics) {
    foreign_keys(time, found);
    let (quantum, parallel) = (given(&time.quantum), given(&time.parallel));
    for (key, delay, limits) in [
        ("tolerance", time.tolerance.as_ref(), &limits::TOLERANCE),
        ("quantum", quantum.as_ref(), &limits::QUANTUM),
        ("overrun_budget", time.overrun_budget.as_ref(), &limits::OVERRUN_BUDGET),
    ] {
        in_range(key, delay, limits, Delay::as_nanos, Delay::from_nanos, found);
    }
    in_range("parallel", parallel.as_ref(), &limits::PARALLEL, |n| n, |n| n, found);
}

/// The value that the file gives, with its place, unless the choice is vmctl's.
pub(super) fn given<T: Copy>(written: &Option<Spanned<Choice<T>>>) -> Option<Spanned<T>> {
    let written = written.as_ref()?;
    match *written.get_ref() {
        Choice::Auto => None,
        Choice::Given(value) => Some(Spanned::new(written.span(), value)),
    }
}

/// Notes keys that another mode has.
fn foreign_keys(time: &Time, found: &mut Diagnostics) {
    let unread = time.mode.is_none() && time.written.iter().any(|key| key.get_ref() == "mode");
    if unread {
        return;
    }
    let (foreign, other) = match mode(time) {
        Mode::Realtime => (schema::ONLY_LOCKSTEP, Mode::Lockstep),
        Mode::Lockstep => (schema::ONLY_REALTIME, Mode::Realtime),
    };
    for key in time.written.iter().filter(|key| foreign.contains(&key.get_ref().as_str())) {
        found.push(foreign_key(key, other, time));
    }
}

fn foreign_key(key: &Spanned<String>, other: Mode, time: &Time) -> Diagnostic {
    let (key, span) = (key.get_ref(), key.span());
    let title = format!("`{key}` has a meaning in mode \"{}\" only", other.word());
    let wrong = Diagnostic::error(title);
    let wrong = match &time.mode {
        Some(mode) => wrong.at(span, "not in this mode").beside(mode.span(), "the mode"),
        None => wrong
            .at(span, format!("the mode is \"{}\"", Mode::default().word()))
            .help(format!("write `mode = \"{}\"` to change that", other.word())),
    };
    match other {
        Mode::Realtime => wrong.note(
            "in lockstep the guests wait for the host, so it cannot fall behind: there is \
             neither a tolerance nor an overload",
        ),
        Mode::Lockstep => wrong,
    }
}

fn mode(time: &Time) -> Mode {
    value(&time.mode).unwrap_or_default()
}

fn value<T: Copy>(written: &Option<Spanned<T>>) -> Option<T> {
    written.as_ref().map(|written| *written.get_ref())
}

/// The settings of a lab whose other values are sound; `None` if windows do not fit its network.
pub(super) fn settle(
    topology: &Topology,
    wired: &Wired,
    found: &mut Diagnostics,
) -> Option<TimeSettings> {
    let time = &topology.time;
    match mode(time) {
        Mode::Realtime => Some(TimeSettings::Realtime {
            tolerance: value(&time.tolerance).map_or(limits::TOLERANCE_DEFAULT, Duration::from),
            overload: value(&time.overload).unwrap_or_default(),
        }),
        Mode::Lockstep => lockstep(topology, wired, found).map(TimeSettings::Lockstep),
    }
}

fn lockstep(topology: &Topology, wired: &Wired, found: &mut Diagnostics) -> Option<Lockstep> {
    let time = &topology.time;
    let windows = Windows::new(topology, wired);
    let span = given(&time.quantum).map(|span| Duration::from(*span.get_ref()));
    let budget = value(&time.overrun_budget).map(Duration::from);
    let quantum = match quantum(span, budget, &windows.lookahead()) {
        Ok(quantum) => quantum,
        Err(error) => {
            found.push(windows.refuse(error));
            return None;
        }
    };
    windows.warn(quantum, found);
    let parallel = given(&time.parallel).and_then(|n| u32::try_from(*n.get_ref()).ok());
    Some(Lockstep {
        quantum,
        auto: span.is_none(),
        budget_given: budget,
        parallel: parallel.and_then(NonZeroU32::new).map_or(Parallel::Auto, Parallel::AtMost),
        start: value(&time.start).unwrap_or_default(),
        strict: value(&time.strict).unwrap_or(false),
    })
}
