//! The agent in a real QEMU: its barriers are exact, QEMU obeys while its guest stands at one, and
//! where the agent does not work it says so.

use std::io::{Read as _, Seek as _};
use std::os::fd::OwnedFd;

use chronotap::exact::page::{self, State};
use chronotap::sim::VirtualInstant;
use chronotap_agent_abi::Count;
use chronotap_tests::agent::{Firmware, Machine, Start, within_patience};
use rustix::process::{Pid, Signal, kill_process};

const COUNTER: u32 = 0x1000;
const MS: u64 = 1_000_000;

/// What says that something was not exact, but for stops that the test has asked for.
const WRONG: [Count; 6] =
    [Count::Missing, Count::Unsent, Count::Late, Count::Inexact, Count::Astray, Count::Foreign];

fn assert_exact(machine: &Machine) {
    for count in WRONG {
        assert_eq!(machine.count(count), 0, "{count:?}");
    }
}

/// Virtual instants with no common step.
fn barriers() -> impl Iterator<Item = u64> {
    (1..400).scan(0, |at, step| {
        *at += step * step * 7_919 % 100_003 + 1;
        Some(*at)
    })
}

fn nanos(instant: VirtualInstant) -> u64 {
    instant.as_nanos()
}

#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_guest_stops_at_its_instants_and_has_done_the_same_work() {
    let runs = [(); 2].map(|()| {
        let machine = Start::new(Firmware::Counts, "shift=0,sleep=off", 1).start();
        let mut qmp = machine.begin();
        for at in barriers() {
            assert_eq!(nanos(machine.run_to(at).clock), at);
        }
        assert_exact(&machine);
        assert_eq!(machine.count(Count::Stopped), 0);
        qmp.peek(COUNTER)
    });
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0] > 1000);
}

/// A coarse guest stops at the first instruction at or after the instant.
#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_slower_guest_stops_with_the_instruction() {
    let machine = Start::new(Firmware::Counts, "shift=6,sleep=off", 64).start();
    machine.begin();
    for at in barriers() {
        assert_eq!(nanos(machine.run_to(at).clock), at.next_multiple_of(64));
    }
    assert_exact(&machine);
}

#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_guest_that_halts_says_until_when() {
    let machine = Start::new(Firmware::Halts, "shift=0,sleep=off", 1).start();
    machine.begin();
    for at in (1..100).map(|step| step * 100 * MS) {
        let standing = machine.run_to(at);
        assert_eq!(nanos(standing.clock), at);
        assert!(standing.idle_until.is_some_and(|until| nanos(until) > at), "{standing:?}");
    }
    assert_exact(&machine);
}

#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn qemu_obeys_while_its_guest_stands() {
    let machine = Start::new(Firmware::Counts, "shift=0,sleep=off", 1).start();
    let mut qmp = machine.begin();
    machine.run_to(5 * MS);
    let seen = qmp.peek(COUNTER);
    for round in 1..20 {
        assert_eq!(qmp.ask("query-status")["status"], "running");
        qmp.ask("stop");
        assert_eq!(machine.count(Count::Stopped), round, "it is noticed");
        assert_eq!(qmp.ask("query-status")["status"], "paused");
        qmp.ask("cont");
    }
    assert_eq!(qmp.peek(COUNTER), seen, "it stood all the time");
    for at in barriers() {
        assert_eq!(nanos(machine.run_to(5 * MS + at).clock), 5 * MS + at);
    }
    assert_exact(&machine);
}

/// It was let go while it was stopped: it goes on with `cont`, to the right instant.
#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_stopped_guest_may_be_released() {
    let machine = Start::new(Firmware::Counts, "shift=0,sleep=off", 1).start();
    let mut qmp = machine.begin();
    for at in barriers().take(20) {
        qmp.ask("stop");
        machine.page().release(VirtualInstant::from_nanos(at));
        assert_eq!(qmp.ask("query-status")["status"], "paused");
        assert_eq!(machine.page().standing(), None);
        qmp.ask("cont");
        assert_eq!(nanos(machine.standing().clock), at);
    }
    assert_exact(&machine);
}

