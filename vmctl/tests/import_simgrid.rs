//! SimGrid's platforms as labs: the same delay and the same narrowest rate between any two guests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use vmctl::import::{Imported, Input, simgrid};
use vmctl::scenario::Scenario;

fn input(path: &str, text: &str) -> Input {
    Input { path: PathBuf::from(path), text: text.to_owned() }
}

fn fixture(name: &str) -> Input {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/simgrid").join(name);
    Input { path: PathBuf::from(name), ..Input::read(&path).expect("the file is there") }
}

fn platform(inside: &str) -> String {
    let model = "<config><prop id=\"network/model\" value=\"CM02\"/></config>";
    format!("<platform version=\"4.1\">\n{model}\n{inside}\n</platform>")
}

fn actors(hosts: &[&str]) -> Input {
    let actors = hosts.iter().map(|host| format!("<actor host=\"{host}\" function=\"vsg_vm\"/>\n"));
    let actors: String = actors.collect();
    input("d.xml", &format!("<platform version=\"4.1\">\n{actors}</platform>"))
}

fn refused(inside: &str, hosts: &[&str]) -> String {
    let platform = input("p.xml", &platform(inside));
    simgrid(&platform, &actors(hosts)).expect_err("refused").to_string()
}

fn accept(inside: &str, hosts: &[&str]) -> Made {
    let imported = simgrid(&input("p.xml", &platform(inside)), &actors(hosts));
    Made::new(imported.unwrap_or_else(|report| panic!("{report}")))
}

struct Made {
    imported: Imported,
    scenario: Scenario,
}

impl Made {
    fn new(imported: Imported) -> Self {
        let scenario = Scenario::parse(&imported.topology, Path::new("lab.toml"));
        let scenario = scenario.unwrap_or_else(|rejected| panic!("{rejected}"));
        Self { imported, scenario }
    }

    /// Asserts the round trip of an empty frame, which its preamble and gap make a little longer.
    fn trips(&self, a: &str, b: &str, us: u64) {
        let trip = self.scenario.expected_rtt(a, b, 0);
        let trip = trip.unwrap_or_else(|| panic!("{a} and {b} are joined"));
        let least = Duration::from_micros(us);
        let topology = &self.imported.topology;
        assert!((least..least + Duration::from_micros(20)).contains(&trip), "{trip:?}\n{topology}");
    }

    /// The rates of all links, both ways.
    fn rates(&self) -> Vec<u64> {
        let rates = self.scenario.links.iter().flat_map(|link| &link.profiles);
        rates.filter_map(|profile| profile.rate).map(|rate| rate.bits_per_second()).collect()
    }

    fn warned(&self, part: &str) -> bool {
        self.imported.warnings.iter().any(|warning| warning.to_string().contains(part))
    }

    fn is_tree(&self) -> bool {
        !self.imported.topology.contains("has a link of its own")
    }
}

#[test]
fn tansivs_example_becomes_a_lab() {
    let imported = simgrid(&fixture("nova_cluster.xml"), &fixture("deployment.xml"));
    let made = Made::new(imported.unwrap_or_else(|report| panic!("{report}")));
    // 10 ms at each host, there and back.
    made.trips("nova-1", "nova-2", 40_000);
    insta::assert_snapshot!(made.imported.topology);
    let warnings: Vec<_> = made.imported.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(warnings.join("\n"));
}

#[test]
fn a_cluster_is_a_switch_and_its_backbone_two_halves() {
    let cluster = r#"<cluster id="c" prefix="h" suffix="" radical="1-3,7" speed="1Gf" bw="1Gbps"
        lat="50us" bb_bw="2Gbps" bb_lat="101ns"/>"#;
    let made = accept(cluster, &["h1", "h2", "h7"]);
    for (a, b) in [("h1", "h2"), ("h2", "h7"), ("h1", "h7")] {
        made.trips(a, b, 200);
    }
    assert_eq!(made.scenario.switches.len(), 1);
    assert_eq!(made.scenario.links.len(), 3);
    assert!(made.rates().iter().all(|rate| *rate == 1_000_000_000));
    assert!(made.warned("p.xml:3: `c_backbone` is shared by all of its guests"));
    assert!(refused(cluster, &["h1", "h5"]).contains("the platform has no host `h5`"));
    assert!(refused(cluster, &["h1", "h07"]).contains("the platform has no host `h07`"));
}

