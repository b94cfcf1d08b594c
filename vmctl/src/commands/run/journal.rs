//! Where two runs went apart: in the journals of their frames, and in what their guests wrote.
//!
//! A journal has a line per frame, in the order in which frames were handed over: instant in
//! nanoseconds, port, length, hash, first octets. What one port gets has one order; how ports take
//! turns is nothing that runs must agree in. So journals are compared port by port, each time from
//! the beginning: that takes time once, where two runs differ, and no memory.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use schemars::JsonSchema;
use serde::Serialize;

/// Characters of a console's line that are told.
const SHOWN: usize = 200;

/// A frame in a journal.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Frame {
    /// When it was handed to its guest, in virtual nanoseconds.
    pub at_ns: u64,
    /// Its octets.
    pub length: u64,
    /// A hash over all of them.
    pub hash: String,
    /// The first of them, in hexadecimal digits.
    pub octets: String,
}

/// Two things in the same place of two runs, where there should be one.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Apart<T> {
    /// What there is in the first run; nothing if it has ended before.
    pub first: Option<T>,
    /// The same of the other run.
    pub other: Option<T>,
}

/// The frame of the earliest instant in which two journals differ, with its port's number.
///
/// # Errors
/// A journal cannot be read, or is none.
pub fn frames_apart(
    first: &Path,
    other: &Path,
    ports: usize,
) -> io::Result<Option<(usize, Apart<Frame>)>> {
    let mut found: Vec<(usize, Apart<Frame>)> = Vec::new();
    for port in 0..ports {
        let apart = first_apart(frames(first, port)?, frames(other, port)?)?;
        found.extend(apart.map(|(_, apart)| (port, apart)));
    }
    Ok(found.into_iter().min_by_key(|(_, apart)| apart.instant()))
}

/// The first line, counted from 1, in which two consoles differ.
///
/// # Errors
/// One of them cannot be read.
pub fn lines_apart(first: &Path, other: &Path) -> io::Result<Option<(usize, Apart<String>)>> {
    let lines = |path: &Path| -> io::Result<_> {
        let lines = BufReader::new(File::open(path)?).split(b'\n');
        Ok(lines.map(|line| line.map(|line| String::from_utf8_lossy(&line).into_owned())))
    };
    let apart = first_apart(lines(first)?, lines(other)?)?;
    let short = |line: String| line.trim_end().chars().take(SHOWN).collect();
    Ok(apart.map(|(index, Apart { first, other })| {
        (index + 1, Apart { first: first.map(short), other: other.map(short) })
    }))
}

fn first_apart<T: PartialEq>(
    mut first: impl Iterator<Item = io::Result<T>>,
    mut other: impl Iterator<Item = io::Result<T>>,
) -> io::Result<Option<(usize, Apart<T>)>> {
    for index in 0.. {
        let apart = Apart { first: first.next().transpose()?, other: other.next().transpose()? };
        if apart.first != apart.other {
            return Ok(Some((index, apart)));
        }
        if apart.first.is_none() {
            break;
        }
    }
    Ok(None)
}

impl Apart<Frame> {
    /// The earlier of the two instants.
    fn instant(&self) -> u64 {
        let both = self.first.iter().chain(&self.other);
        both.map(|frame| frame.at_ns).min().unwrap_or(u64::MAX)
    }
}

/// The frames of one port.
fn frames(journal: &Path, port: usize) -> io::Result<impl Iterator<Item = io::Result<Frame>>> {
    let lines = BufReader::new(File::open(journal)?).lines();
    Ok(lines.filter_map(move |line| {
        line.and_then(|line| frame_of(&line, port).map_err(io::Error::other)).transpose()
    }))
}

/// The frame of a journal's line, if it is the port's.
fn frame_of(line: &str, port: usize) -> Result<Option<Frame>, String> {
    let wrong = || format!("this is no line of a journal: {line}");
    let fields: Vec<&str> = line.split(' ').collect();
    let [at_ns, to, length, hash, octets] = fields[..] else { return Err(wrong()) };
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let frame = Frame {
        at_ns: number(at_ns)?,
        length: number(length)?,
        hash: hash.to_owned(),
        octets: octets.to_owned(),
    };
    Ok((number(to)? == port as u64).then_some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(first: &str, other: &str) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = ["first", "other"].map(|name| dir.path().join(name));
        std::fs::write(&paths[0], first).expect("written");
        std::fs::write(&paths[1], other).expect("written");
        let short = |frame: &Frame| format!("{}:{}", frame.at_ns, frame.octets);
        match frames_apart(&paths[0], &paths[1], 2).expect("journals") {
            None => "same".into(),
            Some((port, Apart { first, other })) => {
                let [first, other] = [first, other].map(|one| one.as_ref().map(short));
                format!("{port} {first:?} {other:?}")
            }
        }
    }

    #[test]
    fn ports_may_take_turns_as_they_like() {
        assert_eq!(told("5 0 1 aa ab\n5 1 1 bb cd\n", "5 1 1 bb cd\n5 0 1 aa ab\n"), "same");
        assert_eq!(told("", ""), "same");
    }

    #[test]
    fn the_earliest_difference_counts() {
        let first = "5 0 1 aa ab\n9 0 1 aa ab\n7 1 1 bb cd\n";
        assert_eq!(told(first, "5 0 1 aa ab\n8 1 1 bb cd\n"), r#"1 Some("7:cd") Some("8:cd")"#);
        assert_eq!(told(first, "5 0 1 aa ab\n7 1 1 bb cd\n"), r#"0 Some("9:ab") None"#);
        let hash = "5 0 1 ff ab\n9 0 1 aa ab\n7 1 1 bb cd\n";
        assert_eq!(told(first, hash), r#"0 Some("5:ab") Some("5:ab")"#);
    }

    #[test]
    fn what_is_no_journal_is_an_error() {
        for line in ["", "5 0 1 aa", "x 0 1 aa ab", "5 0 1 aa ab cd"] {
            assert!(frame_of(line, 0).is_err(), "{line}");
        }
    }

    #[test]
    fn consoles_differ_in_a_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = ["first", "other"].map(|name| dir.path().join(name));
        std::fs::write(&paths[0], "one\ntwo\r\n").expect("written");
        std::fs::write(&paths[1], "one\ntow\r\n").expect("written");
        let (line, apart) = lines_apart(&paths[0], &paths[1]).expect("read").expect("apart");
        assert_eq!(
            (line, apart.first.as_deref(), apart.other.as_deref()),
            (2, Some("two"), Some("tow"))
        );
        assert_eq!(lines_apart(&paths[0], &paths[0]).expect("read"), None);
    }
}
