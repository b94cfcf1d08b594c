//! Files that a topology names for what links are like: traces of opportunities, tables of deviations.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chronotap::sim::{Table, Trace, TraceError};

use super::super::limits;
use crate::topology::{Diagnostic, Diagnostics, Distribution, LinkKeys, Spanned, Topology, quote};

/// What the files hold, by their paths as written. A file that is no good is absent.
#[derive(Debug, Default)]
pub(in super::super) struct Recordings {
    traces: HashMap<String, Arc<Trace>>,
    tables: HashMap<String, Arc<Table>>,
}

impl Recordings {
    /// Reads each file that links of `topology` name, relative to `base`.
    pub fn read(topology: &Topology, base: &Path, found: &mut Diagnostics) -> Self {
        let mut read = Self::default();
        let links = topology.links.iter();
        let all = links.flat_map(|link| {
            let events = link.events.iter().map(|event| &event.set);
            [&link.keys, &link.reverse].into_iter().chain(events)
        });
        for keys in all.chain([&topology.default_link]) {
            read.read_those_of(keys, base, found);
        }
        read
    }

    pub fn trace(&self, path: &str) -> Option<Arc<Trace>> {
        self.traces.get(path).cloned()
    }

    pub fn table(&self, path: &str) -> Option<Arc<Table>> {
        self.tables.get(path).cloned()
    }

    fn read_those_of(&mut self, keys: &LinkKeys, base: &Path, found: &mut Diagnostics) {
        if let Some(path) = &keys.trace
            && !self.traces.contains_key(path.get_ref())
        {
            let trace = text(&base.join(path.get_ref())).and_then(|text| parse_trace(&text));
            if let Some(trace) = accept(trace, "trace", path, found) {
                self.traces.insert(path.get_ref().clone(), Arc::new(trace));
            }
        }
        if let Some(written) = &keys.distribution
            && let Distribution::Table(path) = written.get_ref()
            && !self.tables.contains_key(path)
        {
            let table = text(&base.join(path)).and_then(|text| parse_table(&text));
            let path = Spanned::new(written.span(), path.clone());
            if let Some(table) = accept(table, "table", &path, found) {
                self.tables.insert(path.into_inner(), Arc::new(table));
            }
        }
    }
}

fn accept<T>(
    read: Result<T, String>,
    what: &str,
    path: &Spanned<String>,
    found: &mut Diagnostics,
) -> Option<T> {
    read.map_err(|why| {
        let title = format!("{} is no {what}", quote(path.get_ref()));
        found.push(Diagnostic::error(title).at(path.span(), why));
    })
    .ok()
}

/// The text of a file that somebody else may have written.
fn text(path: &Path) -> Result<String, String> {
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    };
    // Opening a pipe would wait for its other end.
    if !path.metadata().map_err(told)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut text = String::new();
    let file = File::open(path).map_err(told)?;
    file.take(limits::RECORDING + 1).read_to_string(&mut text).map_err(told)?;
    if text.len() as u64 > limits::RECORDING {
        return Err(format!("it has more than {} bytes", limits::RECORDING));
    }
    Ok(text)
}

/// A line for each opportunity: its instant in whole milliseconds.
fn parse_trace(text: &str) -> Result<Trace, String> {
    let lines = || text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let instant = |(line, number): (&str, usize)| match line.trim().parse() {
        Ok(millis) if millis <= limits::TRACE_MILLIS => Ok(Duration::from_millis(millis)),
        _ => Err(format!(
            "line {number}: expected a whole number of milliseconds, at most {}",
            limits::TRACE_MILLIS
        )),
    };
    let instants = lines().map(instant).collect::<Result<Vec<_>, _>>()?;
    Trace::new(instants).map_err(|error| match error {
        TraceError::Backwards { index } => {
            let line = lines().nth(index).map_or(0, |(_, number)| number);
            format!("line {line}: earlier than the instant before it")
        }
        TraceError::Empty => "it has no instants".to_owned(),
        TraceError::NoTime => "its last instant is 0; there it would begin anew".to_owned(),
    })
}

/// Numbers between white space, as in the files of `tc`; lines that start with `#` are comments.
fn parse_table(text: &str) -> Result<Table, String> {
    let mut deviations: Vec<i16> = Vec::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.starts_with('#')) {
        for word in line.split_whitespace() {
            let deviation = word.parse().map_err(|_| {
                let (least, most) = (i16::MIN, i16::MAX);
                format!("line {number}: expected whole numbers from {least} to {most}")
            })?;
            deviations.push(deviation);
        }
    }
    if deviations.len() > limits::DEVIATIONS {
        return Err(format!("it has more than {} deviations", limits::DEVIATIONS));
    }
    Table::new(deviations).ok_or_else(|| "it has no deviations".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_have_a_number_a_line() {
        let trace = parse_trace("1\n1\n\n 20\r\n").expect("a trace");
        assert_eq!((trace.opportunities(), trace.period()), (3, Duration::from_millis(20)));
        let table = [
            ("", "it has no instants"),
            ("0\n0\n", "its last instant is 0; there it would begin anew"),
            ("1\n\n5\n4\n", "line 4: earlier than the instant before it"),
            ("1\n2.5\n", "line 2: expected a whole number of milliseconds, at most 1000000000"),
        ];
        for (text, why) in table {
            assert_eq!(parse_trace(text), Err(why.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn tables_are_those_of_tc() {
        assert!(parse_table("# normal\n-8192 0\n8192 4096 # no\n").is_err());
        assert!(parse_table("# normal\n-8192 0\n 8192\n").is_ok());
        let beyond = "line 2: expected whole numbers from -32768 to 32767";
        assert_eq!(parse_table("1\n32768\n"), Err(beyond.to_owned()));
        assert_eq!(parse_table("# none\n"), Err("it has no deviations".to_owned()));
    }
}
