//! What scrapes of labs in all modes say, held against the page that documents them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use chronotap::{
    exact::ExactObservation,
    observation::{Barriers, DirectionObservation, PortObservation},
    sim::{DropReason, Profile, Rate, SwitchCounters},
};

use super::*;
use crate::{api::status::GuestState, metrics::two_windows};

fn scrape() -> Scrape {
    let names = Names {
        lab: "pair".into(),
        guests: vec!["alice".into(), "bob".into()],
        ports: vec!["alice:eth0".into()],
        links: vec!["alice:eth0-hub:p1".into()],
        switches: vec!["hub".into()],
    };
    let about = Lab {
        name: "pair".into(),
        topology: PathBuf::from("/pair.toml"),
        mode: "realtime".into(),
        seed: 7,
        daemon_pid: 1,
        version: "0.0.0".into(),
        accelerator: "tcg".into(),
        stamp: "kernel".into(),
        metrics: None,
        epoch_seconds: 0,
    };
    let mut observation = Observation::default();
    let port = PortObservation { received: 3, unconnected: 6, ..PortObservation::default() };
    observation.ports.push(port);
    observation.directions = vec![DirectionObservation::default(); 2];
    let backward = &mut observation.directions[1];
    backward.counters.sent = 3;
    backward.counters.dropped.count(DropReason::Loss);
    backward.counters.transit_ns = 20_000_000;
    backward.counters.corrupted = 1;
    backward.late = Duration::from_millis(2);
    backward.busy = Duration::from_millis(4);
    backward.backlog.bytes = 1500;
    observation.switches.push(SwitchCounters { received: 2, ..SwitchCounters::default() });
    observation.lateness.record(Duration::from_micros(3));
    let rate = Rate::new(100_000_000);
    let limited = Profile { rate, delay: Duration::from_millis(10), ..Profile::default() };
    let seconds = Duration::from_secs_f64;
    let guest = |state, vcpus| GuestTally {
        state,
        reboots: 0,
        ran: seconds(1.25),
        held: seconds(0.5),
        vcpus,
    };
    Scrape {
        names: Arc::new(names),
        about,
        state: LabState::Running,
        observation,
        kernel: vec![PortCounters { foreign: 5, ..PortCounters::default() }],
        settings: vec![Setting::of(&limited), Setting::of(&Profile::default())],
        guests: vec![guest(GuestState::Ready, Some(seconds(0.75))), guest(GuestState::Dead, None)],
        overloads: 0,
        user_pauses: 1,
        overload_pauses: 0,
        virtual_time: seconds(1.5),
        wall_time: seconds(2.0),
        windows: None,
        perturbed: false,
    }
}

fn in_windows() -> Scrape {
    Scrape { windows: Some(two_windows()), ..scrape() }
}

fn in_exact() -> Scrape {
    let mut scrape = Scrape { perturbed: true, state: LabState::Paused, ..scrape() };
    let (frames, windows, runs) = (7, 20, 30);
    let exact = ExactObservation { digest: 0xabc, frames, windows, runs, doubt: None };
    scrape.observation.exact = Some(exact);
    scrape.observation.barriers = Some(Barriers::default());
    scrape
}

#[test]
fn a_scrape_reads_like_this() {
    let text = scrape().render().expect("renders");
    let lines = text.lines().filter(|line| !line.ends_with(" 0") && !line.ends_with(" 0.0"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

/// What is not in a scrape without windows and exactness.
fn own(scrape: Scrape) -> String {
    let without = self::scrape().render().expect("renders");
    let with = scrape.render().expect("renders");
    let own = with.lines().filter(|line| !without.contains(line) && !line.starts_with('#'));
    // Histograms have the buckets of all others.
    let short = own.filter(|line| !line.contains("_bucket{") || line.contains("+Inf"));
    short.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_in_mode_exact_comes_on_top() {
    insta::assert_snapshot!(own(in_exact()));
}

#[test]
fn windows_come_on_top() {
    insta::assert_snapshot!(own(in_windows()));
}

#[test]
fn a_digest_that_changes_with_every_frame_is_not_told() {
    let running = Scrape { state: LabState::Running, ..in_exact() };
    assert!(!running.render().expect("renders").contains("digest=\""));
    assert!(in_exact().render().expect("renders").contains("digest=\""));
}

/// What a family is like: its type, its labels, and the unit that its name ends in.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    kind: String,
    labels: BTreeSet<String>,
}

/// By name as Prometheus shows it, out of the tables of the page.
fn documented(page: &str) -> BTreeMap<String, Family> {
    let rows = page.lines().filter(|line| line.starts_with("| `chronotap_"));
    let family = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, _unit, labels, _meaning] = cells[..] else { panic!("{row}") };
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (name.trim_matches('`').to_owned(), Family { kind: kind.to_owned(), labels })
    };
    rows.map(family).collect()
}

/// The same out of a scrape. Every series has the label `lab`, which goes without saying.
fn emitted(text: &str, into: &mut BTreeMap<String, Family>) {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for (family, kind) in types.filter_map(|line| line.split_once(' ')) {
        let ending = match kind {
            "counter" => "_total",
            "info" => "_info",
            "histogram" => "_count",
            _ => "",
        };
        let prefix = format!("{family}{ending}{{");
        let samples: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once('}')).collect();
        let labels = samples.iter().flat_map(|(labels, _)| labels.split("\","));
        let mut labels: BTreeSet<_> =
            labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned())).collect();
        assert!(labels.remove("lab"), "{family} has no sample, or one without the lab");
        let name = match kind {
            "histogram" => family.to_owned(),
            _ => format!("{family}{ending}"),
        };
        into.insert(name, Family { kind: kind.to_owned(), labels });
    }
}

fn page() -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    std::fs::read_to_string(page).expect("the page is there")
}

#[test]
fn the_page_and_the_scrapes_of_all_modes_tell_of_the_same() {
    let mut all = BTreeMap::new();
    for scrape in [scrape(), in_windows(), in_exact()] {
        emitted(&scrape.render().expect("renders"), &mut all);
    }
    let documented = documented(&page());
    for (name, family) in &documented {
        assert_eq!(all.get(name), Some(family), "`{name}` of the page");
    }
    for (name, family) in &all {
        assert_eq!(documented.get(name), Some(family), "`{name}` of a scrape");
    }
}

/// The words that a label takes.
fn words(text: &str, label: &str) -> BTreeSet<String> {
    let label = format!(",{label}=\"");
    let after = text.split(&label).skip(1);
    after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

#[test]
fn every_word_that_a_label_takes_is_on_the_page() {
    let (text, page) = (scrape().render().expect("renders"), page());
    for label in ["state", "reason", "direction", "impairment"] {
        let words = words(&text, label);
        assert!(words.len() > 1, "{label}: {words:?}");
        let missing: Vec<_> =
            words.iter().filter(|word| !page.contains(&format!("`{word}`"))).collect();
        assert!(missing.is_empty(), "{label}: {missing:?}");
    }
}

#[test]
fn names_in_queries_of_the_page_are_in_its_tables() {
    let page = page();
    let documented = documented(&page);
    let queries = page.split("`").filter(|code| code.contains('('));
    let names = queries.flat_map(|query| query.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    let names: Vec<_> = names.filter(|name| name.starts_with("chronotap_")).collect();
    assert!(names.len() > 6, "{names:?}");
    for name in names {
        let family = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(documented.contains_key(family), "{name}");
    }
}
