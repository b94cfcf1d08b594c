//! `[time]`: keys that the mode has, values within their limits, windows that fit the network.

use std::num::NonZeroU32;
use std::time::Duration;

use super::super::settle::Choices;
use super::super::time::quantum;
use super::super::{Exact, IcountShift, Lockstep, Mode, Parallel, TimeSettings, limits};
use super::access;
use super::lookahead::Windows;
use super::profiles::in_range;
use super::wiring::Wired;
use crate::topology::{Choice, Diagnostic, Diagnostics, Spanned, Time, Topology, schema};
use crate::units::{Delay, Frequency};

/// Checks what can be told without the network.
pub(super) fn check(time: &Time, found: &mut Diagnostics) {
    foreign_keys(time, found);
    let (quantum, parallel) = (given(&time.quantum), given(&time.parallel));
    let windows = match mode(time) {
        Some(Mode::Exact) => &limits::EXACT_QUANTUM,
        _ => &limits::QUANTUM,
    };
    for (key, delay, limits) in [
        ("tolerance", time.tolerance.as_ref(), &limits::TOLERANCE),
        ("until", time.until.as_ref(), &limits::UNTIL),
        ("quantum", quantum.as_ref(), windows),
        ("overrun_budget", time.overrun_budget.as_ref(), &limits::OVERRUN_BUDGET),
    ] {
        in_range(key, delay, limits, Delay::as_nanos, Delay::from_nanos, found);
    }
    in_range("parallel", parallel.as_ref(), &limits::PARALLEL, |n| n, |n| n, found);
    if let Some(ips) = time.ips.as_ref().filter(|ips| IcountShift::of(*ips.get_ref()).is_none()) {
        found.push(impossible(ips));
    }
}

fn impossible(ips: &Spanned<Frequency>) -> Diagnostic {
    let nearest = IcountShift::nearest(*ips.get_ref()).map(|near| format!("\"{near}\""));
    let nearest = nearest.collect::<Vec<_>>().join(" and ");
    let label = format!("the nearest possible: {nearest}");
    Diagnostic::error("invalid value for `ips`")
        .at(ips.span(), label)
        .note("QEMU has an instruction take 2ⁿ ns, so this is 1GHz, halved up to ten times")
}

/// The value that the file gives, with its place, unless the choice is vmctl's.
pub(super) fn given<T: Copy>(written: &Option<Spanned<Choice<T>>>) -> Option<Spanned<T>> {
    let written = written.as_ref()?;
    match *written.get_ref() {
        Choice::Auto => None,
        Choice::Given(value) => Some(Spanned::new(written.span(), value)),
    }
}

/// Notes keys that other modes have.
fn foreign_keys(time: &Time, found: &mut Diagnostics) {
    let unread = time.mode.is_none() && time.written.iter().any(|key| key.get_ref() == "mode");
    if unread {
        return;
    }
    for key in &time.written {
        let Some(modes) = schema::modes_of(key.get_ref()) else { continue };
        if mode(time).is_none_or(|mode| !modes.contains(&mode)) {
            found.push(foreign_key(key, modes, time));
        }
    }
}

fn foreign_key(key: &Spanned<String>, modes: &[Mode], time: &Time) -> Diagnostic {
    let (key, span) = (key.get_ref(), key.span());
    let words: Vec<_> = modes.iter().map(|mode| format!("\"{}\"", mode.word())).collect();
    let plural = if words.len() == 1 { "" } else { "s" };
    let words = words.join(" and ");
    let title = format!("`{key}` has a meaning in mode{plural} {words} only");
    let wrong = Diagnostic::error(title);
    let wrong = match &time.mode {
        Some(mode) => wrong.at(span, "not in this mode").beside(mode.span(), "the mode"),
        None => wrong
            .at(span, "this file names no mode")
            .maybe_help(modes.first().map(|mode| format!("write `mode = \"{}\"`", mode.word()))),
    };
    match (modes, &time.mode) {
        ([Mode::Realtime], Some(_)) => wrong.note(
            "in this mode the guests wait for the host, so it cannot fall behind: there is \
             neither a tolerance nor an overload",
        ),
        _ => wrong,
    }
}

/// The mode; none if the file leaves it open.
fn mode(time: &Time) -> Option<Mode> {
    // A file with a tolerance or an overload needs no other word for the mode that has them.
    let only = |key: &Spanned<String>| schema::modes_of(key.get_ref()) == Some(&[Mode::Realtime]);
    value(&time.mode).or(time.written.iter().any(only).then_some(Mode::Realtime))
}

fn value<T: Copy>(written: &Option<Spanned<T>>) -> Option<T> {
    written.as_ref().map(|written| *written.get_ref())
}

/// The settings of a lab whose other values are sound, and what they leave open; `None` if windows
/// do not fit its network.
pub(super) fn settle(
    topology: &Topology,
    wired: &Wired,
    found: &mut Diagnostics,
) -> Option<(TimeSettings, Option<Choices>)> {
    let time = &topology.time;
    let realtime = TimeSettings::Realtime {
        tolerance: value(&time.tolerance).map_or(limits::TOLERANCE_DEFAULT, Duration::from),
        overload: value(&time.overload).unwrap_or_default(),
    };
    let settings = match mode(time) {
        None => {
            let choices = choices(topology, wired);
            // What guests exclude does not depend on the host.
            let barred = choices.lockstep.filter(|_| choices.exact.is_none());
            let settings = barred.map_or(realtime, TimeSettings::Lockstep);
            return Some((settings, Some(choices)));
        }
        Some(Mode::Realtime) => realtime,
        Some(Mode::Lockstep) => TimeSettings::Lockstep(lockstep(topology, wired, found)?),
        Some(Mode::Exact) => TimeSettings::Exact(exact(topology, wired, found)?),
    };
    Some((settings, None))
}

/// The modes that a network allows. A mode that it does not allow is no mistake, and one that it
/// hardly allows nothing to warn of: nobody has asked for it.
fn choices(topology: &Topology, wired: &Wired) -> Choices {
    let mut unasked = Diagnostics::default();
    let bar = access::bar(&wired.guests);
    let open = |mode: Mode| bar.is_none_or(|bar| !bar.excludes(mode));
    let exact = open(Mode::Exact).then(|| exact(topology, wired, &mut unasked));
    let lockstep = open(Mode::Lockstep).then(|| lockstep(topology, wired, &mut unasked));
    Choices { exact: exact.flatten(), lockstep: lockstep.flatten(), bar }
}

fn exact(topology: &Topology, wired: &Wired, found: &mut Diagnostics) -> Option<Exact> {
    let time = &topology.time;
    let exact = Exact {
        quantum: given(&time.quantum).map(|span| Duration::from(*span.get_ref())),
        shift: value(&time.ips).and_then(IcountShift::of).unwrap_or_default(),
        speed: value(&time.speed).unwrap_or_default(),
    };
    let windows = Windows::new(topology, wired, Mode::Exact);
    let fits = exact.fits(&windows.lookahead());
    fits.map_err(|error| found.push(windows.refuse(error))).ok()?;
    Some(exact)
}

fn lockstep(topology: &Topology, wired: &Wired, found: &mut Diagnostics) -> Option<Lockstep> {
    let time = &topology.time;
    let windows = Windows::new(topology, wired, Mode::Lockstep);
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
