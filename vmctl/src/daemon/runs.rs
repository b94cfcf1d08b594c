//! What became of one guest's scheduled commands, as far as it has told.

use std::sync::{Mutex, PoisonError};

use chronotap_guest::{
    Outcome,
    schedule::{Kept, Ran, Scheduled},
};

use crate::api::runs::{Ended, How, Run};

/// A guest's schedule with its results.
#[derive(Debug)]
pub struct Runs {
    planned: Vec<Scheduled>,
    /// As many as are planned.
    ended: Mutex<Vec<Option<Ran>>>,
}

impl Runs {
    /// Nothing of `planned` has been heard of.
    pub fn new(planned: Vec<Scheduled>) -> Self {
        let ended = Mutex::new(vec![None; planned.len()]);
        Self { planned, ended }
    }

    /// Takes what a guest tells. Only the first word on a planned command counts: a guest that
    /// reboots runs its schedule again. Returns what is to be told of it, if it counts.
    pub fn hear(&self, ran: Ran) -> Option<String> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let number = usize::try_from(ran.number).ok();
        let planned = number.and_then(|number| self.planned.get(number).zip(ended.get_mut(number)));
        let Some((planned, place)) = planned else {
            tracing::warn!(number = ran.number, "a command that was not scheduled");
            return None;
        };
        if place.is_some() {
            return None;
        }
        let ran = place.insert(ran);
        Some(format!("`{}` {}", abridged(&planned.command.join(" ")), told(&ran.outcome)))
    }

    /// Whether all that are planned have ended.
    pub fn all_ended(&self) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).iter().all(Option::is_some)
    }

    /// All of them, for the control API.
    pub fn describe(&self, guest: &str) -> Vec<Run> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.planned.iter().zip(&*ended).enumerate();
        let describe = |(index, (planned, ran)): (usize, (&Scheduled, &Option<Ran>))| Run {
            guest: guest.to_owned(),
            index,
            at_ns: planned.at_ns,
            command: planned.command.clone(),
            ended: ran.as_ref().map(ended_as),
        };
        all.map(describe).collect()
    }
}

/// The beginning of a command line.
fn abridged(line: &str) -> String {
    const ENOUGH: usize = 60;
    match line.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Exited(status) => format!("exited with {status}"),
        Outcome::Signaled(signal) => format!("was ended by signal {signal}"),
        Outcome::TimedOut => "took too long".to_owned(),
        Outcome::NotStarted { message, .. } => format!("did not start: {}", abridged(message)),
    }
}

fn ended_as(ran: &Ran) -> Ended {
    let text = |kept: &Kept| String::from_utf8_lossy(&kept.bytes).into_owned();
    Ended {
        start_ns: ran.start_ns,
        end_ns: ran.end_ns,
        how: match &ran.outcome {
            Outcome::Exited(status) => How::Exit(*status),
            Outcome::Signaled(signal) => How::Signal(*signal),
            Outcome::TimedOut => How::Error("it took too long".to_owned()),
            Outcome::NotStarted { message, .. } => How::Error(message.clone()),
        },
        stdout: text(&ran.stdout),
        stdout_truncated: ran.stdout.truncated,
        stderr: text(&ran.stderr),
        stderr_truncated: ran.stderr.truncated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(number: u32, status: u8) -> Ran {
        Ran {
            number,
            start_ns: 10,
            end_ns: 20,
            outcome: Outcome::Exited(status),
            stdout: Kept { bytes: b"gr\xfcn".to_vec(), truncated: true },
            stderr: Kept::default(),
        }
    }

    #[test]
    fn only_the_first_word_on_a_planned_command_counts() {
        let planned = Scheduled { at_ns: 5, command: vec!["true".to_owned()] };
        let runs = Runs::new(vec![planned.clone(), planned]);
        let told = [ran(1, 3), ran(1, 4), ran(2, 5), ran(u32::MAX, 6)].map(|ran| runs.hear(ran));
        assert_eq!(told, [Some("`true` exited with 3".to_owned()), None, None, None]);
        let described = runs.describe("a");
        assert_eq!(described[0].ended, None);
        let ended = described[1].ended.as_ref().expect("told of");
        assert_eq!((&ended.how, ended.stdout.as_str()), (&How::Exit(3), "gr\u{fffd}n"));
        assert!(ended.stdout_truncated && !ended.stderr_truncated);
    }
}
