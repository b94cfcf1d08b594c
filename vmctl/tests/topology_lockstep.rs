//! Windows from a topology file: what they are, what is warned of, and what links may become.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use chronotap::sim::{GuestId, LinkId, Profile, Schedule, SwitchId, Way};
use proptest::prelude::*;
use vmctl::scenario::{LinkChange, Lockstep, Mode, Parallel, Scenario, Start};

fn accept(text: &str) -> Scenario {
    match Scenario::parse(text, Path::new("/labs/test.toml")) {
        Ok(scenario) => scenario,
        Err(rejected) => panic!("{rejected}"),
    }
}

/// The links of a scenario over time, with one of them as it never was.
fn with(scenario: &Scenario, link: u32, profiles: &[Profile; 2]) -> Vec<[Schedule; 2]> {
    let mut schedules = scenario.schedules();
    schedules[link as usize] = profiles.each_ref().map(|profile| Schedule::new(profile, []));
    schedules
}

const fn us(count: u64) -> Duration {
    Duration::from_micros(count)
}

/// Three guests on a switch: 1 ms, 4 ms less 1 ms of jitter, and 20 ms away from it.
fn star(time: &str) -> String {
    star_of(time, [1_000, 4_000, 20_000, 30_000])
}

/// The same with other delays, in microseconds.
fn star_of(time: &str, [alice, bob, carol, beside]: [u64; 4]) -> String {
    format!(
        r#"
        [time]
        mode = "lockstep"
        {time}
        [node.alice]
        [node.hub]
        kind = "switch"
        [node.bob]
        [node.carol]
        [[link]]
        endpoints = ["alice:eth0", "hub:p1"]
        delay = "{alice}us"
        [[link]]
        endpoints = ["hub:p2", "bob:eth0"]
        delay = "{bob}us"
        jitter = "1ms"
        [[link]]
        endpoints = ["carol:eth0", "hub:p3"]
        delay = "{carol}us"
        [[link]]
        endpoints = ["carol:eth1", "alice:eth1"]
        delay = "{beside}us"
        "#
    )
}

fn lockstep(scenario: &Scenario) -> Lockstep {
    *scenario.time.lockstep().expect("in lockstep")
}

/// Quantum and budget in microseconds.
fn windows(time: &str) -> (u128, u128) {
    let quantum = lockstep(&accept(&star(time))).quantum;
    (quantum.span().as_micros(), quantum.budget().as_micros())
}

#[test]
fn windows_follow_from_the_least_path() {
    let table = [
        ("", (3_200, 800)),
        ("quantum = \"auto\"", (3_200, 800)),
        ("quantum = \"2ms\"", (2_000, 2_000)),
        ("quantum = \"4ms\"", (4_000, 0)),
        ("overrun_budget = \"1.5ms\"", (2_500, 1_500)),
        ("quantum = \"2ms\"\noverrun_budget = \"500us\"", (2_000, 500)),
    ];
    for (time, expected) in table {
        assert_eq!(windows(time), expected, "{time}");
    }
}

#[test]
fn lockstep_has_sane_defaults() {
    let scenario = accept(&star(""));
    let settings = lockstep(&scenario);
    assert_eq!(scenario.time.mode(), Mode::Lockstep);
    assert_eq!(settings.parallel, Parallel::Auto);
    assert_eq!(settings.start, Start::AfterBoot);
    assert!(settings.auto && !settings.strict && settings.budget_given.is_none());
    assert_eq!(scenario.warnings.to_string(), "");
    let given = "parallel = 2\nstart = \"power-on\"\nstrict = true\nquantum = \"2ms\"";
    let settings = lockstep(&accept(&star(given)));
    let two = NonZeroU32::new(2).expect("not zero");
    assert_eq!((settings.parallel, settings.start), (Parallel::AtMost(two), Start::PowerOn));
    assert!(settings.strict && !settings.auto);
}

#[test]
fn the_least_path_is_told_in_the_words_of_the_file() {
    let scenario = accept(&star(""));
    let route = scenario.least_route().expect("connected");
    assert_eq!(route.to_string(), "alice:eth0 → hub → bob:eth0");
    assert_eq!(route.with_delays(), "alice:eth0 → hub → bob:eth0: 1ms + 3ms");
    assert_eq!(route.delay, us(4_000));
    assert_eq!(scenario.lookahead().span(), Some(us(4_000)));
    // alice:eth0, alice:eth1, bob:eth0, carol:eth0, carol:eth1.
    assert_eq!(scenario.owners(), [0, 0, 1, 2, 2].map(GuestId));
    let to_hub = |guest| scenario.paths().to_switch(GuestId(guest), SwitchId(0));
    assert_eq!([0, 1, 2].map(to_hub), [1_000, 3_000, 20_000].map(|delay| Some(us(delay))));
}

