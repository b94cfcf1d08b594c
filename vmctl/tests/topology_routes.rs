//! Guests that forward: what routes, names and round trips come of it.

use std::path::Path;
use std::time::Duration;

use vmctl::scenario::Scenario;

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text, Path::new("lab.toml")).map_err(|rejected| rejected.to_string())
}

fn accept(text: &str) -> Scenario {
    parse(text).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn routes(scenario: &Scenario, guest: &str) -> Vec<String> {
    let guest = scenario.guest(guest).expect("it is there");
    guest.routes.iter().map(ToString::to_string).collect()
}

fn name_of(scenario: &Scenario, guest: &str, peer: &str) -> String {
    let hosts = scenario.hosts_of(scenario.guest(guest).expect("it is there"));
    let (address, _) = hosts.iter().find(|(_, name)| name == peer).expect("it is named");
    address.to_string()
}

/// a - r1 - r2 - b in a row, each link 1 ms.
const CHAIN: &str = r#"
    [defaults.link]
    delay = "1ms"
    [node.a]
    [node.b]
    [node.r1]
    forward = true
    [node.r2]
    forward = true
    [[link]]
    endpoints = ["a:eth0", "r1:eth0"]
    [[link]]
    endpoints = ["r1:eth1", "r2:eth0"]
    [[link]]
    endpoints = ["r2:eth1", "b:eth0"]
"#;

#[test]
fn every_guest_knows_every_network() {
    let scenario = accept(CHAIN);
    // 10.0.0.0/24 is a's, 10.0.1.0/24 b's, 10.0.2.0/24 between the routers.
    assert_eq!(
        routes(&scenario, "a"),
        ["10.0.1.0/24 via 10.0.0.2 dev eth0", "10.0.2.0/24 via 10.0.0.2 dev eth0"]
    );
    assert_eq!(routes(&scenario, "r1"), ["10.0.1.0/24 via 10.0.2.2 dev eth1"]);
    assert_eq!(scenario.expected_rtt("a", "b", 98), Some(Duration::from_millis(6)));
    assert_eq!(name_of(&scenario, "a", "b"), "10.0.1.1");
    assert_eq!(name_of(&scenario, "a", "r2"), "10.0.2.2", "the nearer of its two");
    let pairs = scenario.describe().pairs;
    assert_eq!(pairs.len(), 6, "all of four guests: {pairs:?}");
}

#[test]
fn nobody_routes_over_guests_that_do_not_forward() {
    let scenario = accept(&CHAIN.replacen("forward = true", "", 1));
    assert!(routes(&scenario, "a").is_empty());
    assert_eq!(scenario.expected_rtt("a", "b", 98), None);
}

/// a - r1, b - r3, and a ring of four routers whose links have these delays.
fn ring(delays: [&str; 4]) -> Scenario {
    let mut text = "[node.a]\n[node.b]\n".to_owned();
    for router in 1..=4 {
        text += &format!("[node.r{router}]\nforward = true\n");
    }
    for (index, delay) in delays.iter().enumerate() {
        let (from, to) = (index + 1, (index + 1) % 4 + 1);
        text += &format!("[[link]]\nendpoints = [\"r{from}:next\", \"r{to}:prev\"]\n");
        text += &format!("delay = \"{delay}\"\n");
    }
    text += "[[link]]\nendpoints = [\"a:eth0\", \"r1:host\"]\ndelay = \"1ms\"\n";
    text += "[[link]]\nendpoints = [\"b:eth0\", \"r3:host\"]\ndelay = \"1ms\"\n";
    accept(&text)
}

fn trip(scenario: &Scenario, ms: u64) {
    assert_eq!(scenario.expected_rtt("a", "b", 98), Some(Duration::from_millis(ms)));
    assert_eq!(scenario.expected_rtt("b", "a", 98), Some(Duration::from_millis(ms)));
}

#[test]
fn the_least_delay_wins_in_a_ring() {
    trip(&ring(["1ms", "1ms", "9ms", "9ms"]), 8);
    trip(&ring(["9ms", "9ms", "1ms", "1ms"]), 8);
    // r1 to r3 over r2 or over r4: equally far, so by the first interface.
    let even = ring(["3ms", "3ms", "3ms", "3ms"]);
    trip(&even, 16);
    let to_b = routes(&even, "r1").into_iter().find(|route| route.starts_with("10.0.1.0/24"));
    assert!(to_b.is_some_and(|route| route.ends_with("dev next")));
}

#[test]
fn links_without_delay_lead_nobody_in_circles() {
    trip(&ring(["0s", "0s", "0s", "0s"]), 4);
}

#[test]
fn links_that_are_down_are_not_used() {
    let text = CHAIN.replace("\"r1:eth1\", \"r2:eth0\"]", "\"r1:eth1\", \"r2:eth0\"]\nup = false");
    let scenario = accept(&text);
    assert_eq!(routes(&scenario, "a"), ["10.0.2.0/24 via 10.0.0.2 dev eth0"]);
    assert_eq!(scenario.expected_rtt("a", "b", 98), None);
}

#[test]
fn a_way_back_may_differ() {
    // There over the fast forward way of the first link, back over the second link.
    let scenario = accept(
        r#"
        [node.a]
        [node.b]
        [node.r1]
        forward = true
        [node.r2]
        forward = true
        [[link]]
        endpoints = ["r1:x", "r2:x"]
        delay = "1ms"
        reverse = { delay = "20ms" }
        [[link]]
        endpoints = ["r1:y", "r2:y"]
        delay = "5ms"
        [[link]]
        endpoints = ["a:eth0", "r1:eth0"]
        [[link]]
        endpoints = ["b:eth0", "r2:eth0"]
        "#,
    );
    trip(&scenario, 6);
}

#[test]
fn given_routes_replace_automatic_ones() {
    let given = "[node.a]\nroutes = [\"default via 10.0.0.2\", \"10.0.1.0/24 via 10.0.0.77\"]\n";
    let scenario = accept(&CHAIN.replace("[node.a]\n", given));
    assert_eq!(
        routes(&scenario, "a"),
        [
            "0.0.0.0/0 via 10.0.0.2 dev eth0",
            "10.0.1.0/24 via 10.0.0.77 dev eth0",
            "10.0.2.0/24 via 10.0.0.2 dev eth0"
        ]
    );
    assert_eq!(scenario.expected_rtt("a", "b", 98), None, "nobody has 10.0.0.77");
}

#[test]
fn guests_with_a_kernel_of_their_own_are_left_alone() {
    let scenario = accept(&CHAIN.replace("[node.r1]", "[node.r1]\nkernel = \"bzImage\""));
    assert!(routes(&scenario, "r1").is_empty());
    assert_eq!(routes(&scenario, "a").len(), 2, "the others are told that it forwards");
}

#[test]
fn mistakes_in_routes_are_pointed_at() {
    for (value, wanted) in [
        ("[\"10.9.0.0/16\"]", "expected a network and `via`"),
        ("[\"10.9.0.0 via 10.0.0.2\"]", "`10.9.0.0` is no network"),
        ("[\"10.9.0.7/16 via 10.0.0.2\"]", "write \"10.9.0.0/16 via 10.0.0.2\""),
        ("[\"10.9.0.0/16 via r1\"]", "`r1` is no IPv4 address"),
        ("[\"10.9.0.0/16 via 10.0.0.1\"]", "10.0.0.1 is this guest itself"),
        ("[\"10.9.0.0/16 via 10.7.0.1\"]", "10.7.0.1 lies in no network"),
        ("[\"default via 10.0.0.2\", \"default via 10.0.0.3\"]", "two routes to 0.0.0.0/0"),
        ("\"default via 10.0.0.2\"", "expected strings in an array, found a string"),
        ("[7]", "expected strings in an array, found a whole number"),
    ] {
        let text = CHAIN.replace("[node.a]\n", &format!("[node.a]\nroutes = {value}\n"));
        let rejected = parse(&text).expect_err(value);
        assert!(rejected.contains(wanted), "{value}: {rejected}");
        assert!(rejected.contains("lab.toml:5:"), "{value}: {rejected}");
    }
    let switch = parse("[node.a]\n[node.s]\nkind = \"switch\"\nforward = true\n");
    assert!(switch.expect_err("refused").contains("a switch has no `forward`"));
    let own = "[node.a]\nkernel = \"k\"\nroutes = [\"default via 10.0.0.2\"]\n";
    let rejected = parse(&CHAIN.replace("[node.a]\n", own)).expect_err("refused");
    assert!(rejected.contains("`routes` needs the built-in guest"), "{rejected}");
}
