//! The simulated network as real guests see it.
//!
//! Lower bounds are hard: no frame arrives before the file allows. Upper bounds depend on the
//! machine; they are printed and never asserted.

use chronotap_tests::{lab::Lab, ping::Ping};
use serde_json::Value;

fn ping(lab: &Lab, from: &str, args: &str) -> Ping {
    // ping exits 1 when replies are missing, which is for the caller to judge.
    Ping::parse(&lab.sh(from, &format!("ping -q {args} || [ $? = 1 ]")))
}

fn way<'a>(status: &'a Value, link: usize, way: &str) -> &'a Value {
    &status["links"][link][way]
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a count instead of {value}"))
}

/// `count` draws with probability `p` lie within six standard deviations of their mean, which fails
/// by chance once in 10⁸ runs.
fn assert_binomial(hits: u64, count: u64, p: f64) {
    let (mean, sd) = (count as f64 * p, (count as f64 * p * (1.0 - p)).sqrt());
    let distance = (hits as f64 - mean).abs();
    assert!(distance <= 6.0 * sd, "{hits} of {count} where {mean:.1} ± {sd:.1} were expected");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_pair_pings_across_a_delayed_link() {
    let lab = Lab::pair("t-pair", &["delay = '10ms'", "rate = '100Mbit'"]);
    let seen = ping(&lab, "alice", "-c 20 -i 0.05 bob");
    println!("rtt min {} ms where 20 ms are configured", seen.min_ms());
    assert_eq!(seen.received, 20);
    assert!(seen.min_ms() >= 20.0, "{seen:?}");
    let status = lab.status();
    for direction in ["forward", "backward"] {
        assert!(number(&way(&status, 0, direction)["measured_delay_ns"]) >= 10_000_000);
    }
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn three_guests_meet_on_a_switch() {
    let lab = Lab::up(
        "t-star",
        r#"
        [node.hub]
        kind = "switch"
        [node.a]
        [node.b]
        [node.c]
        [defaults.link]
        delay = "2ms"
        [[link]]
        endpoints = ["a:eth0", "hub:p1"]
        [[link]]
        endpoints = ["b:eth0", "hub:p2"]
        [[link]]
        endpoints = ["c:eth0", "hub:p3"]
        "#,
    );
    for (from, to) in [("a", "b"), ("b", "c"), ("c", "a")] {
        let seen = ping(&lab, from, &format!("-c 5 -i 0.05 {to}"));
        assert_eq!(seen.received, 5, "{from} to {to}");
        assert!(seen.min_ms() >= 8.0, "two links of 2 ms each way: {seen:?}");
    }
    // Everyone answers a broadcast: the switch floods it.
    let answers =
        lab.sh("a", "ping -b -c 3 -i 0.2 10.0.0.255 2>/dev/null | grep -c 'bytes from' || true");
    println!("replies to three broadcasts: {}", answers.trim());
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn each_direction_has_a_delay_of_its_own() {
    let lab = Lab::pair("t-asym", &["delay = '3ms'", "reverse = { delay = '30ms' }"]);
    let seen = ping(&lab, "alice", "-c 10 -i 0.05 bob");
    assert!(seen.min_ms() >= 33.0, "{seen:?}");
    let status = lab.status();
    let measured = |direction| number(&way(&status, 0, direction)["measured_delay_ns"]);
    assert!((3_000_000..30_000_000).contains(&measured("forward")), "{status}");
    assert!(measured("backward") >= 30_000_000, "{status}");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn one_percent_is_lost() {
    let lab = Lab::pair("t-loss", &["delay = '1ms'", "loss = '1%'"]);
    let seen = ping(&lab, "alice", "-c 3000 -i 0.002 bob");
    let (lost, sent) = (seen.transmitted - seen.received, seen.transmitted);
    println!("{lost} of {sent} echoes lost where 1 % goes each way");
    assert_binomial(lost, sent, 1.0 - 0.99 * 0.99);
    let status = lab.status();
    let forward = way(&status, 0, "forward");
    assert_binomial(number(&forward["dropped"]["loss"]), number(&forward["sent_frames"]), 0.01);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_link_changes_under_traffic_and_only_in_what_is_named() {
    let lab = Lab::pair("t-live", &["delay = '5ms'", "rate = '50Mbit'"]);
    let running =
        lab.spawn(&["exec", "alice", "--", "ping", "-q", "-c", "60", "-i", "0.05", "bob"]);
    lab.vmctl(&["link", "set", "alice:eth0-bob:eth0", "delay=40ms"]);
    let output = running.wait_with_output().expect("ping ends");
    let seen = Ping::parse(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(seen.received, seen.transmitted, "frames in flight survive the change");
    let after = ping(&lab, "alice", "-c 5 -i 0.05 bob");
    assert!(after.min_ms() >= 80.0, "{after:?}");
    let status = lab.status();
    for direction in ["forward", "backward"] {
        let way = way(&status, 0, direction);
        assert_eq!(number(&way["delay_ns"]), 40_000_000);
        assert_eq!(number(&way["rate_bit_per_s"]), 50_000_000, "the rate was not named");
    }
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn fifty_megabytes_arrive_unchanged() {
    let lab = Lab::up(
        "t-tcp",
        r#"
        [defaults.node]
        memory = "256MiB"
        [node.alice]
        [node.bob]
        [[link]]
        endpoints = ["alice:eth0", "bob:eth0"]
        delay = "2ms"
        rate = "200Mbit"
        "#,
    );
    let mut receiver = lab.spawn(&["exec", "bob", "--", "sh", "-c", "nc -l -p 5000 | sha256sum"]);
    lab.sh("bob", "until grep -q ':1388 ' /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done");
    let sent = lab.sh(
        "alice",
        "head -c 50000000 /dev/urandom > /tmp/it && nc bob 5000 < /tmp/it && sha256sum < /tmp/it",
    );
    drop(receiver.stdin.take());
    let got = receiver.wait_with_output().expect("the receiver ends");
    assert_eq!(sent, String::from_utf8_lossy(&got.stdout));
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn jumbo_frames_pass_where_the_mtu_allows_them() {
    let lab = Lab::pair("t-jumbo", &["delay = '1ms'", "mtu = 9000"]);
    // 8972 + 8 (ICMP) + 20 (IP) = 9000.
    let seen = ping(&lab, "alice", "-M do -s 8972 -c 5 -i 0.1 bob");
    assert_eq!(seen.received, 5, "{seen:?}");
}