/// Two clusters behind a line.
const TWO_SITES: &str = r#"
<zone id="world" routing="Full">
  <cluster id="a" prefix="a" suffix=".x" radical="0-9" speed="1Gf" bw="1Gbps" lat="1ms"
    bb_bw="10Gbps" bb_lat="2ms" router_id="ra"/>
  <cluster id="b" prefix="b" suffix=".x" radical="0-9" speed="1Gf" bw="1Gbps" lat="3ms" router_id="rb"/>
  <link id="line" bandwidth="100Mbps" latency="20ms" sharing_policy="SPLITDUPLEX"/>
  <zoneRoute src="a" dst="b" gw_src="ra" gw_dst="rb"><link_ctn id="line" direction="UP"/></zoneRoute>
</zone>"#;

#[test]
fn zones_are_joined_over_their_gateways() {
    let made = accept(TWO_SITES, &["a0.x", "a1.x", "b0.x", "b1.x"]);
    made.trips("a0", "a1", 2 * (1 + 2 + 1) * 1000);
    made.trips("b0", "b1", 2 * (3 + 3) * 1000);
    made.trips("a0", "b1", 2 * (1 + 2 + 20 + 3) * 1000);
    assert_eq!(made.scenario.switches.len(), 2, "{}", made.imported.topology);
    assert_eq!(made.rates().iter().filter(|rate| **rate == 100_000_000).count(), 2);
    assert!(made.is_tree());
}

/// A chain of three hosts in zones of either shortest-path scheme.
#[test]
fn chains_of_routes_are_followed() {
    for routing in ["Floyd", "Dijkstra", "DijkstraCache"] {
        let zone = format!(
            r#"<AS id="z" routing="{routing}"><host id="a" speed="1f"/><host id="b" speed="1f"/>
            <router id="r"/><host id="c" speed="1f"/>
            <link id="ar" bandwidth="1MBps" latency="1ms" sharing_policy="SPLITDUPLEX"/>
            <link id="rb" bandwidth="2MBps" latency="2ms" sharing_policy="SPLITDUPLEX"/>
            <link id="rc" bandwidth="3MBps" latency="4ms" sharing_policy="SPLITDUPLEX"/>
            <route src="a" dst="r"><link_ctn id="ar"/></route>
            <route src="r" dst="b"><link_ctn id="rb"/></route>
            <route src="r" dst="c"><link_ctn id="rc"/></route></AS>"#
        );
        let made = accept(&zone, &["a", "b", "c"]);
        // 24 octets at 8 Mbit/s take 24 us: the rates are looked at below.
        for (a, b, ms) in [("a", "b", 3), ("b", "c", 6), ("a", "c", 5)] {
            let trip = made.scenario.expected_rtt(a, b, 0).expect("joined");
            assert_eq!(trip.as_millis(), 2 * ms, "{a} {b}");
        }
        assert!(made.is_tree() && made.scenario.switches.len() == 1);
        assert_eq!(
            made.rates(),
            [8_000_000, 8_000_000, 16_000_000, 16_000_000, 24_000_000, 24_000_000]
        );
    }
}

/// A full mesh of three: no tree.
fn triangle(more: &str) -> String {
    format!(
        r#"<zone id="z" routing="Full"><host id="a" speed="1f"/><host id="b" speed="1f"/>
        <host id="c" speed="1f"/>
        <link id="ab" bandwidth="10Gbps" latency="1ms" sharing_policy="SPLITDUPLEX"/>
        <link id="bc" bandwidth="10Gbps" latency="2ms" sharing_policy="FATPIPE"/>
        <link id="ca" bandwidth="10Gbps" latency="4ms"/>
        <route src="a" dst="b"><link_ctn id="ab" direction="UP"/></route>
        <route src="b" dst="c"><link_ctn id="bc"/></route>
        {more}</zone>"#
    )
}

#[test]
fn what_is_no_tree_becomes_a_link_per_pair() {
    let there_only = r#"<route src="c" dst="a" symmetrical="NO"><link_ctn id="ca"/></route>
        <route src="a" dst="c" symmetrical="NO"><link_ctn id="ab"/><link_ctn id="bc"/></route>"#;
    let made = accept(&triangle(there_only), &["a", "b", "c"]);
    assert!(!made.is_tree());
    made.trips("a", "b", 2000);
    made.trips("b", "c", 4000);
    made.trips("a", "c", 4000 + 3000);
    assert!(made.warned("p.xml:5: `ab` lies between 2 pairs of guests"));
    assert!(made.warned("`FATPIPE`") && made.warned("no `sharing_policy` is `SHARED`"));
}

