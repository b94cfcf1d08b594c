//! What is asked of a log.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which log of a guest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// What it wrote to its console.
    #[default]
    Console,
    /// What its QEMU had to say.
    Qemu,
}

/// Query of the paths of logs. The answer is the log as it was written, with the part that was put
/// aside when it grew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogQuery {
    /// Which log; the daemon has only one.
    pub source: Source,
    /// Which of a guest's consoles.
    pub index: usize,
    /// Only its last lines, so many of them.
    pub lines: Option<usize>,
    /// Whether the answer goes on with what is written from now on, until the guest has ended.
    pub follow: bool,
}

impl fmt::Display for LogQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Console => "console",
            Source::Qemu => "qemu",
        };
        write!(f, "source={source}&index={}&follow={}", self.index, self.follow)?;
        self.lines.map_or(Ok(()), |lines| write!(f, "&lines={lines}"))
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::Query, http::Uri};

    use super::*;

    #[test]
    fn queries_are_read_as_they_are_written() {
        let some = LogQuery { source: Source::Qemu, index: 1, lines: Some(7), follow: true };
        for query in [LogQuery::default(), some] {
            let uri: Uri = format!("/v1/log?{query}").parse().expect("a path");
            let read: Query<LogQuery> = Query::try_from_uri(&uri).expect("a query");
            assert_eq!(read.0, query);
        }
    }
}