#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_reset_comes_with_the_next_release() {
    let machine = Start::new(Firmware::Counts, "shift=0,sleep=off", 1).start();
    let mut qmp = machine.begin();
    machine.run_to(5 * MS);
    qmp.tell("system_reset", serde_json::json!({}));
    for at in barriers() {
        assert_eq!(nanos(machine.run_to(5 * MS + at).clock), 5 * MS + at);
    }
    qmp.hear("return");
    assert_exact(&machine);
}

#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_qemu_ends_in_order_while_its_guest_stands() {
    for by_signal in [false, true] {
        let mut machine = Start::new(Firmware::Counts, "shift=0,sleep=off", 1).start();
        let mut qmp = machine.begin();
        machine.run_to(MS);
        if by_signal {
            let id = Pid::from_raw(machine.id().cast_signed()).expect("a process");
            kill_process(id, Signal::TERM).expect("ours");
        } else {
            qmp.tell("quit", serde_json::json!({}));
        }
        assert_eq!(machine.ended().code(), Some(0), "{}", machine.errors());
        assert_eq!(machine.page().state(), State::Ended);
    }
}

/// A daemon that was killed leaves no guest behind.
#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn a_qemu_ends_when_its_daemon_is_gone() {
    let mut start = Start::new(Firmware::Counts, "shift=0,sleep=off", 1);
    let script = "\"$@\" & wait";
    start.by = ["sh", "-c", script, "sh"].map(str::to_owned).to_vec();
    let mut machine = start.start();
    machine.begin();
    machine.run_to(MS);
    let daemon = Pid::from_raw(machine.id().cast_signed()).expect("a process");
    kill_process(daemon, Signal::KILL).expect("ours");
    assert!(!machine.ended().success());
    let state = || (machine.page().state() == State::Ended).then_some(());
    assert!(within_patience(state).is_some(), "{}", machine.errors());
}

/// The page of a daemon that means other things by it.
fn of_another_version() -> OwnedFd {
    let mut octets = Vec::new();
    let mut file = std::fs::File::from(page::create(1).expect("a page"));
    file.rewind().expect("at its start");
    file.read_to_end(&mut octets).expect("read");
    octets[8] += 1;
    file_of(&octets)
}

fn file_of(octets: &[u8]) -> OwnedFd {
    let mut file = tempfile::tempfile().expect("a file");
    std::io::Write::write_all(&mut file, octets).expect("written");
    file.into()
}

#[test]
#[ignore = "needs QEMU and the agent; run `cargo xtask test qemu`"]
fn what_does_not_fit_is_refused_in_words() {
    let start = || Start::new(Firmware::Halts, "shift=0,sleep=off", 1);
    let words = |words: &str| Start { words: words.to_owned(), ..start() };
    let page = |page| Start { page, ..start() };
    let icount = |icount| Start { icount, ..start() };
    let null = || std::fs::File::open("/dev/null").expect("there").into();
    let cases = [
        ("no fixed shift", icount(None), "-icount shift"),
        ("shift=auto", icount(Some("shift=auto")), "-icount shift"),
        ("another version", page(of_another_version()), "different versions"),
        ("zeros", page(file_of(&[0; 4096])), "different versions"),
        ("too short", page(file_of(&[0; 100])), "not a page"),
        ("empty", page(file_of(&[])), "not a page"),
        ("a device", page(null()), "not a page"),
        ("no descriptor", words("page=77,bell=4,nics="), "not a page"),
        ("not a number", words("page=three,bell=4,nics="), "must be descriptors"),
        ("no bell", words("page=3,nics="), "must be descriptors"),
        ("no page", words("bell=4"), "must be descriptors"),
        ("unknown word", words("page=3,bell=4,whistle=5"), "is not an argument"),
        ("no such device", words("page=3,bell=4,nics=net7"), "no network device net7"),
    ];
    for (what, start, expected) in cases {
        let mut machine = start.start();
        assert_eq!(machine.ended().code(), Some(1), "{what}: {}", machine.errors());
        let errors = machine.errors();
        assert!(errors.contains("chronotap: ") && errors.contains(expected), "{what}: {errors}");
    }
}
