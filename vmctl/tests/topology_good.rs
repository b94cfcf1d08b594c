//! What a good topology file becomes: addresses, names, ports, profiles, round trips.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use chronotap::sim::{Loss, PortId, Probability, QueueLimit, Rate, Way};
use vmctl::scenario::{
    Boot, Initrd, LinkChange, OnExit, Overload, PING_FRAME, Scenario, TimeSettings, limits,
};

fn accept(text: &str) -> Scenario {
    match Scenario::parse(text, Path::new("/labs/test.toml")) {
        Ok(scenario) => scenario,
        Err(rejected) => panic!("{rejected}"),
    }
}

fn addresses(scenario: &Scenario) -> Vec<String> {
    let mut shown = Vec::new();
    for guest in &scenario.guests {
        for nic in &guest.nics {
            let address = nic.address.map_or("none".to_owned(), |address| address.to_string());
            shown.push(format!("{}:{} {address}", guest.name, nic.name));
        }
    }
    shown
}

const PAIR: &str = r#"
    [node.alice]
    [node.bob]
    [[link]]
    endpoints = ["alice:eth0", "bob:eth0"]
    delay = "10ms"
    rate = "100Mbit"
"#;

#[test]
fn the_smallest_lab_has_sane_defaults() {
    let scenario = accept("[node.alice]");
    assert_eq!(scenario.name.as_str(), "test", "named after the file");
    assert_eq!(scenario.metrics.to_string(), "127.0.0.1:9464");
    let tolerance = Duration::from_millis(2);
    assert_eq!(scenario.time, TimeSettings::Realtime { tolerance, overload: Overload::Pause });
    let alice = &scenario.guests[0];
    assert_eq!((alice.boot.clone(), alice.on_exit), (Boot::BuiltIn, OnExit::Continue));
    assert!(alice.nics.is_empty());
    assert!(scenario.warnings.to_string().contains("no link ends at `alice`"));
}

#[test]
fn a_link_has_its_values_both_ways() {
    let scenario = accept(PAIR);
    let link = &scenario.links[0];
    assert_eq!(link.label, "alice:eth0-bob:eth0");
    assert_eq!(link.mtu, 1500);
    for profile in &link.profiles {
        assert_eq!(profile.delay, Duration::from_millis(10));
        assert_eq!(profile.rate, Rate::new(100_000_000));
        assert_eq!(profile.overhead, 24);
        assert!(profile.up);
        // 100 Mbit/s × 20 ms.
        assert_eq!(profile.queue, QueueLimit { bytes: Some(250_000), frames: None });
    }
    assert_eq!(scenario.warnings.to_string(), "");
}

#[test]
fn reverse_overrides_the_link_and_the_link_its_defaults() {
    let scenario = accept(
        r#"
        [defaults.link]
        delay = "1ms"
        rate = "1Mbit"
        loss = "1%"
        overhead = "0B"
        [node.a]
        [node.b]
        [[link]]
        endpoints = ["a:eth0", "b:eth0"]
        delay = "2ms"
        mtu = 9000
        [link.reverse]
        delay = "3ms"
        rate = "none"
        loss = { model = "gilbert-elliott", p = "1%", r = "50%", loss_good = "10ppm" }
        "#,
    );
    let [forward, backward] = &scenario.links[0].profiles;
    let ppb = |ppb| Probability::from_ppb(ppb).expect("at most 1");
    assert_eq!(forward.delay, Duration::from_millis(2));
    assert_eq!(forward.rate, Rate::new(1_000_000));
    assert_eq!(forward.loss, Loss::Random(ppb(10_000_000)));
    // 1 Mbit/s × 5 ms is below the floor.
    assert_eq!(forward.queue.bytes, Some(QueueLimit::FLOOR));
    assert_eq!(backward.delay, Duration::from_millis(3));
    assert_eq!(backward.rate, None);
    assert_eq!(backward.queue, QueueLimit::default());
    let bursts = Loss::GilbertElliott {
        p: ppb(10_000_000),
        r: ppb(500_000_000),
        loss_good: ppb(10_000),
        loss_bad: Probability::ONE,
    };
    assert_eq!(backward.loss, bursts);
    assert_eq!((forward.overhead, backward.overhead), (0, 0));
    assert_eq!(scenario.guests[1].nics[0].mtu, 9000);
}

