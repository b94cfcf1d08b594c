//! Chromium without a window, over the DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>): pages are opened, asked and clicked as a
//! user would, and what they fetch and complain of is noted.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// How long a page may take to become what is waited for, on a host that is busy with guests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser; ends when it is dropped.
pub struct Browser {
    chromium: Child,
    socket: WebSocket<TcpStream>,
    calls: u64,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

/// A page that is open in a browser.
#[derive(Debug, Clone)]
pub struct Tab(String);

impl Browser {
    /// Starts one with these further arguments.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(args: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a directory for the profile");
        let mut chromium = Command::new("chromium")
            // Root has no sandbox; what is opened is ours.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium starts; `cargo xtask setup` installs it");
        let mut said = BufReader::new(chromium.stderr.take().expect("a pipe")).lines();
        let url = said.find_map(|line| {
            line.expect("chromium's words")
                .strip_prefix("DevTools listening on ")
                .map(str::to_owned)
        });
        let url = url.expect("chromium says where it listens");
        // It would wait for a reader otherwise.
        std::thread::spawn(move || said.for_each(drop));
        let address = url.trim_start_matches("ws://").split('/').next().expect("an address");
        let stream = TcpStream::connect(address).expect("chromium answers");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let (socket, _) = client(url.as_str(), stream).expect("a WebSocket");
        Self { chromium, socket, calls: 0, events: Vec::new(), _profile: profile }
    }

    /// Opens a page; what it does from its first request on is noted.
    pub fn open(&mut self, url: &str) -> Tab {
        let target = self.call(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", attach);
        let tab = Tab(session["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Runtime", "Log", "Network", "Page"] {
            self.call(Some(&tab), &format!("{domain}.enable"), json!({}));
        }
        self.call(Some(&tab), "Page.navigate", json!({ "url": url }));
        self.until(&tab, "document.readyState === 'complete' && location.href !== 'about:blank'");
        tab
    }

    /// Puts a page in front of those that were opened later.
    pub fn show(&mut self, tab: &Tab) {
        self.call(Some(tab), "Page.bringToFront", json!({}));
    }

    /// Makes a page as large as this window.
    pub fn resize(&mut self, tab: &Tab, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call(Some(tab), "Emulation.setDeviceMetricsOverride", size);
    }

    /// What an expression is in a page; of a promise, what it comes to.
    ///
    /// # Panics
    /// When it throws.
    pub fn ask(&mut self, tab: &Tab, expression: &str) -> Value {
        let what = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "userGesture": true,
        });
        let answer = self.call(Some(tab), "Runtime.evaluate", what);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer:#}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression, or what it promises, is true in a page.
    ///
    /// # Panics
    /// When it does not become so; with what the page shows.
    pub fn until(&mut self, tab: &Tab, expression: &str) {
        let begun = Instant::now();
        while self.ask(tab, &format!("(async () => Boolean(await ({expression})))()"))
            != json!(true)
        {
            if begun.elapsed() > PATIENCE {
                let shown = self.ask(tab, "document.body.innerText");
                panic!(
                    "`{expression}` does not become true: {shown:#}\n{:?}",
                    self.complaints(tab)
                );
            }
            sleep(Duration::from_millis(100));
        }
    }

    /// Errors and warnings of a page so far, and exceptions that nobody caught.
    pub fn complaints(&mut self, tab: &Tab) -> Vec<String> {
        let of = self.events_of(tab);
        let complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].map(Value::from).contains(&event["params"]["type"])
            }
            Some("Log.entryAdded") => {
                let level = &event["params"]["entry"]["level"];
                ["error", "warning"].map(Value::from).contains(level)
            }
            _ => false,
        };
        of.iter().filter(complaint).map(|event| event["params"].to_string()).collect()
    }

    /// The addresses that a page has asked for, the one that it was opened by included.
    pub fn requests(&mut self, tab: &Tab) -> Vec<String> {
        let events = self.events_of(tab);
        let sent = events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        let url = |event: &Value| event["params"]["request"]["url"].as_str().map(str::to_owned);
        sent.filter_map(url).collect()
    }

    fn events_of(&mut self, tab: &Tab) -> Vec<Value> {
        // Events come in order: what was before this answer is there when it is.
        self.ask(tab, "0");
        self.events.iter().filter(|event| event["sessionId"] == tab.0).cloned().collect()
    }

    fn call(&mut self, tab: Option<&Tab>, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(Tab(session)) = tab {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(call.to_string())).expect("chromium listens");
        loop {
            let message = self.socket.read().expect("chromium answers in time");
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.chromium.kill());
        drop(self.chromium.wait());
    }
}
