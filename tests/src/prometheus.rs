//! A Prometheus of our own with the project's configuration: it finds the labs that are up by
//! itself, as nobody in particular. Gone when this is dropped.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{dashboards, lab::told, time::wait_for};

/// User and group that own nothing: `nobody`, `nogroup` of Debian.
const NOBODY: u32 = 65534;

/// How often the configuration asks, and how often it is asked to in tests.
const INTERVALS: [&str; 2] = ["_interval: 5s", "_interval: 1s"];

/// A server, and what it keeps.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

/// A rule as the server has loaded it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Its expression, as the server writes it.
    pub query: String,
    /// Whether it is an alert.
    pub is_alert: bool,
}

impl Prometheus {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed, or does not like the configuration.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("permissions");
        let config = configuration(dir.path());
        let data = dir.path().join("data");
        std::fs::create_dir(&data).expect("a directory");
        chown(&data, Some(NOBODY), Some(NOBODY)).expect("it is nobody's");
        let address = free_address();
        let log = std::fs::File::create(dir.path().join("log")).expect("a log");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", data.display()));
        command.arg(format!("--web.listen-address={address}"));
        command.uid(NOBODY).gid(NOBODY).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("prometheus is installed");
        let mut server = Self { child, address, dir };
        wait_for("Prometheus is ready", || {
            let ended = server.child.try_wait().expect("it is ours");
            assert!(ended.is_none(), "{ended:?}: {}", server.log());
            server.get("/-/ready", &[]).is_ok_and(|text| text.contains("Ready"))
        });
        server
    }

    /// What an expression yields now: every element's labels with its value, numbers only.
    ///
    /// # Errors
    /// What the server says of an expression that is none.
    pub fn query(&self, expression: &str) -> Result<Vec<(Value, f64)>, String> {
        let answer = self.ask("/api/v1/query", &[("query", expression)])?;
        let result = &answer["result"];
        if answer["resultType"] == "scalar" {
            return Ok(number(result).map(|number| (Value::Null, number)).into_iter().collect());
        }
        let elements = result.as_array().ok_or_else(|| format!("no vector: {answer}"))?;
        let value = |element: &Value| Some((element["metric"].clone(), number(&element["value"])?));
        Ok(elements.iter().filter_map(value).collect())
    }

    /// All rules, which the server must have evaluated without complaint.
    ///
    /// # Panics
    /// When it complains.
    pub fn rules(&self) -> Vec<Rule> {
        let answer = self.ask("/api/v1/rules", &[]).expect("rules");
        let groups = answer["groups"].as_array().expect("groups");
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
        let rule = |rule: &Value| {
            assert_eq!(rule["lastError"].as_str().unwrap_or_default(), "", "{rule}");
            let text = |key: &str| rule[key].as_str().expect("a text").to_owned();
            Rule { name: text("name"), query: text("query"), is_alert: rule["type"] == "alerting" }
        };
        rules.map(rule).collect()
    }

    /// The labels of every target that was scraped without an error.
    ///
    /// # Panics
    /// When the server does not say.
    pub fn healthy_targets(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/targets", &[]).expect("targets");
        let targets = answer["activeTargets"].as_array().expect("targets").iter();
        targets.filter(|seen| seen["health"] == "up").map(|seen| seen["labels"].clone()).collect()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_else(|e| e.to_string())
    }

    fn ask(&self, path: &str, arguments: &[(&str, &str)]) -> Result<Value, String> {
        let text = self.get(path, arguments)?;
        let mut answer: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        if answer["status"] == "success" { Ok(answer["data"].take()) } else { Err(text) }
    }

    fn get(&self, path: &str, arguments: &[(&str, &str)]) -> Result<String, String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--get"]);
        for (name, value) in arguments {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        curl.arg(format!("http://{}{path}", self.address));
        let output = curl.output().map_err(|error| format!("curl: {error}"))?;
        if !output.status.success() {
            return Err(told(&output));
        }
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it has ended");
    }
}

/// Our configuration and rules where nobody may read them, asking more often than for people.
fn configuration(place: &Path) -> PathBuf {
    let text = dashboards::read("prometheus.yml");
    assert!(text.contains(INTERVALS[0]), "another interval: {text}");
    let config = place.join("prometheus.yml");
    std::fs::write(&config, text.replace(INTERVALS[0], INTERVALS[1])).expect("written");
    std::fs::create_dir(place.join("rules")).expect("a directory");
    for file in dashboards::rules() {
        let name = file.file_name().expect("a name");
        std::fs::copy(&file, place.join("rules").join(name)).expect("copied");
    }
    config
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("bound")
}

/// The value of `[instant, "value"]`, if it is a number.
fn number(sample: &Value) -> Option<f64> {
    let value: f64 = sample[1].as_str()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}