/// Nodes come in the file's order, whatever their names; NICs in the order of their numbers.
#[test]
fn ports_follow_the_file() {
    let scenario = accept(
        r#"
        [node.zoe]
        [node.adam]
        [[link]]
        endpoints = ["adam:eth0", "zoe:eth10"]
        [[link]]
        endpoints = ["adam:eth1", "zoe:eth2"]
        "#,
    );
    assert_eq!(
        addresses(&scenario),
        [
            "zoe:eth2 10.0.0.1/24",
            "zoe:eth10 10.0.1.1/24",
            "adam:eth0 10.0.1.2/24",
            "adam:eth1 10.0.0.2/24"
        ]
    );
    let ports: Vec<_> =
        scenario.guests.iter().flat_map(|guest| &guest.nics).map(|nic| nic.port).collect();
    assert_eq!(ports, (0..4).map(PortId).collect::<Vec<_>>());
    assert_eq!(scenario.plan().check(), Ok(()));
}

#[test]
fn a_switch_joins_one_network() {
    let mut text = "[node.s1]\nkind = \"switch\"\n[node.s2]\nkind = \"switch\"\n".to_owned();
    text += "[[link]]\nendpoints = [\"s1:up\", \"s2:up\"]\n";
    for (guest, switch) in [("a", "s1"), ("b", "s2"), ("c", "s1")] {
        text += &format!(
            "[[link]]\nendpoints = [\"{guest}:eth0\", \"{switch}:{guest}\"]\n[node.{guest}]\n"
        );
    }
    let scenario = accept(&text);
    assert_eq!(
        addresses(&scenario),
        ["a:eth0 10.0.0.1/24", "b:eth0 10.0.0.2/24", "c:eth0 10.0.0.3/24"]
    );
}

#[test]
fn given_addresses_are_kept_and_the_rest_fits_around_them() {
    let scenario = accept(
        r#"
        [node.s]
        kind = "switch"
        [node.a.interface.eth0]
        address = "192.168.5.2/29"
        mac = "02:00:00:00:00:0a"
        [node.b]
        [node.c]
        [node.d.interface]
        eth0 = { address = "none" }
        eth1 = { address = "10.0.0.7/24" }
        [[link]]
        endpoints = ["a:eth0", "s:a"]
        [[link]]
        endpoints = ["b:eth0", "s:b"]
        [[link]]
        endpoints = ["c:eth0", "s:c"]
        [[link]]
        endpoints = ["d:eth0", "s:d"]
        [[link]]
        endpoints = ["d:eth1", "c:eth1"]
        [[link]]
        endpoints = ["b:eth2", "c:eth2"]
        "#,
    );
    assert_eq!(
        addresses(&scenario),
        [
            "a:eth0 192.168.5.2/29",
            "b:eth0 192.168.5.1/29",
            "b:eth2 10.0.1.1/24",
            "c:eth0 192.168.5.3/29",
            "c:eth1 10.0.0.1/24",
            "c:eth2 10.0.1.2/24",
            "d:eth0 none",
            "d:eth1 10.0.0.7/24",
        ]
    );
    assert_eq!(scenario.guests[0].nics[0].mac.to_string(), "02:00:00:00:00:0a");
}

