//! A lab's page in a real browser: what it shows, what it changes, and what others cannot.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
};

use chronotap_tests::{
    browser::{Browser, Tab},
    lab::{self, Lab, told},
    topology::SMALL,
};
use serde_json::{Value, json};
use vmctl::{
    api::{failure::Failure, web::Web},
    daemon::glance::Glance,
    metrics::server,
    web::{Sources, router},
};

const STAR: &str = "
[node.core]
kind = 'switch'
[node.alice]
[node.bob]
[[link]]
endpoints = ['alice:eth0', 'core:p1']
delay = '5ms'
rate = '100Mbit'
[[link]]
endpoints = ['bob:eth0', 'core:p2']
";

#[test]
#[ignore = "needs root, QEMU and Chromium; run `cargo xtask test qemu`"]
fn a_lab_is_seen_and_steered_from_its_page_and_from_nowhere_else() {
    let lab = Lab::up_with("t-page", &format!("{SMALL}{STAR}"), &["--web-control"]);
    let page: Web = serde_json::from_str(&lab.vmctl(&["-o", "json", "web"])).expect("JSON");
    assert_eq!(lab.vmctl(&["web"]).trim(), page.url);
    let key = page.url.split_once("#token=").expect("a key").1.to_owned();
    let mut browser = Browser::start(&["--host-resolver-rules=MAP evil.example 127.0.0.1"]);

    let tab = browser.open(&page.url);
    the_page_shows_the_lab(&mut browser, &tab, &lab);
    the_page_steers_the_lab(&mut browser, &tab, &lab);
    let complaints = browser.complaints(&tab);
    assert!(complaints.is_empty(), "{complaints:#?}");
    let origin = format!("http://{}/", page.address);
    let requests = browser.requests(&tab);
    assert!(requests.iter().any(|url| url.ends_with("/v1/status")), "{requests:?}");
    assert!(requests.iter().all(|url| url.starts_with(&origin)), "{requests:?}");

    a_mistake_is_told_on_the_page(&mut browser, &tab);
    others_change_nothing_and_read_nothing(&mut browser, &page, &key, &lab);
    only_the_page_is_served(&page, &key);
    the_key_is_on_no_command_line(&lab, &page, &key);
    a_guest_that_dies_is_seen_to(&mut browser, &tab, &lab);
}

fn the_page_shows_the_lab(browser: &mut Browser, tab: &Tab, lab: &Lab) {
    browser.until(tab, "document.querySelectorAll('.node').length === 3");
    let names = "[...document.querySelectorAll('.node .name')].map(e => e.textContent).sort()";
    assert_eq!(browser.ask(tab, names), json!(["alice", "bob", "core"]));
    let links = "[...document.querySelectorAll('.link')].map(e => e.dataset.name)";
    assert_eq!(browser.ask(tab, links), json!(["alice:eth0-core:p1", "bob:eth0-core:p2"]));
    browser.until(tab, "document.querySelectorAll('.node[data-state=ready]').length === 2");
    assert_eq!(browser.ask(tab, "[location.hash, document.cookie]"), json!(["", ""]));
    lab.vmctl(&["link", "set", "alice:eth0", "delay=50ms"]);
    browser.until(tab, "document.querySelector('.label').textContent.includes('50 ms')");
    browser.until(tab, "document.getElementById('events').textContent.includes('delay=50ms')");
    let ping = lab.spawn(&["exec", "alice", "--", "ping", "-q", "-i", "0.05", "-c", "80", "bob"]);
    browser.until(tab, "document.querySelector('.lane[data-level=\"1\"]')");
    assert!(ping.wait_with_output().expect("ping ends").status.success());
    lab.vmctl(&["pause"]);
    browser.until(tab, "document.getElementById('state').textContent === 'paused'");
    browser.until(tab, "document.querySelectorAll('.node[data-state=paused]').length === 2");
    lab.vmctl(&["resume"]);
    browser.until(tab, "document.getElementById('state').textContent === 'running'");
    // On a telephone nothing sticks out to the side.
    browser.resize(tab, 390, 844);
    browser.until(tab, "Number(document.getElementById('drawing').getAttribute('width')) < 390");
    let page = "document.documentElement";
    let sticks_out = browser.ask(tab, &format!("{page}.scrollWidth > {page}.clientWidth"));
    assert_eq!(sticks_out, json!(false));
    browser.resize(tab, 1280, 800);
    // With the keyboard alone.
    browser.ask(tab, "document.querySelector('.node[data-name=core]').focus()");
    let press =
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }))";
    browser.ask(tab, press);
    let facts = browser.ask(tab, "document.getElementById('details').innerText");
    assert!(
        facts.as_str().is_some_and(|text| text.contains("p1") && text.contains("alice")),
        "{facts}"
    );
}

