//! What is sent, and what a whole verification looks like.

use super::paths::tests::links;
use super::probe::Volley;
use super::*;

const KEYS: &str = "[node.a]\n[node.b]\n[[link]]\nendpoints = ['a:eth0', 'b:eth0']\n";

fn args(line: &[&str]) -> Verify {
    use clap::Parser as _;
    let cli = crate::cli::Cli::try_parse_from(["vmctl", "verify"].iter().chain(line));
    match cli.expect("a command line").command {
        crate::cli::Command::Verify(args) => args,
        other => panic!("{other:?}"),
    }
}

fn plan(keys: &str, line: &[&str]) -> Plan {
    let links = links(&format!("{KEYS}{keys}"));
    let asked = [&links[0].forward, &links[0].backward].map(|way| Asked { ways: vec![way] });
    Plan::of(&asked, sizes(links[0].mtu_bytes), &args(line))
}

#[test]
fn frames_keep_clear_of_each_other() {
    let told = |keys: &str, line: &[&str]| {
        let plan = plan(keys, line);
        (plan.count, plan.interval.as_millis(), plan.bursts)
    };
    assert_eq!(told("delay = '5ms'\nrate = '100Mbit'", &[]), (200, 20, [32, 32]));
    assert_eq!(told("delay = '5ms'", &["--quick"]), (40, 20, [32, 32]));
    assert_eq!(told("delay = '9ms'\njitter = '30ms'\n".replace('9', "30").as_str(), &[]).1, 60);
    assert_eq!(told("rate = '1Mbit'\nqueue = '3 frames'", &[]).2, [4, 4], "one is on the wire");
    assert_eq!(told("mtu = 84", &[]).2, [0, 0], "small frames are the largest");
    // A frame of 98 and 24 octets takes 976 ms.
    let (count, interval, [burst, _]) = told("rate = '1kbit'", &["--frames", "3000"]);
    assert_eq!((count, interval, burst), (20, 2928, 4));
}

#[test]
fn each_side_sends_bursts_and_one_sends_small_frames() {
    let plan = plan("delay = '1ms'", &[]);
    let ids = |volleys: &[Volley]| volleys.iter().map(|v| (v.id - plan.id, v.bytes)).collect();
    let [first, second] = plan.volleys();
    let told: [Vec<_>; 2] = [ids(&first), ids(&second)];
    assert_eq!(told, [vec![(0, 98), (1, 1514)], vec![(2, 1514)]]);
    assert!(plan.ids().contains(&second[0].id) && plan.id > 0);
}

#[test]
fn a_file_of_another_lab_is_refused() {
    let scenario = |text: &str| {
        crate::scenario::Scenario::parse(text, std::path::Path::new("t.toml")).expect("right")
    };
    let here = links(KEYS);
    let there = KEYS.replace("b:eth0", "b:eth1");
    let refused = against(&scenario(&there), &here).expect_err("another link");
    assert!(refused.message.contains("only the lab has a link a:eth0-b:eth0"), "{refused}");
    let changed = scenario(&format!("{KEYS}delay = '7ms'"));
    assert_eq!(against(&changed, &here).expect("the same links")[0].forward.delay_ns, 7_000_000);
}

#[test]
fn a_guest_that_counts_less_than_the_links_take_is_told() {
    assert_eq!(too_quick(20_000_000, 20_000_000), None);
    assert_eq!(too_quick(19_990_000, 20_000_000), None, "its clock goes a little faster");
    assert_eq!(too_quick(19_000_000, 20_000_000).map(|finding| finding.subject), Some("guests"));
}

#[test]
fn what_is_off_is_told_below_the_table() {
    let links = links(&format!("{KEYS}delay = '5ms'\nrate = '10Mbit'"));
    let asked = Asked { ways: vec![&links[0].forward] };
    let error = Errors::of(&[0, 400, 5_400, 2_000_000], 10);
    let finding = Finding {
        subject: "loss",
        found: "9 of 200 frames were lost".to_owned(),
        remedy: "see `vmctl status`".to_owned(),
    };
    let off = Account {
        from: "a:eth0".into(),
        to: "b:eth0".into(),
        links: vec!["a:eth0-b:eth0".into()],
        asked: Shape::of(&asked),
        sent_frames: 200,
        arrived_frames: 191,
        copies: 0,
        held_frames: 0,
        paused_frames: 0,
        delay: Spans::of(vec![5_097_600, 5_098_000]),
        error,
        rate: Some(Rate { bit_per_s: 9_998_000, uncertainty: 0.01, by: "spacing" }),
        findings: vec![finding],
    };
    let ok = Account {
        from: "b:eth0".into(),
        to: "a:eth0".into(),
        findings: Vec::new(),
        arrived_frames: 200,
        ..off.clone()
    };
    let verification = Verification {
        lab: "pair".into(),
        mode: "realtime".into(),
        against: None,
        tolerance_ns: 250_000,
        ways: vec![off, ok],
        unmeasured: vec![Unmeasured { link: "c:eth0-d:eth0".into(), reason: "nobody".into() }],
        held: false,
    };
    insta::assert_snapshot!(verify::render(&verification));
}
