//! `vmctl run --repeat N FILE`: the same run again and again, which must be the same.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    interrupt::Interrupt,
    journal::{self, Apart, Frame},
    take::Take,
};
use crate::{
    api::{failure::Failure, play::Played},
    cli::Format,
    commands::NOT_AS_ASKED,
    daemon::console_port,
    lab::guest_directory,
    output::{self, play, progress::Steps, text::nanos},
    qemu::CONSOLES,
    scenario::Scenario,
};

/// The exit code when two runs that should be the same are not.
const DIFFERENT: u8 = 7;

/// What came of it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Repeated {
    /// Runs that were compared.
    runs: u32,
    /// Where the last of them differs from the first, if it does.
    difference: Option<Divergence>,
    /// The first run.
    played: Played,
}

/// Where two runs went apart.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Divergence {
    /// At a frame for this port.
    Frame {
        port: String,
        #[serde(flatten)]
        apart: Apart<Frame>,
    },
    /// In a line of this guest's console.
    Console {
        guest: String,
        console: usize,
        line: usize,
        #[serde(flatten)]
        apart: Apart<String>,
    },
    /// One of them is not exact, and why.
    Doubt(String),
    /// Somewhere in what is not kept: beyond the first octets, or in a console that was cut.
    Elsewhere,
}

/// A run with all that is kept of it.
struct Recorded {
    played: Played,
    dir: PathBuf,
}

/// Runs it so many times, or until two runs differ.
pub async fn run(
    take: &Take<'_>,
    scenario: &Scenario,
    times: NonZeroU32,
    interrupt: &Interrupt,
    format: Format,
) -> Result<u8, Failure> {
    let dir = tempfile::tempdir()
        .map_err(|error| Failure::runtime(format!("no place for journals: {error}")))?;
    let mut steps = Steps::new();
    let mut first: Option<Recorded> = None;
    let (mut runs, mut difference) = (0, None);
    while runs < times.get() && difference.is_none() {
        runs += 1;
        steps.say(&format!("run {runs} of {times}"));
        let dir = dir.path().join(runs.to_string());
        let recorded = record(take, scenario, dir, interrupt, &mut steps).await;
        let Some(recorded) = recorded.inspect_err(|_| steps.clear())? else {
            steps.clear();
            return Ok(interrupt.code());
        };
        match &first {
            None => first = Some(recorded),
            Some(first) => {
                difference = compare(scenario, first, &recorded).map_err(Failure::runtime)?;
                // Disks are finite, and this one has told what it knows.
                drop(std::fs::remove_dir_all(&recorded.dir));
            }
        }
    }
    steps.clear();
    let Some(Recorded { played, .. }) = first else { return Ok(0) };
    let held = played.held;
    let different = difference.is_some();
    output::print(format, &Repeated { runs, difference, played }, told)?;
    Ok(match (different, held) {
        (true, _) => DIFFERENT,
        (false, true) => 0,
        (false, false) => NOT_AS_ASKED,
    })
}

async fn record(
    take: &Take<'_>,
    scenario: &Scenario,
    dir: PathBuf,
    interrupt: &Interrupt,
    steps: &mut Steps,
) -> Result<Option<Recorded>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::runtime(format!("cannot keep what runs wrote: {}: {error}", dir.display()))
    };
    std::fs::create_dir(&dir).map_err(failed)?;
    let journal = dir.join(JOURNAL);
    let lab = take.labs.directory(take.name);
    let keep_consoles = || {
        scenario.guests.iter().try_for_each(|guest| {
            (0..CONSOLES).try_for_each(|index| {
                let console = guest_directory(&lab, &guest.name).join(console_port::log(index));
                let kept = dir.join(kept(guest.name.as_str(), index));
                std::fs::copy(console, kept).map(drop).map_err(failed)
            })
        })
    };
    let take = Take { journal: Some(&journal), ..take.clone() };
    let played = take.perform_and(interrupt, steps, keep_consoles).await?;
    let Some(played) = played else { return Ok(None) };
    if played.exact.is_none() {
        let mode = &played.mode;
        return Err(Failure::usage(format!(
            "the lab runs in {mode}, where no run is another's equal"
        ))
        .remedy("only runs in mode exact can be compared"));
    }
    Ok(Some(Recorded { played, dir }))
}

