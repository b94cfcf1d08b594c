//! What a lab's metrics say, held against the page that documents them.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

/// The page.
const PAGE: &str = include_str!("../../docs/metrics.md");

/// Sections of modes; the others hold for all labs.
const MODES: [&str; 2] = ["lockstep", "exact"];

/// The answer to a request for metrics, its head included.
pub fn scrape(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("metrics are served");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Asserts that a scrape of a lab in `mode` has the metrics of the page, and no others.
pub fn assert_documented(text: &str, mode: &str) {
    let (emitted, documented) = (emitted(text), documented(mode));
    assert!(documented.len() > 40, "{documented:?}");
    let missing: Vec<_> = documented.difference(&emitted).collect();
    let unknown: Vec<_> = emitted.difference(&documented).collect();
    assert!(missing.is_empty(), "{missing:?} of the page are missing in:\n{text}");
    assert!(unknown.is_empty(), "{unknown:?} are not on the page");
}

fn emitted(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let name = |(family, kind): (&str, &str)| match kind.trim_end() {
        "counter" => format!("{family}_total"),
        "info" => format!("{family}_info"),
        _ => family.to_owned(),
    };
    types.map(name).collect()
}

fn documented(mode: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut section = "";
    for line in PAGE.lines() {
        section = line.strip_prefix("## Mode ").or(line.strip_prefix("## ")).unwrap_or(section);
        let Some((name, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once('`'))
        else {
            continue;
        };
        let is_of = if rest.contains("| Lockstep: ") { "lockstep" } else { section };
        if name.starts_with("chronotap_") && (is_of == mode || !MODES.contains(&is_of)) {
            names.insert(name.to_owned());
        }
    }
    names
}

/// The value of the one series of this name with these labels, such as `guest="alice"`.
pub fn sample(text: &str, name: &str, labels: &[&str]) -> f64 {
    let series = |line: &&str| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    };
    let mut found = text.lines().filter(series);
    let (Some(line), None) = (found.next(), found.next()) else {
        panic!("not one {name} with {labels:?} in:\n{text}");
    };
    let value = line.rsplit(' ').next().unwrap_or_default();
    value.parse().unwrap_or_else(|_| panic!("{line}"))
}