#[test]
fn guests_without_a_path_have_windows_too() {
    let scenario = accept(
        r#"
        time = { mode = "lockstep" }
        [node.a]
        [node.b]
        [node.s]
        kind = "switch"
        [node.t]
        kind = "switch"
        [[link]]
        endpoints = ["a:eth0", "s:p1"]
        [[link]]
        endpoints = ["b:eth0", "t:p1"]
        "#,
    );
    assert_eq!((scenario.lookahead().span(), scenario.least_route()), (None, None));
    assert_eq!(lockstep(&scenario).quantum.span(), us(10_000));
    let free = scenario.quantum_after(&[LinkId(0)], &scenario.schedules()).expect("nothing to fit");
    assert_eq!(free, Some(lockstep(&scenario).quantum));
}

#[test]
fn windows_that_work_badly_are_warned_of() {
    let texts = [
        star_of("", [200, 2_000, 5_000, 5_000]),
        star("quantum = \"500us\""),
        star("quantum = \"4ms\""),
        star("overrun_budget = \"20us\""),
    ];
    let said: Vec<_> = texts.iter().map(|text| accept(text).warnings.to_string()).collect();
    insta::with_settings!({
        snapshot_path => "topology/said",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("lockstep_warnings", said.join("\n\n"));
    });
}