#[test]
fn coordinates_say_how_far_peers_are_apart() {
    let peers = r#"<zone id="z" routing="Vivaldi">
        <peer id="a" speed="1f" bw_in="1GBps" bw_out="2GBps" coordinates="0 0 1"/>
        <peer id="b" speed="1f" bw_in="1GBps" bw_out="2GBps" coordinates="30 40 2.5"/></zone>"#;
    let made = accept(peers, &["a", "b"]);
    made.trips("a", "b", 2 * 53_500);
    assert!(made.rates().iter().all(|rate| *rate == 8_000_000_000));
}

#[test]
fn cabinets_and_stars_hang_on_a_backbone() {
    let zone = r#"<zone id="z" routing="Cluster">
        <cabinet id="k" prefix="n" suffix="" radical="1-9" speed="1f" bw="1Gbps" lat="2ms"/>
        <backbone id="bb" bandwidth="10Gbps" latency="1ms" sharing_policy="FATPIPE"/>
        <host id="own" speed="1f"/>
        <link id="l" bandwidth="1Gbps" latency="5ms" sharing_policy="SPLITDUPLEX"/>
        <host_link id="own" up="l_UP" down="l_DOWN"/></zone>"#;
    let made = accept(zone, &["n1", "n2", "own"]);
    made.trips("n1", "n2", 2 * 5000);
    made.trips("n1", "own", 2 * 8000);
    assert!(made.is_tree());
}

#[test]
fn bypasses_stand_in_for_routes() {
    let bypass = r#"<route src="a" dst="c"><link_ctn id="ca"/></route>
        <bypassRoute src="a" dst="b"><link_ctn id="ca"/></bypassRoute>
        <bypassRoute src="b" dst="a"><link_ctn id="ca"/></bypassRoute>"#;
    accept(&triangle(bypass), &["a", "b"]).trips("a", "b", 8000);
}

