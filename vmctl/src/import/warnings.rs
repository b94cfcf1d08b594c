//! What has no counterpart, with its places.

use std::collections::HashMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// Something that a lab cannot say, or says differently. Displays as `FILE:LINE: what`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct Warning {
    /// The file.
    pub file: String,
    /// The lines of it, ascending.
    pub lines: Vec<usize>,
    /// What is there and what becomes of it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As many as fit into a line.
        const SHOWN: usize = 8;
        let lines: Vec<_> = self.lines.iter().take(SHOWN).map(usize::to_string).collect();
        write!(f, "{}:{}", self.file, lines.join(","))?;
        if let Some(beyond) = self.lines.len().checked_sub(SHOWN).filter(|beyond| *beyond > 0) {
            write!(f, " and {beyond} more lines")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// The warnings so far. The same remark about several lines is one warning.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    kept: Vec<Warning>,
    known: HashMap<(String, String), usize>,
}

impl Warnings {
    /// Adds a remark about a line.
    pub fn push(&mut self, file: &str, line: usize, message: String) {
        let next = self.kept.len();
        let index = *self.known.entry((file.to_owned(), message.clone())).or_insert(next);
        if index == next {
            self.kept.push(Warning { file: file.to_owned(), lines: Vec::new(), message });
        }
        self.kept[index].lines.push(line);
    }

    /// All of them, file by file in the order of the lines.
    pub fn into_sorted(mut self) -> Vec<Warning> {
        for warning in &mut self.kept {
            warning.lines.sort_unstable();
            warning.lines.dedup();
        }
        self.kept.sort();
        self.kept
    }
}
