//! The dashboards in a real Grafana. No tier runs this: Grafana is in no distribution's packages.
//!
//! `cargo test -p chronotap-tests --test grafana -- --ignored`, with `grafana` and its home at hand.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use chronotap_tests::{dashboards, lab::told, time::wait_for};
use serde_json::Value;

/// Where Grafana's own packages put what the program reads, unless `GRAFANA_HOME` says otherwise.
const HOME: &str = "/usr/share/grafana";

struct Grafana(Child, String);

impl Grafana {
    fn start(place: &Path) -> Self {
        let home = env::var_os("GRAFANA_HOME").map_or(PathBuf::from(HOME), PathBuf::from);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let mut command = Command::new("grafana");
        command.arg("server").arg("--homepath").arg(&home).current_dir(&home);
        command.env("GF_PATHS_DATA", place.join("data"));
        command.env("GF_PATHS_LOGS", place.join("logs"));
        command.env("GF_PATHS_PROVISIONING", place.join("provisioning"));
        command.env("GF_SERVER_HTTP_ADDR", "127.0.0.1");
        command.env("GF_SERVER_HTTP_PORT", address.port().to_string());
        command.env("GF_AUTH_ANONYMOUS_ENABLED", "true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("this test is for machines with `grafana`");
        Self(child, format!("http://{address}"))
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut curl = Command::new("curl");
        let output = curl.args(["-sS"]).arg(format!("{}{path}", self.1)).output();
        let output = output.expect("curl is installed");
        serde_json::from_slice(&output.stdout).ok()
    }
}

impl Drop for Grafana {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it has ended");
    }
}

/// Our provisioning, with the folder of this checkout in the place of the container's.
fn provisioning(place: &Path) {
    let copied = Command::new("cp")
        .arg("-r")
        .arg(dashboards::folder().join("provisioning"))
        .arg(place)
        .output();
    let copied = copied.expect("cp runs");
    assert!(copied.status.success(), "{}", told(&copied));
    let provider = place.join("provisioning/dashboards/chronotap.yml");
    let text = fs::read_to_string(&provider).expect("it was copied");
    let folder = dashboards::folder().canonicalize().expect("it is there");
    let ours = text.replace("/etc/chronotap/dashboards", folder.to_str().expect("UTF-8"));
    assert_ne!(ours, text, "the path of dashboards has changed");
    fs::write(&provider, ours).expect("written");
}

#[test]
#[ignore = "needs Grafana, which no tier has; see dashboards/README.md"]
fn grafana_loads_every_dashboard() {
    let place = tempfile::tempdir().expect("a temporary directory");
    provisioning(place.path());
    let grafana = Grafana::start(place.path());
    for dashboard in dashboards::all() {
        let uid = dashboard.json["uid"].as_str().expect("a uid");
        let mut loaded = Value::Null;
        wait_for(&format!("{} is loaded", dashboard.file), || {
            loaded = grafana.get(&format!("/api/dashboards/uid/{uid}")).unwrap_or_default();
            loaded["dashboard"].is_object()
        });
        let loaded = &loaded["dashboard"];
        assert_eq!(loaded["title"], dashboard.json["title"]);
        let panels = loaded["panels"].as_array().expect("panels").len();
        assert_eq!(panels, dashboard.panels().len(), "{}", dashboard.file);
    }
}