/// No guest is called so.
const JOURNAL: &str = ".journal";

fn compare(
    scenario: &Scenario,
    first: &Recorded,
    other: &Recorded,
) -> std::io::Result<Option<Divergence>> {
    let (Some(one), Some(two)) = (&first.played.exact, &other.played.exact) else {
        return Ok(None);
    };
    if let Some(doubt) = one.doubt.as_ref().or(two.doubt.as_ref()) {
        return Ok(Some(Divergence::Doubt(doubt.clone())));
    }
    if (&one.digest, &one.consoles) == (&two.digest, &two.consoles) {
        return Ok(None);
    }
    let ports = port_names(scenario);
    let journals = [first, other].map(|run| run.dir.join(JOURNAL));
    if let Some((port, apart)) = journal::frames_apart(&journals[0], &journals[1], ports.len())? {
        return Ok(Some(Divergence::Frame { port: ports[port].clone(), apart }));
    }
    consoles_apart(scenario, &first.dir, &other.dir)
        .map(|apart| apart.or(Some(Divergence::Elsewhere)))
}

fn consoles_apart(
    scenario: &Scenario,
    first: &Path,
    other: &Path,
) -> std::io::Result<Option<Divergence>> {
    for (guest, console) in
        scenario.guests.iter().flat_map(|guest| (0..CONSOLES).map(move |index| (guest, index)))
    {
        let guest = guest.name.as_str();
        let [first, other] = [first, other].map(|dir| dir.join(kept(guest, console)));
        if let Some((line, apart)) = journal::lines_apart(&first, &other)? {
            let guest = guest.to_owned();
            return Ok(Some(Divergence::Console { guest, console, line, apart }));
        }
    }
    Ok(None)
}

/// What a guest has written to one of its consoles. No guest has a dot in its name.
fn kept(guest: &str, console: usize) -> String {
    format!("{guest}.{console}")
}

/// By port number: ports are dense in guest and NIC order.
fn port_names(scenario: &Scenario) -> Vec<String> {
    let guests = scenario.guests.iter();
    let names = guests
        .flat_map(|guest| guest.nics.iter().map(|nic| format!("{}:{}", guest.name, nic.name)));
    names.collect()
}

fn told(repeated: &Repeated) -> String {
    let verdict = match &repeated.difference {
        None => format!("{} runs, all the same", repeated.runs),
        Some(difference) => {
            format!("run {} is not as the first: {}", repeated.runs, apart(difference))
        }
    };
    format!("{}\n\n{verdict}", play::played(&repeated.played))
}

fn apart(difference: &Divergence) -> String {
    let (place, first, other) = match difference {
        Divergence::Doubt(why) => return format!("not exact: {why}"),
        Divergence::Elsewhere => return "where, was not kept".into(),
        Divergence::Frame { port, apart } => {
            let show =
                |frame: &Option<Frame>| frame.as_ref().map_or_else(|| "no frame".into(), shown);
            (format!("a frame for {port}"), show(&apart.first), show(&apart.other))
        }
        Divergence::Console { guest, console, line, apart } => {
            let show = |line: &Option<String>| line.clone().unwrap_or_else(|| "no line".into());
            (
                format!("line {line} of {guest}'s console {console}"),
                show(&apart.first),
                show(&apart.other),
            )
        }
    };
    format!("{place}\n  first: {first}\n  now:   {other}")
}

fn shown(frame: &Frame) -> String {
    let Frame { at_ns, length, octets, .. } = frame;
    format!("at {} ns ({}), {length} octets: {octets}", at_ns, nanos(*at_ns))
}
