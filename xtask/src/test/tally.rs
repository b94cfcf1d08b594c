//! Adding up what passed and what failed.

use std::fmt;
use std::ops::AddAssign;

use anyhow::Result;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Tally {
    /// Adds one line of a test run: libtest's summary counts, any other does not.
    pub fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else { return };
        self.passed += count(counts, "passed");
        self.failed += count(counts, "failed");
    }

    /// Adds a step that either succeeds or does not, and shows why.
    pub fn step(&mut self, name: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => {
                eprintln!("{name}: {error:#}");
                self.failed += 1;
            }
        }
    }
}

/// The number in front of `what` in `ok. 7 passed; 0 failed; …`.
fn count(counts: &str, what: &str) -> u64 {
    let words: Vec<_> = counts.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let found = words.windows(2).find(|pair| pair[1] == what);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_summaries_count() {
        let mut tally = Tally::default();
        for line in [
            "running 9 tests",
            "test time::a_failed_one ... FAILED",
            "test result: FAILED. 7 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; \
             finished in 0.00s",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.00s",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 12, failed: 2 });
    }

    #[test]
    fn a_step_counts_once() {
        let mut tally = Tally::default();
        tally.step("fmt", Ok(()));
        tally.step("clippy", Err(anyhow::anyhow!("a warning")));
        assert_eq!(tally.to_string(), "1 passed, 1 failed");
    }
}