/// What `vmctl link set` would make of the link between the hub and a guest.
fn after(time: &str, link: u32, ways: &[Way], change: &[(&str, &str)]) -> String {
    let scenario = accept(&star(time));
    let profiles = &scenario.links[link as usize].profiles;
    let change = LinkChange::parse(change.iter().copied()).expect("good");
    let profiles = change.apply(ways, profiles).expect("applies");
    match scenario.quantum_after(&[LinkId(link)], &with(&scenario, link, &profiles)) {
        Ok(Some(quantum)) => format!("{:?} + {:?}", quantum.span(), quantum.budget()),
        Ok(None) => "no windows".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn windows_follow_links_that_change() {
    let both = |time, link, change: &[(&str, &str)]| after(time, link, &Way::BOTH, change);
    assert_eq!(both("", 0, &[("delay", "0ms")]), "2.4ms + 600µs");
    assert_eq!(both("", 0, &[("loss", "1%"), ("up", "false")]), "3.2ms + 800µs");
    assert_eq!(both("", 0, &[("delay", "1s")]), "10ms + 13ms", "carol to bob");
    assert_eq!(both("quantum = \"2ms\"", 0, &[("delay", "0ms")]), "2ms + 1ms");
    assert_eq!(both("overrun_budget = \"1ms\"", 0, &[("delay", "0ms")]), "2ms + 1ms");
    let realtime = star("").replace("lockstep", "realtime");
    let realtime = accept(&realtime);
    let nothing = realtime.quantum_after(&[LinkId(0)], &with(&realtime, 0, &Default::default()));
    assert_eq!(nothing, Ok(None), "there are no windows");
}

#[test]
fn changes_that_windows_do_not_fit_say_what_would() {
    let quantum = "quantum = \"3.5ms\"";
    let said = [
        after(quantum, 0, &Way::BOTH, &[("delay", "0ms")]),
        after(quantum, 1, &[Way::Backward], &[("delay", "2ms"), ("jitter", "500us")]),
        after("overrun_budget = \"2ms\"", 1, &Way::BOTH, &[("jitter", "4ms")]),
        after("", 3, &Way::BOTH, &[("delay", "0ms")]),
    ];
    insta::with_settings!({
        snapshot_path => "topology/said",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("lockstep_changes", said.join("\n"));
    });
}

#[test]
fn a_plan_says_how_time_is_governed() {
    let json = serde_json::to_value(accept(&star("parallel = 3")).describe()).expect("serializes");
    let keys = ["mode", "quantum_ns", "quantum_auto", "overrun_budget_ns", "lookahead"];
    let keys = keys.into_iter().chain(["parallel", "start", "strict"]);
    let shown: Vec<_> = keys.map(|key| format!("{key}: {}", json[key])).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    mode: "lockstep"
    quantum_ns: 3200000
    quantum_auto: true
    overrun_budget_ns: 800000
    lookahead: {"from":"alice","path":"alice:eth0 → hub → bob:eth0","span_ns":4000000,"to":"bob"}
    parallel: 3
    start: "after-boot"
    strict: false
    "#);
    let realtime = accept("time = { mode = \"realtime\" }\n[node.a]");
    let json = serde_json::to_value(realtime.describe()).expect("serializes");
    assert_eq!((&json["mode"], &json["overload"]), (&"realtime".into(), &"pause".into()));
    assert_eq!(json["tolerance_ns"], 2_000_000);
}

#[test]
fn people_see_windows_and_what_bounds_them() {
    let given = "quantum = \"2ms\"\nparallel = 2\nstart = \"power-on\"\nstrict = true";
    let alone = "time = { mode = \"lockstep\" }\n[node.alone]".to_owned();
    let texts = [star(""), star(given), alone];
    let shown = texts.map(|text| vmctl::output::check::render(&accept(&text).describe()));
    let heads = shown.each_ref().map(|shown| shown.split("\n\n").next().unwrap_or_default());
    insta::assert_snapshot!(heads.join("\n\n"), @r"
    lab test: lockstep, seed 1; windows of 3.2ms (auto); when overrun by more than 800us: a warning
    lookahead: 4ms from alice to bob: alice:eth0 → hub → bob:eth0
    guests at once: auto; start: after-boot
    metrics: http://127.0.0.1:9464/metrics; switches: hub

    lab test: lockstep, seed 1; windows of 2ms; when overrun by more than 2ms: the lab ends
    lookahead: 4ms from alice to bob: alice:eth0 → hub → bob:eth0
    guests at once: 2; start: power-on
    metrics: http://127.0.0.1:9464/metrics; switches: hub

    lab test: lockstep, seed 1; windows of 10ms (auto); when overrun by more than 10ms: a warning
    lookahead: unlimited, no two guests are connected
    guests at once: auto; start: after-boot
    metrics: http://127.0.0.1:9464/metrics; switches: none
    ");
}

fn spans() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(prop_oneof![Just(0), 50u64..3_000, 3_000u64..40_000])
}

proptest! {
    /// Whatever is accepted fits the lookahead, before and after a link changes; and the delay
    /// that a refusal names does, a little less does not.
    #[test]
    fn accepted_windows_fit(
        quantum in spans(),
        budget in spans(),
        delays in prop::array::uniform4(1_000u64..12_000),
        changed in (0u32..4, 0u64..4_000, 0u64..12_000),
    ) {
        let key = |(key, value): (&str, Option<u64>)| {
            value.map(|us| format!("{key} = \"{us}us\"\n")).unwrap_or_default()
        };
        let time = [("quantum", quantum), ("overrun_budget", budget)].map(key).concat();
        let text = star_of(&time, delays);
        let Ok(scenario) = Scenario::parse(&text, Path::new("any.toml")) else { return Ok(()) };
        let fits = |scenario: &Scenario, quantum: chronotap::sim::Quantum| {
            scenario.lookahead().span().is_some_and(|l| quantum.span() + quantum.budget() <= l)
        };
        prop_assert!(fits(&scenario, lockstep(&scenario).quantum));

        let (link, forward, backward) = changed;
        let changed = |delays: [Duration; 2]| {
            let mut scenario = scenario.clone();
            let profiles = delays.map(|delay| Profile { delay, ..Profile::default() });
            scenario.links[link as usize].profiles = profiles.clone();
            (scenario, profiles)
        };
        let delays = [us(forward), us(backward)];
        let (after, profiles) = changed(delays);
        match scenario.quantum_after(&[LinkId(link)], &with(&scenario, link, &profiles)) {
            Ok(quantum) => prop_assert!(fits(&after, quantum.expect("in lockstep"))),
            Err(refused) => {
                let raised = |least: Duration| changed(delays.map(|delay| delay.max(least))).1;
                let try_with = |least| {
                    let schedules = with(&scenario, link, &raised(least));
                    scenario.quantum_after(&[LinkId(link)], &schedules)
                };
                prop_assert!(try_with(refused.least).is_ok());
                prop_assert!(try_with(refused.least - us(1)).is_err());
            }
        }
    }
}
