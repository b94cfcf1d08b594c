//! The project's dashboards and rules as files.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::metrics::Documented;

/// A dashboard as Grafana would load it.
#[derive(Debug)]
pub struct Dashboard {
    /// Its file's name.
    pub file: String,
    /// What is in it.
    pub json: Value,
}

/// A query of a panel or of a variable.
#[derive(Debug)]
pub struct Query {
    /// Dashboard and panel, or variable.
    pub place: String,
    /// The expression, with variables.
    pub expression: String,
    /// Labels that what it yields is told apart by.
    pub labels: Vec<String>,
}

/// `dashboards/`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

/// A file of it.
///
/// # Panics
/// When it cannot be read.
pub fn read(name: &str) -> String {
    let file = folder().join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files with rules, by name.
pub fn rules() -> Vec<PathBuf> {
    files(&folder().join("rules"), "yml")
}

/// All dashboards, by name.
///
/// # Panics
/// When one is not JSON.
pub fn all() -> Vec<Dashboard> {
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a dashboard");
        let json =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        Dashboard { file: file.file_name().expect("a name").to_string_lossy().into_owned(), json }
    };
    files(&folder(), "json").into_iter().map(read).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    found.sort();
    assert!(!found.is_empty(), "nothing in {}", folder.display());
    found
}

impl Dashboard {
    /// Its panels, rows among them.
    ///
    /// # Panics
    /// When it has none.
    pub fn panels(&self) -> &[Value] {
        let panels = self.json["panels"].as_array();
        panels.unwrap_or_else(|| panic!("{} has no panels", self.file))
    }

    /// Its variables.
    ///
    /// # Panics
    /// When it has none.
    pub fn variables(&self) -> &[Value] {
        let variables = self.json["templating"]["list"].as_array();
        variables.unwrap_or_else(|| panic!("{} has no variables", self.file))
    }

    /// Everything that it asks Prometheus for.
    ///
    /// # Panics
    /// When a query is in a form that this does not know.
    pub fn queries(&self) -> Vec<Query> {
        let panels = self.panels().iter().filter(|panel| panel["type"] != "row");
        let mut queries: Vec<Query> = panels.flat_map(|panel| self.queries_of(panel)).collect();
        let asking = self.variables().iter().filter(|variable| variable["type"] == "query");
        queries.extend(asking.map(|variable| self.query_of(variable)));
        queries
    }

    fn queries_of(&self, panel: &Value) -> Vec<Query> {
        let place = format!("{}: {}", self.file, text(&panel["title"]));
        let targets = panel["targets"].as_array().unwrap_or_else(|| panic!("{place}: no targets"));
        assert!(!targets.is_empty(), "{place}: no targets");
        let query = |target: &Value| Query {
            place: place.clone(),
            expression: text(&target["expr"]),
            labels: labels_of(&text(&target["legendFormat"])),
        };
        targets.iter().map(query).collect()
    }

    fn query_of(&self, variable: &Value) -> Query {
        let place = format!("{}: variable {}", self.file, text(&variable["name"]));
        let query = text(&variable["query"]["query"]);
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let parts = inner.and_then(|inner| inner.rsplit_once(", "));
        let (expression, label) = parts.unwrap_or_else(|| panic!("{place}: {query}"));
        Query { place, expression: expression.to_owned(), labels: vec![label.to_owned()] }
    }
}

/// The labels in `{{a}} and {{b}}`.
fn labels_of(legend: &str) -> Vec<String> {
    let behind = legend.split("{{").skip(1);
    behind.filter_map(|rest| rest.split_once("}}")).map(|(label, _)| label.to_owned()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The variables in an expression, those of Grafana's own (`$__rate_interval`) among them.
pub fn variables_in(expression: &str) -> BTreeSet<String> {
    let behind = expression.split('$').skip(1);
    let name = |rest: &str| {
        let rest = rest.trim_start_matches('{');
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    behind.map(name).collect()
}

/// An expression with values in the variables' place.
///
/// # Panics
/// When there is no value for one.
pub fn substituted(expression: &str, values: &[(&str, &str)]) -> String {
    let mut result = expression.to_owned();
    for name in variables_in(expression) {
        let value = values.iter().find(|(known, _)| *known == name);
        let (_, value) = value.unwrap_or_else(|| panic!("no value for ${name} in {expression}"));
        result = result.replace(&format!("${{{name}}}"), value);
        result = result.replace(&format!("${name}"), value);
    }
    result
}

/// The metrics of labs (`chronotap_…`) and the results of rules (`chronotap:…`) in a text.
pub fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c: char| !is_part(c));
    let is_ours = |word: &&str| {
        let behind = word.strip_prefix("chronotap").and_then(|rest| rest.chars().next());
        matches!(behind, Some('_' | ':'))
    };
    words.filter(is_ours).map(str::to_owned).collect()
}

/// The mode that a lab must be in for an expression to yield anything.
///
/// # Panics
/// When no single mode will do.
pub fn mode_of(expression: &str, documented: &[Documented]) -> &'static str {
    let names = metrics_in(expression);
    let metrics = documented.iter().filter(|metric| names.iter().any(|name| metric.is(name)));
    let modes: BTreeSet<_> = metrics.filter_map(|metric| metric.mode).collect();
    assert!(modes.len() < 2, "in no mode: {expression}");
    modes.into_iter().next().unwrap_or("realtime")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_variables_are_found_in_expressions() {
        let expression = "rate(chronotap_a_total{lab=\"$lab\", job=\"chronotap\"}[$__rate_interval]) \
                          / chronotap:b:rate1m{lab=\"${lab}\"}";
        let names: Vec<_> = metrics_in(expression).into_iter().collect();
        assert_eq!(names, ["chronotap:b:rate1m", "chronotap_a_total"]);
        let variables: Vec<_> = variables_in(expression).into_iter().collect();
        assert_eq!(variables, ["__rate_interval", "lab"]);
        let text = substituted(expression, &[("lab", "x"), ("__rate_interval", "5s")]);
        assert_eq!(
            text,
            "rate(chronotap_a_total{lab=\"x\", job=\"chronotap\"}[5s]) / chronotap:b:rate1m{lab=\"x\"}"
        );
        assert_eq!(labels_of("{{port}} {{direction}}: x"), ["port", "direction"]);
    }
}
