//! A real Prometheus with the project's configuration and labs in all modes: what dashboards and
//! rules ask for is there.

use std::{
    collections::BTreeSet,
    process::{Child, Command},
};

use chronotap_tests::{
    dashboards::{self, Query, mode_of, substituted},
    lab::{Lab, told},
    metrics::{Documented, documented},
    prometheus::{Prometheus, Rule},
    time::wait_for,
    topology::{SMALL, lockstep, pair, realtime},
};

/// `$__rate_interval`: some scrapes of a second each.
const RATE: &str = "10s";

/// A lab in every mode, named after it, with frames under way.
struct Labs {
    labs: Vec<Lab>,
    pings: Vec<Child>,
}

impl Labs {
    fn up() -> Self {
        let link = pair(&["delay = '10ms'", "rate = '10Mbit'"]);
        let ends = ["alice:eth0", "bob:eth0"];
        let hub = ends.map(|end| format!("[[link]]\nendpoints = ['{end}', 'hub:{}']\n", &end[..3]));
        let keys = "delay = '5ms'\nrate = '10Mbit'\nqueue = '64KiB'\n";
        let star = format!(
            "[node.alice]\n[node.bob]\n[node.hub]\nkind = 'switch'\n{}",
            hub.map(|link| link + keys).concat()
        );
        let exact = "[time]\nmode = 'exact'\nips = '62.5MHz'\nspeed = '1x'\n".to_owned();
        let texts = [
            ("exact", exact + SMALL + &link),
            ("lockstep", lockstep(&[]) + SMALL + &link),
            ("realtime", realtime() + SMALL + &star),
        ];
        // Each is slowed by those that are up already.
        let patient = ["--timeout", "10m"];
        let up =
            |(mode, text): &(&str, String)| Lab::up_with(&format!("t-prom-{mode}"), text, &patient);
        let labs: Vec<Lab> = texts.iter().map(up).collect();
        let ping = ["exec", "alice", "--", "ping", "-q", "-i", "0.1", "bob"];
        let pings = labs.iter().map(|lab| lab.spawn(&ping)).collect();
        Self { labs, pings }
    }

    /// The values of variables in dashboards that look at the lab of this mode.
    fn values(&self, mode: &str) -> [(&'static str, &str); 4] {
        let lab = self.of(mode).name();
        let link = if mode == "realtime" { "alice:eth0-hub:ali" } else { "alice:eth0-bob:eth0" };
        [("lab", lab), ("guest", "alice|bob"), ("link", link), ("__rate_interval", RATE)]
    }

    fn of(&self, mode: &str) -> &Lab {
        let name = format!("t-prom-{mode}");
        self.labs.iter().find(|lab| lab.name() == name).expect("a lab in every mode")
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        for ping in &mut self.pings {
            ping.kill().expect("it is ours");
            ping.wait().expect("it has ended");
        }
    }
}

#[test]
#[ignore = "needs root, QEMU and Prometheus; run `cargo xtask test qemu`"]
fn everything_that_is_asked_for_is_there() {
    let prometheus = Prometheus::start();
    let labs = Labs::up();
    labs_are_found(&prometheus, &labs);
    rules_yield_something(&prometheus, &labs);
    panels_show_something(&prometheus, &labs);
    ended_labs_are_forgotten(&prometheus, labs);
}

fn names(labels: Vec<serde_json::Value>) -> BTreeSet<String> {
    let ours = labels.iter().filter_map(|labels| {
        let (lab, mode) = (labels["lab"].as_str()?, labels["mode"].as_str()?);
        (lab == format!("t-prom-{mode}")).then(|| mode.to_owned())
    });
    ours.collect()
}

fn labs_are_found(prometheus: &Prometheus, labs: &Labs) {
    let all = labs.labs.len();
    wait_for("all labs are scraped", || names(prometheus.healthy_targets()).len() == all);
}

/// Takes the lab of the mode that the query is for, and asks until there is something.
fn answered(prometheus: &Prometheus, labs: &Labs, query: &Query, known: &[Documented]) {
    let mode = mode_of(&query.expression, known);
    let expression = substituted(&query.expression, &labs.values(mode));
    let place = format!("{}, mode {mode}: {expression}", query.place);
    let mut found = Vec::new();
    wait_for(&place, || {
        found = prometheus.query(&expression).unwrap_or_else(|error| panic!("{place}: {error}"));
        !found.is_empty()
    });
    for (labels, _) in found {
        let missing = query.labels.iter().find(|label| labels[label.as_str()].is_null());
        assert_eq!(missing, None, "{place}: {labels}");
    }
}

fn rules_yield_something(prometheus: &Prometheus, labs: &Labs) {
    let (known, rules) = (documented(), prometheus.rules());
    assert!(rules.iter().any(|rule| rule.is_alert) && rules.iter().any(|rule| !rule.is_alert));
    for rule in rules {
        let expression = if rule.is_alert { compared(&rule) } else { rule.query.clone() };
        let query = Query { place: format!("rule {}", rule.name), expression, labels: Vec::new() };
        answered(prometheus, labs, &query, &known);
    }
}

/// The comparison that is an alert, told as 0 or 1: as it stands it yields nothing where all is well.
fn compared(rule: &Rule) -> String {
    let signs = [" == ", " > ", " < "].map(|sign| (sign, rule.query.matches(sign).count()));
    let used: Vec<_> = signs.into_iter().filter(|(_, count)| *count > 0).collect();
    let [(sign, 1)] = used[..] else { panic!("{}: not one comparison", rule.query) };
    rule.query.replace(sign, &format!("{sign}bool "))
}

fn panels_show_something(prometheus: &Prometheus, labs: &Labs) {
    let known = documented();
    let queries = dashboards::all().into_iter().flat_map(|dashboard| dashboard.queries());
    // The digest is there while the lab is paused, and what is a rate is not.
    let (digest, others): (Vec<_>, Vec<_>) =
        queries.partition(|query| query.expression.contains("chronotap_exact_digest_info"));
    assert_eq!(digest.len(), 1, "one panel shows it");
    others.iter().for_each(|query| answered(prometheus, labs, query, &known));
    labs.of("exact").vmctl(&["pause"]);
    answered(prometheus, labs, &digest[0], &known);
    println!("{} queries of panels and variables yield something", others.len() + 1);
}

fn ended_labs_are_forgotten(prometheus: &Prometheus, labs: Labs) {
    drop(labs);
    wait_for("no lab is scraped any more", || names(prometheus.healthy_targets()).is_empty());
}

#[test]
#[ignore = "needs promtool; run `cargo xtask test qemu`"]
fn promtool_is_content() {
    let alerts = dashboards::folder().join("rules/tests/alerts.yml");
    let check = |args: &[&str]| {
        let mut promtool = Command::new("promtool");
        let output = promtool.current_dir(dashboards::folder()).args(args).output();
        let output = output.expect("promtool is installed");
        assert!(output.status.success(), "{args:?}: {}", told(&output));
    };
    check(&["check", "config", "prometheus.yml"]);
    check(&["test", "rules", alerts.to_str().expect("UTF-8")]);
    for rules in dashboards::rules() {
        check(&["check", "rules", rules.to_str().expect("UTF-8")]);
    }
}
