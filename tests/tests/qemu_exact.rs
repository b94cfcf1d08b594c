//! Labs in mode `exact`: every run is the same, whatever the host does, and differs when it should.

use std::fmt::Write as _;

use chronotap_tests::repeat::{Unrest, altered_qemu, essence, run};

/// `[time]` of mode `exact`, with these further keys. Slow guests have fewer instructions to wait for.
fn exact(keys: &str) -> String {
    format!(
        "[time]\nmode = 'exact'\nips = '125MHz'\nuntil = '16s'\n{keys}\n[defaults.node]\nmemory = '96MiB'\n"
    )
}

/// What a guest knows about its own past: interrupts, ticks, frames, the kernel's words.
const TRACES: &str = "cat /proc/interrupts /proc/stat /proc/net/dev; dmesg";

/// A ping, 1 MB over TCP and datagrams of which some get lost, between two guests.
fn traffic(time: &str, seed: u32) -> String {
    let mut text = format!("seed = {seed}\n{}", exact(time));
    let mut run = |node: &str, at: &str, script: &str| {
        writeln!(text, "[[node.{node}.run]]\nat = '{at}'\ncommand = ['sh', '-c', '''{script}''']")
            .expect("memory");
    };
    run("bob", "8s", "iperf3 -s -1; iperf3 -s -1");
    run("alice", "9s", "ping -c 4 -i 0.2 bob; cat /proc/sys/kernel/random/uuid");
    run("alice", "10s", &format!("iperf3 -c bob -n 1M; iperf3 -c bob -u -b 20M -t 1; {TRACES}"));
    run("bob", "15s", TRACES);
    text + "[[link]]\nendpoints = ['alice:eth0', 'bob:eth0']\ndelay = '1ms'\njitter = '200us'\n\
            rate = '100Mbit'\nloss = '0.5%'\n"
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_run_is_the_same_whatever_the_host_does() {
    let usual = run("t-exact", &traffic("", 1), &[]);
    let expected = essence(&usual);
    let commands = &usual.commands;
    assert!(commands.iter().all(|command| command.run.ended.is_some()), "{commands:#?}");
    assert!(usual.exact.as_ref().is_some_and(|exact| exact.frames > 2000), "{:?}", usual.exact);

    let unrest = Unrest::of("t-exact");
    let disturbed = run("t-exact", &traffic("", 1), &[]);
    println!("frozen {} times", unrest.end());
    assert_eq!(essence(&disturbed), expected, "with processes that were frozen");
    assert_eq!(disturbed.exact, usual.exact, "the same windows");

    let shorter = run("t-exact", &traffic("quantum = '170us'", 1), &[]);
    assert_eq!(essence(&shorter), expected, "with other windows");
    assert_ne!(shorter.exact, usual.exact);

    let other = run("t-exact", &traffic("", 2), &[]);
    let (digest, consoles, saw) = essence(&other);
    assert_ne!((&digest, &saw), (&expected.0, &expected.2), "another seed is another run");
    assert_ne!(consoles, Vec::<String>::new());
}

/// Four guests on a switch, with jitter that reorders and loss.
fn crowd() -> String {
    let mut text = exact("") + "[node.sw]\nkind = 'switch'\n";
    for (number, node) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let other = ["b", "c", "d", "a"][number];
        write!(
            text,
            "[[node.{node}.run]]\nat = '12s'\ncommand = ['sh', '-c', 'ping -c 5 -i 0.1 {other}; {TRACES}']\n\
             [[link]]\nendpoints = ['{node}:eth0', 'sw:p{number}']\ndelay = '2ms'\njitter = '1ms'\nloss = '2%'\n",
        )
        .expect("memory");
    }
    text
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn so_is_a_run_of_many_guests_on_a_switch() {
    let expected = essence(&run("t-crowd", &crowd(), &[]));
    let unrest = Unrest::of("t-crowd");
    let disturbed = run("t-crowd", &crowd(), &[]);
    println!("frozen {} times", unrest.end());
    assert_eq!(essence(&disturbed), expected);
}

/// What makes a run repeatable, taken away again, must show: else the tests above could not fail.
#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn without_what_it_takes_runs_differ() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let controls = [
        (
            "RDRAND",
            "s/^max,-rdrand,-rdseed$/max/; s/^-seed$/-msg/; s/^[0-9]\\{4,\\}$/timestamp=on/",
        ),
        ("tx=bh", "s/,tx=timer,x-txtimer=20000/,tx=bh/"),
    ];
    for (what, script) in controls {
        let path = altered_qemu(directory.path(), script);
        let environment = [("PATH", path.as_path())];
        let runs = [(); 2].map(|()| {
            let unrest = Unrest::of("t-control");
            let played = run("t-control", &traffic("", 1), &environment);
            println!("{what}: frozen {} times, {:?}", unrest.end(), played.exact);
            let exact = played.exact.expect("mode exact");
            (exact.digest, exact.consoles, format!("{:?}", played.commands))
        });
        let doubted = runs.iter().any(|(digest, ..)| digest.is_none());
        assert!(doubted || runs[0] != runs[1], "{what} makes no difference");
    }
}
