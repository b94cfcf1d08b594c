//! What `vmctl run FILE` prints.

use std::time::Duration;

use super::{
    exact,
    table::{table, text},
    text::nanos,
};
use crate::api::{
    play::{Difference, Ending, Judged, Played},
    runs::How,
};

/// Characters of a command that the table shows.
const COMMAND: usize = 48;

/// A run that is over.
pub fn played(played: &Played) -> String {
    let mut parts = vec![summary(played)];
    if !played.commands.is_empty() {
        parts.push(commands(&played.commands));
    }
    let differences: Vec<String> = all_differences(played).collect();
    if !differences.is_empty() {
        parts.push(differences.join("\n"));
    }
    parts.push(match &played.exact {
        Some(exact) => exact::digests(exact),
        None => format!("no digest: in {} no run is like another", played.mode),
    });
    parts.join("\n\n")
}

/// All that is not as expected.
pub fn all_differences(played: &Played) -> impl Iterator<Item = String> {
    played.commands.iter().flat_map(differences)
}

fn summary(played: &Played) -> String {
    let ended = match &played.ended {
        Ending::Until => "as far as was asked for".to_owned(),
        Ending::Done => "all scheduled commands have ended".to_owned(),
        Ending::Deserted => "no guest is left".to_owned(),
        Ending::Guest(guest) => format!("guest {guest} has ended"),
    };
    format!(
        "lab {}, {}, seed {}: {} of virtual time in {} of the host's; {ended}",
        played.lab,
        played.mode,
        played.seed,
        nanos(played.virtual_ns),
        nanos(played.wall_ns),
    )
}

fn commands(commands: &[Judged]) -> String {
    let titles = ["guest", "at", "start", "took", "exit", "expectation", "command"];
    let mut table = table(&titles, &[1, 2, 3]);
    for judged in commands {
        let run = &judged.run;
        let ended = run.ended.as_ref();
        let took = |ended: &crate::api::runs::Ended| ended.end_ns.saturating_sub(ended.start_ns);
        table.add_row([
            run.guest.clone(),
            nanos(run.at_ns),
            ended.map_or_else(|| "-".into(), |ended| nanos(ended.start_ns)),
            ended.map_or_else(|| "-".into(), |ended| nanos(took(ended))),
            ended.map_or_else(|| "-".into(), |ended| how(&ended.how)),
            verdict(judged).into(),
            command(&run.command),
        ]);
    }
    text(&table)
}

fn how(how: &How) -> String {
    match how {
        How::Exit(status) => status.to_string(),
        How::Signal(signal) => format!("signal {signal}"),
        How::Error(_) => "not started".into(),
    }
}

fn verdict(judged: &Judged) -> &'static str {
    match (judged.expected, judged.differs.is_empty()) {
        (false, _) => "-",
        (true, true) => "held",
        (true, false) => "BROKEN",
    }
}

/// A command in one line, shortened.
fn command(words: &[String]) -> String {
    let line = words.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(COMMAND) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn differences(judged: &Judged) -> impl Iterator<Item = String> {
    let run = &judged.run;
    judged.differs.iter().map(move |difference| {
        let Difference { what, expected, actual } = difference;
        format!(
            "{} at {}: {what}: expected {expected:?}, got {actual:?}",
            run.guest,
            nanos(run.at_ns)
        )
    })
}

/// How far a run has come.
pub fn progress(now_ns: u64, until: Option<Duration>) -> String {
    let now = now_ns as f64 / 1e9;
    match until {
        Some(until) => format!("{now:.1} s of {} have passed", nanos(until.as_nanos() as u64)),
        None => format!("{now:.1} s have passed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{
        exact::{ConsoleDigest, Exact},
        runs::{Ended, Run},
    };

    fn judged(how: Option<How>, differs: Vec<Difference>) -> Judged {
        let ended = how.map(|how| Ended {
            start_ns: 8_000_001_000,
            end_ns: 10_023_001_000,
            how,
            stdout: String::new(),
            stdout_truncated: false,
            stderr: String::new(),
            stderr_truncated: false,
        });
        let command = ["sh", "-c", "for i in 1 2 3; do ping -c 1 bob; sleep 1; done; echo done"];
        let run = Run {
            guest: "alice".into(),
            index: 0,
            at_ns: 8_000_000_000,
            command: command.map(str::to_owned).to_vec(),
            ended,
        };
        Judged { run, expected: true, differs }
    }

    fn run(ended: Ending, commands: Vec<Judged>, exact: Option<Exact>) -> Played {
        let held = commands.iter().all(|command| command.differs.is_empty());
        Played {
            lab: "pair".into(),
            mode: if exact.is_some() { "exact" } else { "lockstep" }.into(),
            seed: 17,
            ended,
            virtual_ns: 12_000_000_000,
            wall_ns: 9_500_000_000,
            held,
            commands,
            exact,
        }
    }

    #[test]
    fn runs_read_like_this() {
        let exact = Exact {
            digest: Some("6f".repeat(16)),
            frames: 812,
            windows: 2_000,
            runs: 3_000,
            doubt: None,
            perturbed: None,
            consoles: vec![ConsoleDigest { guest: "alice".into(), digest: "0a".repeat(16) }],
        };
        let good = run(Ending::Until, vec![judged(Some(How::Exit(0)), vec![])], Some(exact));
        let difference =
            Difference { what: "exit".into(), expected: "0".into(), actual: "1".into() };
        let missing =
            Difference { what: "end".into(), expected: "one".into(), actual: "none so far".into() };
        let commands =
            vec![judged(Some(How::Exit(1)), vec![difference]), judged(None, vec![missing])];
        let bad = run(Ending::Guest("bob".into()), commands, None);
        insta::assert_snapshot!([played(&good), played(&bad)].join("\n---\n"));
    }
}
