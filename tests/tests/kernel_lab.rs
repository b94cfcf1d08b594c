//! A lab's place on the real host: namespace, taps, processes, and their end whatever was killed.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chronotap_tests::site::{PATIENT, Site, is_mounted, tap};
use nix::net::if_::if_nametoindex;
use vmctl::lab::{NetNs, Removed, Tap, TapError, TapSettings};

/// A tap ends with its last descriptor. A process that another test is starting has copies of all of
/// ours for a moment.
fn await_no_link(site: &Site, names: &[&str]) {
    let begun = Instant::now();
    while site
        .netns
        .run(|| names.iter().any(|name| if_nametoindex(*name).is_ok()))
        .expect("entered")
    {
        assert!(begun.elapsed() < PATIENT, "one of {names:?} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn taps_are_as_the_data_plane_needs_them_and_only_in_the_lab() {
    let site = Site::new();
    let settings =
        [tap(0, 1500), tap(1, 9000), TapSettings { alias: "é".repeat(200), ..tap(2, 68) }];
    let taps = site.netns.run(|| Tap::create_all(&settings)).expect("entered").expect("made");
    let mut command = Command::new("ip");
    command.args(["-json", "-details", "link", "show"]);
    let shown = site.netns.run(|| command.output()).expect("entered").expect("ip(8)");
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let links = shown.as_array().expect("a list");
    assert_eq!(links.len(), 4, "three taps and lo: {links:?}");
    for (tap, wanted) in taps.iter().zip(&settings) {
        let link = links.iter().find(|link| link["ifname"] == tap.name()).expect("listed");
        assert_eq!(link["ifindex"], tap.index());
        assert_eq!(link["mtu"], wanted.mtu);
        assert_eq!(link["txqlen"], 10_000);
        assert!(wanted.alias.starts_with(link["ifalias"].as_str().expect("an alias")));
        assert!(link["flags"].as_array().expect("flags").contains(&"UP".into()), "{link}");
        let details = &link["linkinfo"]["info_data"];
        assert_eq!(
            (&details["type"], &details["pi"], &details["vnet_hdr"]),
            (&"tap".into(), &false.into(), &false.into())
        );
        let ipv6 = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", tap.name());
        let ipv6 = site.netns.run(|| fs::read_to_string(ipv6)).expect("entered");
        assert!(ipv6.is_err() || ipv6.is_ok_and(|off| off == "1\n"), "IPv6 is off");
    }
    assert!(if_nametoindex("tap0").is_err(), "the host does not see them");
    drop(taps);
    await_no_link(&site, &["tap0", "tap1", "tap2"]);
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_tap_that_cannot_be_made_is_named_and_takes_the_others_with_it() {
    let site = Site::new();
    let make = |settings: &[TapSettings]| {
        site.netns.run(|| Tap::create_all(settings).map(drop)).expect("entered")
    };
    let taken = site.taps(1);
    let error = make(&[tap(5, 1500), tap(0, 1500)]).expect_err("tap0 is there");
    assert!(matches!(&error, TapError::Taken(name) if name == "tap0"), "{error}");
    let error = make(&[tap(6, 1500), tap(7, 1_000_000)]).expect_err("no such MTU");
    assert!(error.to_string().starts_with("cannot configure tap tap7"), "{error}");
    await_no_link(&site, &["tap5", "tap6", "tap7"]);
    drop(taken);
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn after_down_the_host_is_as_before() {
    let site = Site::new();
    let (path, mount) = (site.state.path().to_owned(), site.state.netns());
    assert!(is_mounted(&mount));
    let _taps = site.taps(2);
    // One that ends when asked, one that does not, one that would rather start another.
    let mut residents = [
        site.script("sleep 1000"),
        site.script("trap '' TERM HUP INT; while :; do sleep 1; done"),
        site.script("while :; do (sleep 0.01; sleep 0.01) & wait; done"),
    ];
    let ground = site.abandon();
    let removed = ground.labs.teardown(&ground.name, PATIENT).expect("torn down");
    assert_eq!((removed.daemon, removed.netns, removed.directory), (None, true, true));
    for resident in &mut residents {
        assert!(removed.processes.contains(&resident.id()), "{removed:?}");
        let status = resident.wait().expect("reaped");
        assert_eq!(status.signal(), Some(9));
    }
    assert!(!is_mounted(&mount) && !path.exists());
    assert!(ground.labs.teardown(&ground.name, PATIENT).expect("nothing to do").is_empty());
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn the_next_daemon_clears_what_a_killed_one_left() {
    let site = Site::new();
    let mount = site.state.netns();
    let mut resident = site.script("exec sleep 1000");
    let ground = site.abandon();
    let state = ground.labs.claim(&ground.name).expect("claimed again");
    let expected =
        Removed { daemon: None, processes: vec![resident.id()], netns: true, directory: true };
    assert_eq!(*state.leftovers(), expected);
    resident.wait().expect("reaped");
    assert!(!is_mounted(&mount));
    let netns = NetNs::create(&state.netns()).expect("a namespace anew");
    assert!(NetNs::create(&state.netns()).is_err(), "but not twice");
    drop(netns);
    let removed = state.remove().expect("removed");
    assert_eq!(removed, Removed { netns: true, directory: true, ..Removed::default() });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_namespace_file_that_is_something_else_is_not_entered() {
    let site = Site::new();
    let (directory, own) = (site.ground.root.path(), Path::new("/proc/self/ns/net"));
    let (plain, link) = (directory.join("plain"), directory.join("link"));
    fs::write(&plain, "").expect("file");
    std::os::unix::fs::symlink(own, &link).expect("link");
    assert!(NetNs::open(&directory.join("none")).expect("readable").is_none());
    assert!(NetNs::open(&plain).expect("readable").is_none());
    assert!(NetNs::open(&link).is_err(), "links are not followed");
    assert!(NetNs::open(&site.state.netns()).expect("readable").is_some());
}