#[test]
fn macs_are_local_unicast_distinct_and_repeatable() {
    let lab = |seed: u64, name: &str| {
        let text = format!("name = \"{name}\"\nseed = {seed}\n{PAIR}");
        let scenario = accept(&text);
        scenario.guests.iter().flat_map(|guest| &guest.nics).map(|nic| nic.mac).collect::<Vec<_>>()
    };
    let macs = lab(1, "one");
    assert_eq!(macs, lab(1, "two"), "a lab's name is not part of the experiment");
    assert_ne!(macs, lab(2, "one"), "its seed is");
    assert_ne!(macs[0], macs[1]);
    for mac in macs {
        assert_eq!(mac.0[0], 0x02);
    }
}

const STAR: &str = r#"
    [defaults.link]
    rate = "1Gbit"
    [node.core]
    kind = "switch"
    [node.server]
    [node.ann]
    [node.lone]
    [[link]]
    endpoints = ["server:eth0", "core:p1"]
    delay = "100us"
    reverse = { delay = "300us" }
    [[link]]
    endpoints = ["ann:eth0", "core:p2"]
    delay = "1ms"
"#;

#[test]
fn round_trips_add_up_both_ways_and_all_links() {
    let scenario = accept(STAR);
    // (98 + 24) B × 8 at 1 Gbit/s are 976 ns; four times.
    let expected = Duration::from_nanos(100_000 + 300_000 + 2_000_000 + 4 * 976);
    assert_eq!(scenario.expected_rtt("server", "ann", PING_FRAME), Some(expected));
    assert_eq!(scenario.expected_rtt("ann", "server", PING_FRAME), Some(expected));
    assert_eq!(scenario.expected_rtt("ann", "lone", PING_FRAME), None);
    assert_eq!(scenario.expected_rtt("ann", "ann", PING_FRAME), None);
    assert_eq!(scenario.expected_rtt("ann", "nobody", PING_FRAME), None);
    let pairs = scenario.describe().pairs;
    assert_eq!(pairs.len(), 1);
    assert_eq!(u128::from(pairs[0].rtt_ns), expected.as_nanos());
}

#[test]
fn links_that_are_down_carry_no_round_trip() {
    let scenario = accept(&PAIR.replace("rate =", "up = false\n rate ="));
    assert_eq!(scenario.expected_rtt("alice", "bob", PING_FRAME), None);
}

/// Of two paths, names lead over the shorter; without a shared segment, to the first address.
#[test]
fn hosts_names_every_peer_once() {
    let scenario = accept(
        r#"
        [node.a]
        [node.b]
        [node.c]
        [[link]]
        endpoints = ["a:eth0", "b:eth0"]
        delay = "10ms"
        [[link]]
        endpoints = ["a:eth1", "b:eth1"]
        delay = "1ms"
        [[link]]
        endpoints = ["b:eth2", "c:eth0"]
        "#,
    );
    let hosts = |name: &str| {
        let guest = scenario.guest(name).expect("there");
        let hosts = scenario.hosts_of(guest).into_iter();
        hosts.map(|(address, name)| format!("{address} {name}")).collect::<Vec<_>>()
    };
    assert_eq!(hosts("a"), ["127.0.0.1 localhost", "10.0.0.1 a", "10.0.1.2 b", "10.0.2.2 c"]);
    assert_eq!(hosts("b"), ["127.0.0.1 localhost", "10.0.0.2 b", "10.0.1.1 a", "10.0.2.2 c"]);
    assert_eq!(hosts("c"), ["127.0.0.1 localhost", "10.0.2.2 c", "10.0.0.1 a", "10.0.2.1 b"]);
}

#[test]
fn a_guest_without_addresses_still_knows_its_name() {
    let scenario = accept("[node.alone]");
    let hosts = scenario.hosts_of(&scenario.guests[0]);
    assert_eq!(hosts[1], (Ipv4Addr::new(127, 0, 1, 1), "alone".to_owned()));
}