fn the_page_steers_the_lab(browser: &mut Browser, tab: &Tab, lab: &Lab) {
    let click = |id: &str| format!("document.getElementById('{id}').click()");
    browser.ask(tab, &click("pause"));
    browser.until(tab, "document.getElementById('pause').textContent === 'Resume'");
    assert_eq!(lab.status()["state"], "paused");
    let before = lab.status()["time"]["virtual_seconds"].as_f64().expect("seconds");
    browser.ask(tab, "document.getElementById('span').value = '100ms'");
    browser.ask(tab, &click("step"));
    let passed = format!(
        "fetch('/v1/status').then(it => it.json()).then(it => it.time.virtual_seconds >= {before} + 0.1)"
    );
    browser.until(tab, &passed);
    assert_eq!(lab.status()["state"], "paused");
    browser.ask(tab, &click("pause"));
    browser.until(tab, "document.getElementById('pause').textContent === 'Pause'");
    assert_eq!(lab.status()["state"], "running");

    browser.ask(tab, "document.querySelector('.link').dispatchEvent(new MouseEvent('click'))");
    browser.until(tab, "!document.getElementById('change').hidden");
    let set = "const form = document.getElementById('change'); form.elements.delay.value = '20ms'; \
               form.elements.direction.value = 'forward'; form.requestSubmit()";
    browser.ask(tab, set);
    browser.until(tab, "document.querySelector('.label').textContent.includes('20 ms')");
    let link = &lab.status()["links"][0];
    let delays = [&link["forward"]["delay_ns"], &link["backward"]["delay_ns"]];
    assert_eq!(delays, [&json!(20_000_000), &json!(50_000_000)]);
    browser.ask(tab, &click("cable"));
    browser.until(tab, "document.querySelector('.link.down')");
    assert_eq!(lab.status()["links"][0]["forward"]["up"], false);
    browser.ask(tab, &click("restore"));
    browser.until(tab, "!document.querySelector('.link.down')");
    assert_eq!(lab.status()["links"][0]["backward"]["delay_ns"], 5_000_000);
}

/// What the lab says to it is shown.
fn a_mistake_is_told_on_the_page(browser: &mut Browser, tab: &Tab) {
    browser.ask(tab, "document.getElementById('change').elements.delay.value = 'soon'");
    browser.ask(tab, "document.getElementById('change').requestSubmit()");
    browser.until(tab, "document.getElementById('notice').textContent.includes('soon')");
    browser.ask(tab, "document.getElementById('change').reset()");
}

