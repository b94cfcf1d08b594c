//! Mode `exact` from a topology file: what it is, when it is chosen, and what guests run by themselves.

use std::path::Path;
use std::time::Duration;

use chronotap::sim::{LinkId, Schedule, Way};
use chronotap_guest::schedule::Origin;
use vmctl::output::check;
use vmctl::scenario::{
    CannotBeExact, Exact, LinkChange, Mode, Scenario, Speed, TimeSettings, limits,
};

fn accept(text: &str) -> Scenario {
    match Scenario::parse(text, Path::new("/labs/test.toml")) {
        Ok(scenario) => scenario,
        Err(rejected) => panic!("{rejected}"),
    }
}

/// Two guests, so far from each other.
fn pair(time: &str, delay: &str) -> String {
    format!(
        r#"
        [time]
        {time}
        [node.alice]
        [node.bob]
        [[link]]
        endpoints = ["alice:eth0", "bob:eth0"]
        delay = "{delay}"
        "#
    )
}

fn exact(time: &str) -> Exact {
    let scenario = accept(&pair(&format!("mode = \"exact\"\n{time}"), "5ms"));
    assert_eq!(scenario.warnings.to_string(), "");
    *scenario.time.exact().expect("exact")
}

#[test]
fn exact_has_sane_defaults() {
    assert_eq!(exact(""), Exact::default());
    let given = exact("quantum = \"1us\"\nips = \"125MHz\"\nspeed = \"1x\"");
    assert_eq!(given.quantum, Some(Duration::from_micros(1)));
    assert_eq!((given.shift.get(), given.speed), (3, Speed::Wall));
    assert_eq!(exact("quantum = \"auto\"").quantum, None);
    assert_eq!(exact("quantum = \"5ms\"").quantum, Some(Duration::from_millis(5)));
}

#[test]
fn every_mode_has_an_end() {
    for mode in ["realtime", "lockstep", "exact"] {
        let scenario = accept(&pair(&format!("mode = \"{mode}\"\nuntil = \"90s\""), "5ms"));
        assert_eq!(scenario.until, Some(Duration::from_secs(90)), "{mode}");
        assert_eq!(scenario.time.mode().word(), mode);
    }
}

const ON_KVM: &str = "exact needs TCG, and guests run on KVM";

fn settled(text: &str, can_be_exact: Result<(), String>) -> (Mode, String) {
    let mut scenario = accept(text);
    let remark = scenario.settle(can_be_exact).expect("settles");
    (scenario.time.mode(), remark.unwrap_or_default())
}

