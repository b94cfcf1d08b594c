//! Dashboards and rules against themselves and the documentation, without a Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use chronotap_tests::{
    dashboards::{self, Dashboard, metrics_in, mode_of, variables_in},
    metrics::{Documented, documented},
};
use serde_json::{Value, json};

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;

fn on_panels() -> BTreeSet<String> {
    let queries = dashboards::all().into_iter().flat_map(|dashboard| dashboard.queries());
    queries.flat_map(|query| metrics_in(&query.expression)).collect()
}

fn rules() -> String {
    let read = |file| std::fs::read_to_string(file).expect("rules");
    dashboards::rules().into_iter().map(read).collect()
}

fn recorded() -> BTreeSet<String> {
    let names = rules();
    let names = names.lines().filter_map(|line| line.trim().strip_prefix("- record: "));
    names.map(str::to_owned).collect()
}

#[test]
fn every_metric_is_on_a_panel() {
    let shown = on_panels();
    let is_missing = |metric: &Documented| !shown.iter().any(|name| metric.is(name));
    let missing: Vec<_> = documented().into_iter().filter(is_missing).map(|it| it.name).collect();
    assert!(missing.is_empty(), "on no panel: {missing:?}");
    let unseen: Vec<_> = recorded().into_iter().filter(|name| !shown.contains(name)).collect();
    // The alert of slow labs wants it, and its panel is that of all labs.
    assert_eq!(unseen, ["chronotap:virtual_wall:running_rate1m"], "rules that no panel shows");
}

#[test]
fn every_metric_that_is_asked_for_is_documented() {
    let (known, recorded) = (documented(), recorded());
    let asked: BTreeSet<_> = on_panels().into_iter().chain(metrics_in(&rules())).collect();
    let is_known =
        |name: &String| recorded.contains(name) || known.iter().any(|metric| metric.is(name));
    let unknown: Vec<_> = asked.iter().filter(|name| !is_known(name)).collect();
    assert!(unknown.is_empty(), "not in docs/metrics.md, nor recorded: {unknown:?}");
}

#[test]
fn every_query_is_for_one_mode() {
    let known = documented();
    let queries = dashboards::all().into_iter().flat_map(|dashboard| dashboard.queries());
    let mut modes = BTreeMap::<&str, u32>::new();
    queries.for_each(|query| *modes.entry(mode_of(&query.expression, &known)).or_default() += 1);
    assert_eq!(modes.keys().copied().collect::<Vec<_>>(), ["exact", "lockstep", "realtime"]);
}

#[test]
fn dashboards_have_what_grafana_wants() {
    let all = dashboards::all();
    let uids: BTreeSet<_> = all.iter().map(|it| it.json["uid"].to_string()).collect();
    assert_eq!(uids.len(), all.len(), "{uids:?}");
    for dashboard in &all {
        let Dashboard { file, json } = dashboard;
        assert!(json["uid"].as_str().is_some_and(|uid| uid.starts_with("chronotap-")), "{file}");
        // 38 is Grafana 10's, 41 the last of Grafana 11.
        let version = json["schemaVersion"].as_u64();
        assert!(version.is_some_and(|version| (38..=41).contains(&version)), "{file}: {version:?}");
        assert!(json["id"].is_null(), "{file}: an id is for Grafana to give");
        for key in ["title", "description", "refresh"] {
            assert!(json[key].as_str().is_some_and(|text| !text.is_empty()), "{file}: {key}");
        }
        assert!(json["time"]["from"].is_string() && json["time"]["to"] == "now", "{file}");
        assert_eq!(json["tags"], json!(["chronotap"]), "{file}: links find dashboards by tag");
        variables_are_defined(dashboard);
        panels_are_whole(dashboard);
        panels_lie_side_by_side(dashboard);
    }
}

fn variables_are_defined(dashboard: &Dashboard) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let defined: Vec<_> = dashboard.variables().iter().map(|it| text(&it["name"])).collect();
    assert_eq!(defined.first().map(String::as_str), Some("DS_PROMETHEUS"), "{}", dashboard.file);
    let panels = Value::from(dashboard.panels()).to_string();
    let variables = Value::from(dashboard.variables()).to_string();
    for name in variables_in(&panels).into_iter().chain(variables_in(&variables)) {
        let own = ["__rate_interval", "__all"].contains(&name.as_str());
        assert!(own || defined.contains(&name), "{}: ${name}", dashboard.file);
    }
    for name in &defined {
        let used = format!("{panels}{variables}");
        assert!(variables_in(&used).contains(name), "{}: ${name} has no use", dashboard.file);
    }
}

fn panels_are_whole(dashboard: &Dashboard) {
    let source = json!({ "type": "prometheus", "uid": "${DS_PROMETHEUS}" });
    let mut ids = BTreeSet::new();
    for panel in dashboard.panels() {
        let place = format!("{}: {}", dashboard.file, panel["title"]);
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{place}: its id is taken");
        assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{place}");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().is_some_and(|it| it.ends_with('.')), "{place}");
        let unit = &panel["fieldConfig"]["defaults"]["unit"];
        assert!(unit.as_str().is_some_and(|unit| !unit.is_empty()), "{place}: no unit");
        assert_eq!(panel["datasource"], source, "{place}");
        let targets = panel["targets"].as_array().expect("targets");
        let names: BTreeSet<_> = targets.iter().map(|it| it["refId"].to_string()).collect();
        assert_eq!(names.len(), targets.len(), "{place}: queries of one name");
        assert!(targets.iter().all(|target| target["datasource"] == source), "{place}");
    }
}

fn panels_lie_side_by_side(dashboard: &Dashboard) {
    let mut taken = BTreeMap::new();
    for panel in dashboard.panels() {
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        let place = format!("{}: {}", dashboard.file, panel["title"]);
        assert!(at("w") > 0 && at("h") > 0 && at("x") + at("w") <= COLUMNS, "{place}: too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                let other = taken.insert((x, y), place.clone());
                assert_eq!(other, None, "lies on {place}");
            }
        }
    }
}
