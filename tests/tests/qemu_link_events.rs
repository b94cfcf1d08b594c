//! Links that change, as real guests see it: by hand, and as the file says.

use std::io::Write as _;

use chronotap_tests::{
    lab::Lab,
    ping::Ping,
    repeat::{essence, run},
};
use serde_json::Value;
use vmctl::api::runs::How;

fn ping(lab: &Lab, args: &str) -> Ping {
    // ping exits 1 when replies are missing, which is for the caller to judge.
    Ping::parse(&lab.sh("alice", &format!("ping -q {args} bob || [ $? = 1 ]")))
}

fn links(lab: &Lab) -> Value {
    serde_json::from_str(&lab.vmctl(&["-o", "json", "link", "show"])).expect("links as JSON")
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn links_go_down_and_up_and_back_to_the_file() {
    let lab = Lab::pair("t-link-live", &["delay = '5ms'", "loss = '0%'"]);
    assert_eq!(ping(&lab, "-c 3 -i 0.1").received, 3);

    lab.vmctl(&["link", "down", "alice:eth0-bob:eth0"]);
    assert_eq!(ping(&lab, "-c 3 -i 0.1 -W 1").received, 0);
    lab.vmctl(&["link", "up", "bob:eth0"]);
    assert_eq!(ping(&lab, "-c 3 -i 0.1").received, 3);

    lab.vmctl(&["link", "down", "bob:eth0", "--direction", "forward"]);
    let seen = links(&lab);
    assert_eq!(
        (&seen[0]["forward"]["up"], &seen[0]["backward"]["up"]),
        (&true.into(), &false.into())
    );
    lab.vmctl(&["link", "up", "--all"]);

    lab.vmctl(&["link", "set", "alice:eth0", "delay=40ms", "jitter=1ms", "distribution=normal"]);
    let slow = ping(&lab, "-c 5 -i 0.1");
    assert!(slow.min_ms() >= 74.0, "twice 40 ms less three times 1 ms: {slow:?}");
    lab.vmctl(&["link", "reset", "alice:eth0", "--keys", "jitter,distribution"]);
    let seen = links(&lab);
    for way in ["forward", "backward"] {
        assert_eq!(seen[0][way]["delay_ns"], 40_000_000, "{seen}");
        assert_eq!(
            (&seen[0][way]["jitter_ns"], &seen[0][way]["distribution"]),
            (&0.into(), &"uniform".into())
        );
    }
    lab.vmctl(&["link", "reset", "--all"]);
    assert_eq!(links(&lab)[0]["forward"]["delay_ns"], 5_000_000);

    let refused = lab.try_vmctl(&["link", "set", "alice:eth0", "delay=9ms", "jitter=10ms"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(links(&lab)[0]["forward"]["delay_ns"], 5_000_000, "all of a command, or nothing");
}

/// Guests boot in about 9.3 s of their time at this rate.
const FILE: &str = "
    [time]
    mode = 'exact'
    ips = '125MHz'
    until = '20s'
    [defaults.node]
    memory = '128MiB'
    [node.core]
    kind = 'switch'
    [node.alice]
    [node.bob]
    [[link]]
    endpoints = ['alice:eth0', 'core:p1']
    delay = '10ms'
    jitter = '1ms'
    distribution = 'normal'
    rate = { trace = 'TRACE' }
    [[link.event]]
    at = '11s'
    for = '500ms'
    set = { up = false }
    [[link.event]]
    at = '12s'
    set = { delay = '60ms', rate = '10Mbit' }
    [[link.fault]]
    action = 'drop'
    direction = 'forward'
    match = { protocol = 'udp', destination_port = 5301 }
    [[link]]
    endpoints = ['bob:eth0', 'core:p2']
    delay = '5ms'
    [[partition]]
    at = '14s'
    for = '1s'
    between = [['core'], ['bob']]
    [[node.bob.run]]
    at = '10s'
    command = ['sh', '-c', 'iperf3 -s -1 -p 5300 & iperf3 -s -1 -p 5301']
    [[node.alice.run]]
    at = '10.5s'
    command = ['ping', '-i', '0.1', '-c', '20', '-W', '1', 'bob']
    [[node.alice.run]]
    at = '13.9s'
    command = ['ping', '-i', '0.1', '-c', '16', '-W', '1', 'bob']
    [[node.alice.run]]
    at = '16s'
    command = ['sh', '-c', 'iperf3 -c bob -u -p 5300 -n 20K']
    [[node.alice.run]]
    at = '17.5s'
    command = ['sh', '-c', 'timeout 2 iperf3 -c bob -u -p 5301 -n 20K']
";

/// The numbers of the echoes that were answered, and the round trips in ms.
fn answered(output: &str) -> Vec<(u32, f64)> {
    let number = |line: &str, before: &str| -> Option<f64> {
        let rest = line.split_once(before)?.1;
        rest.split(' ').next()?.parse().ok()
    };
    let lines = output.lines();
    lines
        .filter_map(|line| Some((number(line, "icmp_seq=")? as u32, number(line, "time=")?)))
        .collect()
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn what_the_file_has_happen_happens_at_its_instant_and_the_same_twice() {
    let mut trace = tempfile::NamedTempFile::new().expect("a temporary file");
    for instant in (1..=1000).filter(|instant| instant % 7 != 0) {
        writeln!(trace, "{instant}").expect("the trace is written");
    }
    let path = trace.path().to_str().expect("temporary paths are UTF-8");
    let text = FILE.replace("TRACE", path);
    let first = run("t-link-events", &text, &[]);
    let commands: Vec<_> = first.commands.iter().map(|command| &command.run).collect();
    println!("{commands:#?}");
    let by_alice = |index: usize| {
        let mut own = commands.iter().filter(|run| run.guest == "alice");
        own.nth(index).and_then(|run| run.ended.as_ref()).expect("it was scheduled, and ended")
    };

    // Echo n leaves a little after 10.5 s + (n − 1) · 0.1 s.
    let seen = answered(&by_alice(0).stdout);
    let lost: Vec<_> = (1..=20).filter(|n| seen.iter().all(|(seq, _)| seq != n)).collect();
    assert!(lost.contains(&7) && lost.contains(&8) && lost.contains(&9), "down at 11 s: {lost:?}");
    assert!(!lost.iter().any(|n| *n < 5 || *n > 11), "up again at 11.5 s: {lost:?}");
    let of = |from, to| seen.iter().filter(move |(seq, _)| (from..=to).contains(seq));
    assert!(of(2, 4).all(|(_, rtt)| (24.0..60.0).contains(rtt)), "{seen:?}");
    assert!(of(17, 20).all(|(_, rtt)| *rtt >= 124.0), "the delay changed at 12 s: {seen:?}");

    let seen = answered(&by_alice(1).stdout);
    let lost = (1..=16).filter(|n| seen.iter().all(|(seq, _)| seq != n)).count();
    assert!((8..=11).contains(&lost), "a second of ten echoes is lost: {seen:?}");

    assert_eq!(by_alice(2).how, How::Exit(0), "datagrams to another port pass");
    assert_ne!(by_alice(3).how, How::Exit(0), "those to port 5301 do not");

    let second = run("t-link-events", &text, &[]);
    assert_eq!(essence(&second), essence(&first));
    assert!(second.exact.is_some_and(|exact| exact.digest.is_some()));
}