/// Pages of another origin, and of another name for the same address.
fn others_change_nothing_and_read_nothing(browser: &mut Browser, page: &Web, key: &str, lab: &Lab) {
    let count = |lab: &Lab| {
        let status = lab.status();
        (status["time"]["user_pauses"].clone(), status["links"].clone()[0]["forward"]["up"].clone())
    };
    let before = count(lab);
    let tries = |base: &str| {
        format!(
            "(async () => {{
              const base = '{base}', said = [];
              const note = (promise) => promise.then(
                async (answer) => said.push(answer.type + ' ' + answer.status + ' ' + (await answer.text())),
                () => said.push('refused'));
              await note(fetch(base + '/v1/status'));
              await note(fetch(base + '/v1/status', {{ mode: 'no-cors' }}));
              await note(fetch(base + '/v1/pause', {{ method: 'POST' }}));
              await note(fetch(base + '/v1/pause', {{ method: 'POST', mode: 'no-cors' }}));
              await note(fetch(base + '/v1/pause', {{ method: 'POST', headers: {{ 'chronotap-token': '{key}' }} }}));
              await note(fetch(base + '/v1/links/alice:eth0', {{ method: 'PATCH',
                body: '{{\"set\":{{\"up\":\"false\"}}}}', headers: {{ 'chronotap-token': '{key}' }} }}));
              return said;
            }})()"
        )
    };
    let elsewhere = serve("<!doctype html><title>elsewhere</title>");
    for (open, base) in [
        (format!("http://{elsewhere}/"), format!("http://{}", page.address)),
        (format!("http://localhost:{}/", elsewhere.port()), format!("http://{}", page.address)),
        (format!("http://evil.example:{}/", page.address.port()), String::new()),
    ] {
        let tab = browser.open(&open);
        let said = browser.ask(&tab, &tries(&base));
        let said = said.as_array().expect("what came of it");
        assert_eq!(said.len(), 6, "{open}: {said:?}");
        for word in said {
            let word = word.as_str().expect("text");
            let harmless =
                word == "refused" || word == "opaque 0 " || word.starts_with("basic 421 ");
            assert!(harmless && !word.contains("alice"), "{open}: {said:?}");
        }
    }
    assert_eq!(count(lab), before);
}