#[test]
fn kernels_are_found_beside_the_file() {
    let scenario = accept(
        r#"
        [defaults.node]
        kernel = "bzImage"
        initrd = "/boot/initrd"
        memory = "64MiB"
        [node.a]
        append = "quiet"
        on_exit = "end"
        [node.b]
        kernel = "built-in"
        "#,
    );
    let boot = Boot::Kernel {
        kernel: "/labs/bzImage".into(),
        initrd: Some(Initrd::File("/boot/initrd".into())),
        append: "quiet".to_owned(),
        modules: None,
    };
    assert_eq!(scenario.guests[0].boot, boot);
    assert_eq!(scenario.guests[0].on_exit, OnExit::End);
    assert_eq!(scenario.guests[1].boot, Boot::BuiltIn);
    assert_eq!(scenario.guests[1].memory, 64 << 20);
}

#[test]
fn links_are_found_from_either_side() {
    let scenario = accept(PAIR);
    let forward = |name: &str| scenario.find_link(name).map(|found| found.forward);
    assert_eq!(forward("alice:eth0-bob:eth0"), Ok(Way::Forward));
    assert_eq!(forward("alice:eth0"), Ok(Way::Forward));
    assert_eq!(forward("bob:eth0-alice:eth0"), Ok(Way::Backward));
    assert_eq!(forward("bob:eth0"), Ok(Way::Backward));
    let missing = scenario.find_link("alice:eth0-bbo:eth0").expect_err("no such link");
    assert_eq!(
        missing.to_string(),
        "there is no link `alice:eth0-bbo:eth0`; did you mean `alice:eth0-bob:eth0`?"
    );
}

#[test]
fn a_change_touches_what_it_names_and_one_way_if_told() {
    let scenario = accept(PAIR);
    let before = &scenario.links[0].profiles;
    let change = LinkChange::parse([("loss", "1%"), ("up", "false")]).expect("good");
    let [forward, backward] = change.apply(&[Way::Backward], before).expect("applies");
    assert_eq!(&forward, &before[0]);
    let untouched = chronotap::sim::Profile { loss: before[1].loss, up: true, ..backward.clone() };
    assert_eq!(&untouched, &before[1]);
    assert_eq!(backward.loss, Loss::Random(Probability::from_ppb(10_000_000).expect("at most 1")));
    assert!(!backward.up);
}

#[test]
fn a_queue_changes_only_when_named() {
    let profiles = accept(PAIR).links[0].profiles.clone();
    let apply = |pairs: &[(&str, &str)]| {
        let change = LinkChange::parse(pairs.iter().copied()).expect("good");
        change.apply(&Way::BOTH, &profiles).expect("applies")[0].queue
    };
    assert_eq!(apply(&[("rate", "1Gbit")]).bytes, Some(250_000));
    assert_eq!(apply(&[("rate", "1Gbit"), ("queue", "auto")]).bytes, Some(2_500_000));
    assert_eq!(apply(&[("queue", "10 frames")]), QueueLimit { bytes: None, frames: Some(10) });
    assert_eq!(apply(&[("rate", "none"), ("queue", "auto")]), QueueLimit::default());
}

#[test]
fn bursts_can_be_set_live() {
    let text = r#"{ model = "gilbert-elliott", p = "1%", r = "30%" }"#;
    let change = LinkChange::parse([("loss", text)]).expect("good");
    let profiles = accept(PAIR).links[0].profiles.clone();
    let [forward, _] = change.apply(&Way::BOTH, &profiles).expect("applies");
    assert!(matches!(forward.loss, Loss::GilbertElliott { .. }));
}

