//! Scheduled commands: who can run them, when, and what their output is compared with.

use std::time::Duration;

use chronotap_guest::schedule::Origin;
use regex::{Regex, RegexBuilder};

use super::super::run::schedule;
use super::super::{Boot, Expect, Run, limits};
use super::nodes::kind;
use super::profiles::in_range;
use crate::topology::{self, Diagnostic, Diagnostics, Kind, Spanned, Time};
use crate::units::{Delay, Size};

/// The commands of a node that boots `boot`, by time.
pub(super) fn check(node: &topology::Node, boot: &Boot, found: &mut Diagnostics) -> Vec<Run> {
    let foreign_guest = !boot.has_agent() && kind(node) == Kind::Vm;
    if let Some(first) = node.runs.first().filter(|_| foreign_guest) {
        found.push(foreign(node, first));
    }
    let mut runs: Vec<_> = node.runs.iter().filter_map(|run| check_run(run, found)).collect();
    runs.sort_by_key(|run| run.at);
    if size(&runs) > limits::SCHEDULE {
        found.push(too_long(node, size(&runs)));
    }
    runs
}

fn foreign(node: &topology::Node, run: &topology::Run) -> Diagnostic {
    let wrong = Diagnostic::error("`run` needs the built-in guest");
    let wrong = wrong.at(run.span.clone(), "nobody in this guest would run it");
    match (&node.keys.kernel, &node.keys.image) {
        (Some(kernel), _) => wrong.beside(kernel.span(), "it boots a kernel of its own"),
        (None, Some(image)) => wrong.beside(image.span(), "it boots a disk image"),
        (None, None) => {
            wrong.help("write `kernel = \"built-in\"`: the defaults name another kernel")
        }
    }
}

/// How long the schedule is as a value of QEMU's command line, where commas are doubled.
fn size(runs: &[Run]) -> usize {
    let json = schedule(runs, Origin::Boot).to_json();
    json.len() + json.matches(',').count()
}

fn too_long(node: &topology::Node, size: usize) -> Diagnostic {
    let limit = Size::from_bytes(limits::SCHEDULE as u64);
    let title = format!("the commands of a guest take at most {limit} together");
    let label = format!("those of this guest take {size} bytes, as QEMU is told of them");
    let wrong = Diagnostic::error(title).at(node.name.span(), label);
    wrong
        .note("they are one argument of QEMU's, as JSON, and Linux takes no longer one than 128KiB")
}

fn check_run(run: &topology::Run, found: &mut Diagnostics) -> Option<Run> {
    let (at, exit) = (run.at.as_ref(), run.expect.exit.as_ref());
    in_range("at", at, &limits::RUN_AT, Delay::as_nanos, Delay::from_nanos, found);
    in_range("exit", exit, &limits::EXIT, |status| status, |status| status, found);
    let expect = Expect {
        exit: exit.and_then(|status| i32::try_from(*status.get_ref()).ok()),
        stdout: pattern("stdout", run.expect.stdout.as_ref(), found),
        stderr: pattern("stderr", run.expect.stderr.as_ref(), found),
    };
    let command = run.command.as_ref()?;
    words(command, found);
    let at = at.map_or(Duration::ZERO, |at| Duration::from(*at.get_ref()));
    Some(Run { at, command: command.get_ref().clone(), expect })
}

fn words(command: &Spanned<Vec<String>>, found: &mut Diagnostics) {
    let words = command.get_ref();
    let label = if words.first().is_none_or(String::is_empty) {
        "expected a program and its arguments"
    } else if words.iter().any(|word| word.contains('\0')) {
        "arguments have no NUL characters"
    } else {
        return;
    };
    found.push(Diagnostic::error("invalid value for `command`").at(command.span(), label));
}

fn pattern(key: &str, written: Option<&Spanned<String>>, found: &mut Diagnostics) -> Option<Regex> {
    let written = written?;
    let compiled = RegexBuilder::new(written.get_ref()).size_limit(limits::REGEX).build();
    if let Err(error) = &compiled {
        let wrong = Diagnostic::error(format!("invalid value for `{key}`"));
        let wrong = wrong.at(written.span(), format!("not a regular expression: {}", why(error)));
        found.push(wrong);
    }
    compiled.ok()
}

/// The reason alone: a syntax error shows the expression in its first lines.
fn why(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it grows too large when compiled".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

/// Warns of commands for which `vmctl run` does not wait.
pub(super) fn warn(time: &Time, nodes: &[topology::Node], found: &mut Diagnostics) {
    let Some(until) = &time.until else { return };
    let runs = nodes.iter().flat_map(|node| &node.runs);
    for at in runs.filter_map(|run| run.at.as_ref()).filter(|at| at.get_ref() >= until.get_ref()) {
        let late = Diagnostic::warning("`vmctl run` stops before this command");
        let late = late.at(at.span(), format!("{} after power-on", at.get_ref()));
        found.push(late.beside(until.span(), "it stops here"));
    }
}