/// Whoever has a port of loopback, and even the key, reaches no guest and no file through it.
fn only_the_page_is_served(page: &Web, key: &str) {
    let ask = |request: &str, headers: &str| {
        let mut stream = TcpStream::connect(page.address).expect("the page is served");
        let head = format!("{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", page.address);
        stream.write_all(format!("{head}{headers}\r\n").as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let own = format!("Origin: http://{}\r\nchronotap-token: {key}\r\n", page.address);
    for request in [
        "GET /v1/web",
        "GET /v1/log",
        "GET /v1/guests/alice",
        "GET /v1/guests/alice/log",
        "GET /v1/guests/alice/exec",
        "GET /v1/guests/alice/console",
        "GET /v1/capture",
        "GET /v1/runs",
        "POST /v1/guests/alice/exec",
        "POST /v1/shutdown",
        "GET /../page.html",
    ] {
        let answer = ask(request, &own);
        assert!(answer.starts_with("HTTP/1.1 404"), "{request}: {answer}");
    }
    for path in ["/", "/main.js", "/v1/status", "/v1/clock", "/metrics"] {
        let answer = ask(&format!("GET {path}"), "");
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains(key), "{path}: {answer}");
    }
}

/// What a desktop's opener is given shows in lists of processes.
fn the_key_is_on_no_command_line(lab: &Lab, page: &Web, key: &str) {
    let bin = tempfile::tempdir().expect("a directory");
    let opener = bin.path().join("xdg-open");
    let told_to = bin.path().join("told");
    std::fs::write(&opener, format!("#!/bin/sh\necho \"$@\" > {}\n", told_to.display()))
        .expect("written");
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").expect("a PATH"));
    let output = lab::command()
        .args(["--lab", lab.name(), "web", "--open"])
        .env("PATH", path)
        .output()
        .expect("vmctl starts");
    assert!(output.status.success(), "{}", told(&output));
    let given = std::fs::read_to_string(told_to).expect("it was run");
    let file = page.opener.as_deref().expect("a file");
    assert_eq!(Path::new(given.trim()), file);
    assert!(std::fs::read_to_string(file).expect("readable").contains(key));
    let mode = std::fs::metadata(file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn a_guest_that_dies_is_seen_to(browser: &mut Browser, tab: &Tab, lab: &Lab) {
    let pid = lab.status()["guests"][1]["pid"].as_u64().expect("a pid");
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.expect("kill").success());
    // Behind the others' tabs it was hidden, and did not look.
    browser.show(tab);
    browser.until(tab, "document.querySelector('.node[data-name=bob][data-state=dead]')");
    browser.until(tab, "document.getElementById('guests').textContent.includes('dead')");
}

/// Whatever a name or an event says is shown as it is said: the page that is really served, with a
/// lab in place of a real one.
#[test]
#[ignore = "needs Chromium; run `cargo xtask test qemu`"]
fn hostile_words_are_only_words() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = runtime.block_on(server::listen(any)).expect("a port");
    let address = listener.local_addr().expect("bound");
    let sources = Sources {
        status: Glance::new(|| async { Ok::<_, Failure>(hostile_status()) }),
        clock: Glance::new(|| async {
            Ok::<_, Failure>(
                json!({ "ratio": 1.0, "recent_ratio": null, "skew_ns": null, "guests": [] }),
            )
        }),
        steering: None,
    };
    runtime.spawn(server::serve(listener, router(sources, address)));
    let mut browser = Browser::start(&[]);
    let tab = browser.open(&format!("http://{address}/"));
    browser.until(&tab, "document.querySelectorAll('.node').length === 2");
    browser.until(&tab, "document.getElementById('events').childElementCount === 1");
    for selector in ["img", "script:not([src])", "b", "iframe"] {
        let found = browser.ask(&tab, &format!("document.querySelectorAll('{selector}').length"));
        assert_eq!(found, json!(0), "{selector}");
    }
    let shown = browser.ask(&tab, "document.body.innerText").to_string();
    assert!(shown.contains("<img src=x onerror=alert(1)>"), "{shown}");
    let hidden = browser.ask(&tab, "document.getElementById('steering').hidden");
    assert_eq!(hidden, json!(true));
    let complaints = browser.complaints(&tab);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

fn hostile_status() -> Value {
    const WORDS: &str = "<img src=x onerror=alert(1)></title><script>alert(2)</script><b>'\"";
    let way = |from: &str, to: &str| {
        json!({
            "from": from, "to": to, "up": true, "delay_ns": 1000, "jitter_ns": 0,
            "distribution": WORDS, "rate_bit_per_s": null, "loss": 0.5, "loss_model": WORDS,
            "queue_bytes": null, "queue_frames": null, "overhead_bytes": 24,
            "measured_delay_ns": null, "sent_frames": 0, "sent_bytes": 0, "delivered_frames": 0,
            "delivered_bytes": 0, "dropped": { WORDS: 3 }, "in_flight_frames": 0,
            "backlog_frames": 0,
        })
    };
    let guest = json!({
        "name": WORDS, "state": WORDS, "paused": false, "reboots": 0, "vcpus": 1,
        "memory_bytes": 1, "addresses": [{ "interface": WORDS, "address": WORDS, "mac": WORDS }],
        "traffic": {},
    });
    let [a, b] = [format!("{WORDS}:eth0"), "core:p1".to_owned()];
    json!({
        "lab": {
            "name": WORDS, "mode": WORDS, "accelerator": WORDS, "seed": 1, "daemon_pid": 1,
            "web_control": false,
        },
        "state": WORDS,
        "time": {
            "virtual_seconds": 1.0, "wall_seconds": 1.0, "user_pauses": 0, "overload_pauses": 0,
        },
        "lateness": { "frames": 0 }, "in_flight": 0, "foreign": 0,
        "guests": [guest],
        "links": [{ "name": WORDS, "mtu_bytes": 1500, "forward": way(&a, &b), "backward": way(&b, &a) }],
        "events": [{
            "number": 0, "date": WORDS, "at_seconds": 0.0, "virtual_seconds": 0.0, "message": WORDS,
        }],
    })
}

/// Serves this page to whoever asks, as another site would.
fn serve(page: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Browsers connect ahead, and then say nothing.
            thread::spawn(move || answer(stream.expect("a connection"), page));
        }
    });
    address
}

fn answer(mut stream: TcpStream, page: &str) {
    let mut request = [0; 4096];
    if stream.read(&mut request).is_ok_and(|read| read > 0) {
        let head = format!("Content-Length: {}\r\nConnection: close", page.len());
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{head}\r\n\r\n{page}");
        // Whoever asked may have left.
        drop(stream.write_all(answer.as_bytes()));
    }
}