#[test]
fn a_file_without_a_mode_gets_the_best_that_is_possible() {
    let both = |time, delay| {
        let (text, kvm) = (pair(time, delay), Err(ON_KVM.to_owned()));
        [settled(&text, Ok(())), settled(&text, kvm)].map(|(_, remark)| remark)
    };
    let said = [both("", "5ms"), both("", "50us"), both("until = \"9s\"", "0ms")].concat();
    insta::assert_snapshot!(said.join("\n"), @r#"
    mode exact: the best that this host can do
    mode lockstep: exact needs TCG, and guests run on KVM
    mode exact: the best that this host can do
    mode realtime: exact needs TCG, and guests run on KVM, and lockstep needs 100us between any two guests
    mode realtime: the others need a delay of 1us between any two guests
    mode realtime: the others need a delay of 1us between any two guests
    "#);
    assert_eq!(settled(&pair("", "5ms"), Err(ON_KVM.to_owned())).0, Mode::Lockstep);
}

#[test]
fn a_given_mode_stays() {
    for (time, mode) in [
        ("mode = \"realtime\"", Mode::Realtime),
        ("tolerance = \"5ms\"", Mode::Realtime),
        ("mode = \"lockstep\"", Mode::Lockstep),
        ("mode = \"exact\"", Mode::Exact),
    ] {
        assert_eq!(settled(&pair(time, "5ms"), Ok(())), (mode, String::new()), "{time}");
    }
    let mut asked = accept(&pair("mode = \"exact\"", "5ms"));
    let refused = asked.settle(Err(ON_KVM.to_owned())).expect_err("refused");
    assert_eq!(refused, CannotBeExact(ON_KVM.to_owned()));
    assert!(refused.to_string().ends_with(ON_KVM), "{refused}");
}

#[test]
fn a_choice_is_made_once() {
    let mut scenario = accept(&pair("", "5ms"));
    assert_eq!(scenario.time.mode(), Mode::Realtime, "until it is settled");
    assert!(scenario.settle(Ok(())).expect("settles").is_some());
    assert_eq!(scenario.settle(Ok(())), Ok(None));
    assert_eq!(scenario.time, TimeSettings::Exact(Exact::default()));
}

#[test]
fn links_keep_a_lookahead() {
    let after = |time: &str, delay| {
        let scenario = accept(&pair(&format!("mode = \"exact\"\n{time}"), "5ms"));
        let change = LinkChange::parse([("delay", delay)]).expect("good");
        let profiles = change.apply(&Way::BOTH, &scenario.links[0].profiles).expect("applies");
        let schedules = vec![profiles.each_ref().map(|profile| Schedule::new(profile, []))];
        let fits = scenario.quantum_after(&[LinkId(0)], &schedules);
        fits.map(|none| assert_eq!(none, None)).map_err(|error| error.required)
    };
    assert_eq!(after("", "1us"), Ok(()));
    assert_eq!(after("", "0us"), Err(Duration::from_micros(1)));
    assert_eq!(after("quantum = \"2ms\"", "1ms"), Err(Duration::from_millis(2)));
}

const RUNS: &str = r#"
    [[node.alice.run]]
    at = "8s"
    command = ["ping", "-c", "3", "bob"]
    expect = { exit = 0, stdout = "0% packet loss" }
    [[node.alice.run]]
    command = ["sh", "-c", "date; uptime"]
    [[node.alice.run]]
    at = "8s"
    command = ["true"]
    expect = { stderr = '^$' }
"#;

#[test]
fn commands_come_by_time_and_then_as_written() {
    let scenario = accept(&(pair("mode = \"exact\"", "5ms") + RUNS));
    let alice = scenario.guest("alice").expect("there");
    let programs: Vec<_> = alice.runs.iter().map(|run| run.command[0].as_str()).collect();
    assert_eq!(programs, ["sh", "ping", "true"]);
    let expect = alice.runs.iter().map(|run| &run.expect).collect::<Vec<_>>();
    assert!(expect[0].exit.is_none() && expect[0].stdout.is_none(), "nothing is expected");
    assert_eq!(expect[1].exit, Some(0));
    let loss = expect[1].stdout.as_ref().expect("given");
    assert!(loss.is_match("3 received, 0% packet loss"));
    let schedule = alice.schedule(Origin::Tsc).expect("commands");
    assert_eq!(schedule.runs.iter().map(|run| run.at_ns / 1_000_000).max(), Some(8_000));
    assert_eq!(scenario.guests[1].schedule(Origin::Tsc), None);
}

#[test]
fn commands_after_the_end_are_warned_of() {
    let scenario = accept(&(pair("until = \"8s\"", "5ms") + RUNS));
    assert_eq!(scenario.warnings.warnings(), 2, "{}", scenario.warnings);
    insta::assert_snapshot!(scenario.warnings.to_string().split("\n\n").next().expect("one"), @r#"
    warning: `vmctl run` stops before this command
      --> /labs/test.toml:11:10
       |
     3 |         until = "8s"
       |                 ---- it stops here
    ...
    11 |     at = "8s"
       |          ^^^^ 8s after power-on
    "#);
}

/// The limit is on QEMU's argument, in which commas are doubled.
#[test]
fn a_schedule_has_a_limit() {
    let lab = |word: &str, count| {
        let word = word.repeat(count);
        let text = format!("[node.a]\nrun = [{{ command = [\"echo\", \"{word}\"] }}]");
        Scenario::parse(&text, Path::new("lab.toml"))
    };
    assert!(lab("x", limits::SCHEDULE - 100).is_ok());
    assert!(lab(",", limits::SCHEDULE / 2 - 50).is_ok());
    assert!(lab(",", limits::SCHEDULE / 2).is_err());
    let said = lab("x", limits::SCHEDULE).expect_err("too long").to_string();
    assert!(said.contains("the commands of a guest take at most 64KiB together"), "{said}");
    let runs = "[[node.a.run]]\ncommand = [\"true\"]\n";
    let many = |count| Scenario::parse(&runs.repeat(count), Path::new("lab.toml"));
    assert!(many(limits::RUNS).is_ok());
    assert!(many(limits::RUNS + 1).is_err());
}

#[test]
fn people_see_what_a_lab_runs_in() {
    let given = "mode = \"exact\"\nips = \"500MHz\"\nquantum = \"2ms\"\nuntil = \"30s\"";
    let texts = [pair(given, "5ms") + RUNS, pair("", "5ms"), pair("", "50us"), pair("", "0s")];
    let shown = texts.map(|text| check::render(&accept(&text).describe()));
    let [first, others @ ..] = shown.each_ref().map(|shown| shown.split("\n\n"));
    let runs = first.clone().nth(2).expect("a table of commands");
    let heads = std::iter::once(first).chain(others).filter_map(|mut parts| parts.next());
    insta::assert_snapshot!(format!("{}\n\n{runs}", heads.collect::<Vec<_>>().join("\n\n")), @r#"
    lab test: exact, seed 1; 2ns an instruction, windows of at most 2ms; speed: max
    lookahead: 5ms from alice to bob: alice:eth0 → bob:eth0
    runs until: 30s
    metrics: http://127.0.0.1:9464/metrics; switches: none

    lab test: exact where the host allows, else lockstep, seed 1
    metrics: http://127.0.0.1:9464/metrics; switches: none

    lab test: exact where the host allows, else realtime, seed 1
    metrics: http://127.0.0.1:9464/metrics; switches: none

    lab test: realtime, seed 1; when releases are later than 2ms: pause
    metrics: http://127.0.0.1:9464/metrics; switches: none

    GUEST  AT  COMMAND               EXPECTED
    alice  0s  sh -c "date; uptime"  -
    alice  8s  ping -c 3 bob         exit 0, stdout 0% packet loss
    alice  8s  true                  stderr ^$
    "#);
}

#[test]
fn a_plan_says_what_is_exact() {
    let text = pair("mode = \"exact\"\nuntil = \"30s\"", "5ms") + RUNS;
    let json = serde_json::to_value(accept(&text).describe()).expect("serializes");
    let keys = ["mode", "quantum_ns", "instruction_ns", "speed", "lookahead", "until_ns"];
    let shown: Vec<_> = keys.map(|key| format!("{key}: {}", json[key])).into();
    let expect = &json["guests"][0]["runs"][1]["expect"];
    insta::assert_snapshot!(format!("{}\nexpect: {expect}", shown.join("\n")), @r#"
    mode: "exact"
    quantum_ns: null
    instruction_ns: 1
    speed: "max"
    lookahead: {"from":"alice","path":"alice:eth0 → bob:eth0","span_ns":5000000,"to":"bob"}
    until_ns: 30000000000
    expect: {"exit":0,"stderr":null,"stdout":"0% packet loss"}
    "#);
    let json = serde_json::to_value(accept(&pair("", "5ms")).describe()).expect("serializes");
    assert_eq!((&json["mode"], &json["best"]), (&"auto".into(), &"exact".into()));
}
