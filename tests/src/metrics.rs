//! What a lab's metrics say, held against the page that documents them.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

/// The page.
const PAGE: &str = include_str!("../../docs/metrics.md");

/// A metric of the documentation.
#[derive(Debug)]
pub struct Documented {
    /// Its name, without what histograms put behind it.
    pub name: String,
    /// Whether it is a histogram.
    pub is_histogram: bool,
    /// The only mode that has it.
    pub mode: Option<&'static str>,
}

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
    let of_mode = |metric: &Documented| metric.mode.is_none_or(|only| only == mode);
    let documented = documented().into_iter().filter(of_mode).map(|metric| metric.name);
    let (emitted, documented) = (emitted(text), documented.collect::<BTreeSet<_>>());
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

/// The metrics in the tables of `docs/metrics.md`.
///
/// # Panics
/// When it has none, or a row that this cannot read.
pub fn documented() -> Vec<Documented> {
    let (mut section, mut found) = ("", Vec::new());
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        } else if line.starts_with("| `chronotap_") {
            found.push(documented_in(section, line));
        }
    }
    assert!(!found.is_empty(), "no metrics on the page");
    found
}

fn documented_in(section: &str, row: &str) -> Documented {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [name, kind, _, _, meaning] = cells[..] else { panic!("not five columns: {row}") };
    let mode = match section {
        "Mode lockstep" => Some("lockstep"),
        "Mode exact" => Some("exact"),
        _ if meaning.starts_with("Lockstep: ") => Some("lockstep"),
        _ => None,
    };
    let name = name.trim_matches('`').to_owned();
    Documented { name, is_histogram: kind == "histogram", mode }
}

impl Documented {
    /// Whether this is the metric that an expression names.
    pub fn is(&self, name: &str) -> bool {
        let behind = name.strip_prefix(self.name.as_str());
        behind.is_some_and(|end| match end {
            "_bucket" | "_sum" | "_count" => self.is_histogram,
            other => other.is_empty() && !self.is_histogram,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_documentation_are_read() {
        let row = "| `chronotap_stop_seconds` | histogram | host seconds | | Barrier cost. |";
        let metric = documented_in("Mode lockstep", row);
        assert_eq!((metric.mode, metric.is_histogram), (Some("lockstep"), true));
        let is = |name| metric.is(name);
        assert!(is("chronotap_stop_seconds_bucket") && !is("chronotap_stop_seconds"));
        let row = "| `chronotap_a_total` | counter | | `guest` | Lockstep: runs. |";
        let metric = documented_in("Guests", row);
        assert_eq!((metric.mode, metric.is("chronotap_a_total")), (Some("lockstep"), true));
        assert!(!metric.is("chronotap_a_total_bucket"));
    }
}
