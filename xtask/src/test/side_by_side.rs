//! Test programs of a tier, some at a time.
//!
//! Each of them has the machine to itself only in its own view: labs share nothing but processors,
//! and how long something takes is asserted nowhere. Guests wait more than they compute, so that two
//! programs take little longer than one.

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::tally::Tally;
use crate::process;

/// How many run at a time.
const LANES: usize = 2;

/// Runs all of them; `show` gets what each said when it has ended.
///
/// # Errors
/// If one does not start.
pub fn run(commands: Vec<Command>, show: impl Fn(&str) + Sync) -> Result<Tally> {
    let waiting = Mutex::new(commands.into_iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let lane = || -> Result<Tally> {
        let mut tally = Tally::default();
        while let Some(mut command) = next() {
            let output = command.output();
            let output = output.with_context(|| format!("no {}", process::shown(&command)))?;
            let (said, counted) = heard(&command, &output);
            show(&said);
            tally += counted;
        }
        Ok(tally)
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let mut total = Tally::default();
        for lane in lanes {
            total += lane.join().map_err(|_| anyhow::anyhow!("a lane has panicked"))??;
        }
        Ok(total)
    })
}

/// What a program said, and its count. One that fails without a failed test counts as one.
fn heard(command: &Command, output: &Output) -> (String, Tally) {
    let (mut said, out) = (
        String::from_utf8_lossy(&output.stderr).into_owned(),
        String::from_utf8_lossy(&output.stdout),
    );
    said.push_str(&out);
    let mut tally = Tally::default();
    out.lines().for_each(|line| tally.read(line));
    if !output.status.success() && tally.failed == 0 {
        said.push_str(&format!("{} failed before it could report\n", process::shown(command)));
        tally.failed += 1;
    }
    (said, tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_run_and_count() {
        let script = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let result = |passed: u32, failed: u32| {
            format!("echo 'test result: ok. {passed} passed; {failed} failed;'")
        };
        let crashed = script("exit 1");
        let failed = script(&format!("{}; exit 1", result(1, 2)));
        let commands = vec![script(&result(3, 0)), crashed, failed, script(&result(4, 0))];
        // What they say is not shown here: whoever counts this test's lines would count theirs.
        let said = Mutex::new(String::new());
        let tally = run(commands, |text| said.lock().unwrap().push_str(text)).unwrap();
        assert_eq!(tally, Tally { passed: 8, failed: 3 });
        let said = said.into_inner().unwrap();
        assert!(said.contains("failed before it could report"), "{said}");
    }
}