#[test]
fn what_cannot_be_a_lab_is_refused_with_its_place() {
    let torus = r#"<cluster id="c" prefix="h" suffix="" radical="0-7" speed="1f" bw="1Gbps" lat="1us"
        topology="TORUS" topo_parameters="2,2,2"/>"#;
    for (inside, hosts, wanted) in [
        (torus, &["h1", "h2"][..], "clusters of topology `TORUS` are not imported"),
        (&triangle(""), &["a", "c"], "no <route> is given"),
        (&triangle(""), &["a", "d"], "the platform has no host `d`"),
        ("<zone id=\"z\" routing=\"Wheel\"/>", &["a"], "expected `Full`, `Floyd`"),
        ("<zone id=\"z\"/>", &["a"], "`routing` is missing"),
        (
            "<zone id=\"z\" routing=\"Full\"><link id=\"l\" bandwidth=\"10Mbit\"/></zone>",
            &["a"],
            "unknown unit `Mbit`",
        ),
        (
            "<zone id=\"z\" routing=\"Wifi\"><host id=\"a\"/><host id=\"b\"/></zone>",
            &["a", "b"],
            "Wi-Fi zones are not imported",
        ),
    ] {
        let said = refused(inside, hosts);
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert!(said.contains(".xml:"), "no place: {said}");
    }
    let old = input("p.xml", "<platform version=\"3\"/>");
    let said = simgrid(&old, &actors(&["a"])).expect_err("refused").to_string();
    assert!(said.contains("the file has version `3`"), "{said}");
    let many: Vec<_> = (0..65).map(|number| format!("h{number}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert!(refused(torus, &many).contains("at most 64 guests"));
}

#[test]
fn nothing_is_dropped_in_silence() {
    let zone = r#"<zone id="z" routing="Full" colour="red">
        <host id="a" speed="1Gf" core="4" availability_file="x"><prop id="p" value="1"/></host>
        <host id="b" speed="1Gf"><disk id="d"/></host>
        <link id="ab" sharing_policy="SPLITDUPLEX" bandwidth="125000" latency="0.001" latency_file="f"
        ><prop id="q" value="2"/></link>
        <route src="a" dst="b"><link_ctn id="ab"/></route>
        <trace id="t" file="f"/><storage id="s"/></zone>"#;
    let made = accept(zone, &["a", "b"]);
    for part in [
        "p.xml:3: `colour` of <zone>",
        "p.xml:4,5: `speed` of <host>",
        "p.xml:4: `core` of <host>",
        "p.xml:4: `availability_file` of <host>",
        "p.xml:4: property `p`",
        "p.xml:5: <disk>",
        "p.xml:6: `latency_file` of <link>",
        "p.xml:7: property `q`",
        "p.xml:6: `bandwidth` has no unit: it is taken for bytes per second",
        "p.xml:6: `latency` has no unit: it is taken for seconds",
        "p.xml:9: <trace>",
        "p.xml:9: <storage>",
    ] {
        assert!(made.warned(part), "{part}: {:#?}", made.imported.warnings);
    }
    let without_model = platform(zone).replace("CM02", "LV08");
    let made = simgrid(&input("p.xml", &without_model), &actors(&["a", "b"])).expect("good");
    assert!(made.warnings.iter().any(|warning| warning.message.contains("13.01")));
}

#[test]
fn names_and_comments_cannot_break_the_file() {
    let host = "Node_7.*\"]\n[node.evil";
    let escaped = host.replace('"', "&quot;").replace('\n', "&#10;");
    let zone = format!(
        "<cluster id=\"c&#10;x=1\" prefix=\"{escaped}\" suffix=\"\" radical=\"1-2\" speed=\"1f\" \
         bw=\"1Gbps\" lat=\"1ms\"/>"
    );
    let made = accept(&zone, &[&format!("{escaped}1"), &format!("{escaped}2")]);
    assert_eq!(made.scenario.guests.len(), 2);
    made.trips(made.scenario.guests[0].name.as_str(), made.scenario.guests[1].name.as_str(), 4000);
}

#[test]
fn bombs_and_depths_are_bounded() {
    let mut bomb = "<!DOCTYPE platform [<!ENTITY a0 'lol'>".to_owned();
    for level in 1..40 {
        let inner = format!("&a{};", level - 1).repeat(10);
        bomb += &format!("<!ENTITY a{level} '{inner}'>");
    }
    bomb += "]><platform version='4.1'>&a39;</platform>";
    let deep = "<zone id='z' routing='Full'>".repeat(100_000);
    for text in [bomb, format!("<platform version='4.1'>{deep}")] {
        simgrid(&input("p.xml", &text), &actors(&["a"])).expect_err("refused");
    }
    let nested = format!("{}{}", "<zone id='z' routing='Full'>".repeat(99), "</zone>".repeat(99));
    assert!(refused(&nested, &["a"]).contains("too deep"));
}

proptest! {
    #[test]
    fn any_text_is_refused_or_becomes_a_lab(text in ".{0,400}") {
        let text = input("p.xml", &text);
        drop(simgrid(&text, &text));
        drop(simgrid(&fixture("nova_cluster.xml"), &text));
    }

    /// Pieces of good files, cut out, doubled and swapped.
    #[test]
    fn spoilt_files_do_no_harm(
        cuts in prop::collection::vec((0_usize..2000, 0_usize..2000, 0_usize..2000), 1..6),
        which in 0..3,
    ) {
        let platform_text = match which {
            0 => fixture("nova_cluster.xml").text,
            1 => platform(TWO_SITES),
            _ => platform(&triangle("")),
        };
        let mut text: Vec<char> = platform_text.chars().collect();
        for (from, length, to) in cuts {
            let from = from % text.len().max(1);
            let end = (from + length % 40).min(text.len());
            let piece: Vec<_> = text[from..end].to_vec();
            if length % 2 == 0 {
                text.drain(from..end);
            }
            let to = to % (text.len() + 1);
            text.splice(to..to, piece);
        }
        let spoilt = input("p.xml", &text.into_iter().collect::<String>());
        for hosts in [&["a0.x", "b1.x"][..], &["a", "b", "c"], &["nova-1.lyon.grid5000.fr"]] {
            if let Ok(imported) = simgrid(&spoilt, &actors(hosts)) {
                Made::new(imported);
            }
        }
        drop(simgrid(&fixture("nova_cluster.xml"), &spoilt));
    }
}
