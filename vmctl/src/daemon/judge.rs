//! What became of scheduled commands, beside what the file expects of them.

use regex::Regex;

use crate::{
    api::{
        play::{Difference, Judged},
        runs::{Ended, How, Run},
    },
    scenario::{Expect, Scenario},
};

/// Characters of an output that a difference shows.
const SHOWN: usize = 200;

/// Judges commands of this scenario's guests.
pub fn judge(scenario: &Scenario, runs: Vec<Run>) -> Vec<Judged> {
    let anything = Expect::default();
    let judged = runs.into_iter().map(|run| {
        let planned = scenario.guest(&run.guest).and_then(|guest| guest.runs.get(run.index));
        let expect = planned.map_or(&anything, |planned| &planned.expect);
        let differs = differences(expect, run.ended.as_ref());
        Judged { run, expected: expect.is_something(), differs }
    });
    judged.collect()
}

fn differences(expect: &Expect, ended: Option<&Ended>) -> Vec<Difference> {
    let Some(ended) = ended else {
        let missing = || difference("end", "one", "none so far");
        return expect.is_something().then(missing).into_iter().collect();
    };
    let exit = expect.exit.and_then(|status| exit(status, &ended.how));
    let stdout = expect.stdout.as_ref();
    let stdout = stdout.and_then(|regex| output("stdout", regex, &ended.stdout));
    let stderr = expect.stderr.as_ref();
    let stderr = stderr.and_then(|regex| output("stderr", regex, &ended.stderr));
    [exit, stdout, stderr].into_iter().flatten().collect()
}

fn exit(expected: i32, how: &How) -> Option<Difference> {
    let actual = match how {
        How::Exit(status) if i32::from(*status) == expected => return None,
        How::Exit(status) => status.to_string(),
        How::Signal(signal) => format!("signal {signal}"),
        How::Error(why) => format!("not started: {why}"),
    };
    Some(difference("exit", &expected.to_string(), &actual))
}

fn output(what: &str, expected: &Regex, actual: &str) -> Option<Difference> {
    (!expected.is_match(actual)).then(|| {
        let end = actual.char_indices().nth(SHOWN);
        let shown = match end {
            Some((end, _)) => format!("{}…", &actual[..end]),
            None => actual.to_owned(),
        };
        difference(what, expected.as_str(), &shown)
    })
}

fn difference(what: &str, expected: &str, actual: &str) -> Difference {
    let [what, expected, actual] = [what, expected, actual].map(str::to_owned);
    Difference { what, expected, actual }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(how: How, stdout: &str) -> Ended {
        Ended {
            start_ns: 0,
            end_ns: 1,
            how,
            stdout: stdout.to_owned(),
            stdout_truncated: false,
            stderr: String::new(),
            stderr_truncated: false,
        }
    }

    fn told(expect: &Expect, ended: Option<&Ended>) -> Vec<String> {
        let tell = |difference: Difference| {
            format!("{}: {} / {}", difference.what, difference.expected, difference.actual)
        };
        differences(expect, ended).into_iter().map(tell).collect()
    }

    #[test]
    fn whatever_is_not_as_expected_is_told() {
        let regex = |text| Some(Regex::new(text).expect("a regular expression"));
        let expect = Expect { exit: Some(0), stdout: regex("^yes"), stderr: regex("^$") };
        assert!(told(&expect, Some(&ended(How::Exit(0), "yes\n"))).is_empty());
        let no = ended(How::Exit(3), "no");
        assert_eq!(told(&expect, Some(&no)), ["exit: 0 / 3", "stdout: ^yes / no"]);
        let killed = ended(How::Signal(9), "yes");
        assert_eq!(told(&expect, Some(&killed)), ["exit: 0 / signal 9"]);
        assert_eq!(told(&expect, None), ["end: one / none so far"]);
    }

    #[test]
    fn nothing_is_wrong_where_nothing_is_expected() {
        let anything = Expect::default();
        assert!(told(&anything, None).is_empty());
        assert!(told(&anything, Some(&ended(How::Exit(1), ""))).is_empty());
    }

    #[test]
    fn long_output_is_shown_in_part() {
        let regex = Regex::new("b").expect("a regular expression");
        let long = output("stdout", &regex, &"ä".repeat(1000)).expect("no b").actual;
        assert_eq!(long.chars().count(), SHOWN + 1);
    }
}