#[test]
fn wrong_changes_say_what_would_be_right() {
    let table: &[&[(&str, &str)]] = &[
        &[("dealy", "1ms")],
        &[("mtu", "1500")],
        &[("delay", "10")],
        &[("delay", "25h")],
        &[("delay", "")],
        &[("rate", "0bit")],
        &[("rate", "10Mbps")],
        &[("loss", "0.01")],
        &[("loss", "{ model = \"gilbert-elliott\", p = \"1%\" }")],
        &[("loss", "{ p = ")],
        &[("loss", "{} x = 1")],
        &[("queue", "ten frames")],
        &[("up", "no")],
        &[("delay", "1ms"), ("delay", "2ms")],
        &[("jitter", "11ms")],
    ];
    let profiles = accept(PAIR).links[0].profiles.clone();
    let said: Vec<_> = table
        .iter()
        .map(|pairs| {
            let change = LinkChange::parse(pairs.iter().copied());
            let applied = change.and_then(|change| change.apply(&Way::BOTH, &profiles));
            format!("{pairs:?}\n  {}", applied.expect_err("refused"))
        })
        .collect();
    insta::with_settings!({
        snapshot_path => "topology/said",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("link_changes", said.join("\n"));
    });
}

#[test]
fn oddities_are_warned_of() {
    let scenario = accept(
        r#"
        [metrics]
        listen = "0.0.0.0:9464"
        [node.a.interface]
        eth0 = { address = "10.0.0.1/24" }
        eth1 = { address = "10.0.0.1/16" }
        [node.b]
        [node.c]
        [[link]]
        endpoints = ["a:eth0", "b:eth0"]
        reorder = "1%"
        [[link]]
        endpoints = ["a:eth1", "b:eth1"]
        [node.s]
        kind = "switch"
        [[link]]
        endpoints = ["a:eth2", "s:p1"]
        [[link]]
        endpoints = ["b:eth2", "s:p2"]
        mtu = 9000
        "#,
    );
    insta::with_settings!({
        snapshot_path => "topology/said",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("warnings", scenario.warnings.to_string());
    });
}

#[test]
fn the_description_is_plain_json() {
    let json = serde_json::to_value(accept(PAIR).describe()).expect("serializes");
    assert_eq!(json["links"][0]["forward"]["delay_ns"], 10_000_000);
    assert_eq!(json["links"][0]["forward"]["rate_bit_per_s"], 100_000_000);
    assert_eq!(json["guests"][0]["nics"][0]["address"], "10.0.0.1/24");
    assert_eq!(json["pairs"][0]["rtt_ns"], 20_000_000 + 2 * 9_760);
}

/// One segment of 256 switches in a row and 768 interfaces: more than a /24 holds.
#[test]
fn a_lab_at_its_limits_is_accepted() {
    let mut text = "[defaults.link]\ndelay = \"1us\"\n".to_owned();
    for switch in 0..limits::SWITCHES {
        text += &format!("[node.s{switch}]\nkind = \"switch\"\n");
        if switch > 0 {
            let before = switch - 1;
            text += &format!("[[link]]\nendpoints = [\"s{before}:right\", \"s{switch}:left\"]\n");
        }
    }
    for guest in 0..limits::GUESTS {
        text += &format!("[node.g{guest}]\n");
        for nic in 0..12 {
            let switch = guest * 4 + nic % 4;
            let ends = format!("[\"g{guest}:eth{nic}\", \"s{switch}:g{guest}n{nic}\"]");
            text += &format!("[[link]]\nendpoints = {ends}\n");
        }
    }
    let scenario = accept(&text);
    assert_eq!(scenario.links.len(), limits::LINKS - 1);
    assert_eq!(scenario.plan().check(), Ok(()));
    let last = scenario.guests.last().and_then(|guest| guest.nics.last()).expect("there");
    assert_eq!(last.address.map(|address| address.to_string()), Some("10.0.3.0/22".to_owned()));
    // Nearest: from g0's switch 3 to g63's switch 252, two links of guests and 249 between.
    let expected = Duration::from_micros(2 * (2 + 249));
    assert_eq!(scenario.expected_rtt("g0", "g63", PING_FRAME), Some(expected));
    assert_eq!(scenario.describe().pairs.len(), 64 * 63 / 2);
    assert_eq!(scenario.hosts_of(&scenario.guests[0]).len(), 1 + 64);
}
