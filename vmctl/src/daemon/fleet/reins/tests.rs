//! The reins on a process that is no QEMU, whose monitor is played by the test.

use std::{collections::VecDeque, os::unix::process::ExitStatusExt as _};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::Child,
    time::timeout,
};

use chronotap::{datapath::host_now, synchronizer::ClockSource};

use super::*;
use crate::{
    daemon::seat::{Terms, tests::sleeper},
    lab::ProcessId,
    qmp::Limits,
};

const BOB: GuestId = GuestId(0);
/// Long enough that no load makes a test fail which does not wait for it.
const PATIENT: Duration = Duration::from_secs(120);
/// For tests in which the time does run out.
const BRIEF: Duration = Duration::from_secs(1);
const HPET: &str = "00000000fed000f0: 0x00000000000f4240\r\n";
const UNPLACED: &str = "portl[0x0608] = 0xffffffff\r\n";

/// A guest that a fleet has by its reins, from both sides.
struct Stable {
    fleet: Fleet,
    seat: Arc<Seat>,
    monitor: Monitor,
    victim: Child,
}

/// QEMU's side of the connection.
struct Monitor {
    lines: Lines<BufReader<OwnedReadHalf>>,
    heard: VecDeque<String>,
    writer: OwnedWriteHalf,
}

impl Monitor {
    async fn say(&mut self, message: Value) {
        let line = format!("{message}\n");
        self.writer.write_all(line.as_bytes()).await.expect("the client reads");
    }

    /// The next command; a question to the human monitor as such.
    async fn hear(&mut self) -> String {
        while self.heard.is_empty() {
            let line = timeout(PATIENT, self.lines.next_line()).await.expect("in time");
            let line = line.expect("readable").expect("a command");
            for command in serde_json::Deserializer::from_str(&line).into_iter() {
                let command: Value = command.expect("JSON");
                let question = &command["arguments"]["command-line"];
                let told = question.as_str().or(command["execute"].as_str());
                self.heard.push_back(told.expect("a command").to_owned());
            }
        }
        self.heard.pop_front().expect("one that was heard")
    }

    /// Hears this command, and answers it.
    async fn obey(&mut self, command: &str, answer: Value) {
        assert_eq!(self.hear().await, command);
        self.say(json!({ "return": answer })).await;
    }

    /// Lets the guest go; returns when.
    async fn cont(&mut self) -> HostInstant {
        assert_eq!(self.hear().await, "cont");
        let went = host_now();
        self.say(json!({ "event": "RESUME" })).await;
        self.say(json!({ "return": {} })).await;
        went
    }

    /// Answers a stop, and what is asked in the same breath.
    async fn stop(&mut self, answer: &str) {
        self.obey("stop", json!({})).await;
        self.obey("xp/gx 0xfed000f0", answer.into()).await;
    }

    async fn seize(&mut self) {
        self.stop(HPET).await;
        self.obey("i/w 0x608", UNPLACED.into()).await;
    }
}

impl Stable {
    async fn new(reply: Duration) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        let (reader, writer) = theirs.into_split();
        let lines = BufReader::new(reader).lines();
        let mut monitor = Monitor { lines, heard: VecDeque::new(), writer };
        let negotiation = async {
            let version = json!({ "qemu": { "major": 10, "minor": 0, "micro": 2 } });
            monitor.say(json!({ "QMP": { "version": version, "capabilities": [] } })).await;
            monitor.hear().await;
            monitor.say(json!({ "return": {}, "id": 1 })).await;
        };
        let limits = Limits { reply, ..Limits::default() };
        let (qmp, ()) = tokio::join!(qmp::Client::negotiate(ours, limits), negotiation);
        let (seat, victim) = seat();
        let fleet = Fleet::new(vec![(seat.clone(), qmp.expect("negotiated"))]);
        Self { fleet, seat, monitor, victim }
    }

    async fn assert_condemned(self, words: &[&str]) {
        assert_condemned(&self.fleet, &self.seat, self.victim, words).await;
    }
}

/// Asserts that the guest was killed, for these reasons.
async fn assert_condemned(fleet: &Fleet, seat: &Seat, mut victim: Child, words: &[&str]) {
    let status = timeout(PATIENT, victim.wait()).await.expect("in time").expect("reaped");
    assert_eq!(status.signal(), Some(9), "{status}");
    let why = seat.sentence().expect("a reason");
    assert!(words.iter().all(|word| why.contains(word)), "{why}");
    assert_eq!(fleet.cont(BOB).await, Err(Departed), "and never runs again");
}

/// The seat of a process that would not end by itself, and is said to be dead when it has.
fn seat() -> (Arc<Seat>, Child) {
    let (seat, victim) = sleeper(Terms::default());
    let id = ProcessId::of(seat.pid).expect("/proc").expect("it lives");
    let (mourned, process) = (seat.clone(), id.open().expect("pidfd").expect("it lives"));
    std::thread::spawn(move || {
        process.wait(PATIENT).expect("poll");
        mourned.update(|life| life.state = GuestState::Dead);
    });
    (seat, victim)
}

#[tokio::test]
async fn a_guest_goes_stops_and_tells_how_far_it_came() {
    let Stable { fleet, seat, mut monitor, victim: _alive } = Stable::new(PATIENT).await;
    assert_eq!(tokio::join!(fleet.seize(BOB), monitor.seize()).0, Ok(()));
    let begun = host_now();
    let (resumed, went) = tokio::join!(fleet.cont(BOB), monitor.cont());
    let resumed = resumed.expect("obeyed");
    assert!(begun <= resumed.earliest && resumed.earliest <= resumed.latest);
    assert!(resumed.latest <= host_now() && resumed.cost <= host_now() - begun);
    let obey = async {
        assert_eq!(monitor.hear().await, "stop");
        let ticks = (host_now() - went).as_nanos() / 10;
        monitor.say(json!({ "return": {} })).await;
        let shown = format!("00000000fed000f0: {:#018x}\r\n", 1_000_000 + ticks);
        monitor.obey("xp/gx 0xfed000f0", shown.into()).await;
        Duration::from_nanos(u64::try_from(ticks * 10).expect("seconds"))
    };
    let (stopped, ran) = tokio::join!(fleet.stop(BOB), obey);
    let stopped = stopped.expect("obeyed");
    assert_eq!((stopped.elapsed, stopped.source), (ran, ClockSource::Hpet));
    assert_eq!(seat.sentence(), None);
}

#[tokio::test]
async fn nonsense_is_no_clock_and_no_crime() {
    let Stable { fleet, seat, mut monitor, victim: _alive } = Stable::new(PATIENT).await;
    assert_eq!(tokio::join!(fleet.seize(BOB), monitor.seize()).0, Ok(()));
    let mut before = Duration::ZERO;
    for nonsense in ["", "unknown command: 'xp'\r\n", "00000000fed000f0: 0x12\r\n", UNPLACED] {
        let begun = host_now();
        tokio::join!(fleet.cont(BOB), monitor.cont()).0.expect("obeyed");
        let obey = async {
            monitor.stop(nonsense).await;
            monitor.obey("i/w 0x608", nonsense.into()).await;
        };
        let stopped = tokio::join!(fleet.stop(BOB), obey).0.expect("obeyed");
        assert_eq!(stopped.source, ClockSource::Estimate, "{nonsense:?}");
        let passed = stopped.elapsed - before;
        assert!(passed <= host_now() - begun, "{nonsense:?}: {passed:?}");
        before = stopped.elapsed;
    }
    assert_eq!(seat.sentence(), None);
}

#[tokio::test]
async fn a_qemu_that_does_not_stop_is_ended() {
    let mut stable = Stable::new(BRIEF).await;
    let (stopped, heard) = tokio::join!(stable.fleet.stop(BOB), stable.monitor.hear());
    assert_eq!((stopped, heard.as_str()), (Err(Departed), "stop"));
    assert!(stable.fleet.has_hung());
    stable.assert_condemned(&["did not obey stop within 1 s"]).await;
}

#[tokio::test]
async fn a_qemu_that_stops_and_says_no_more_is_ended() {
    let mut stable = Stable::new(BRIEF).await;
    let obey = stable.monitor.obey("stop", json!({}));
    assert_eq!(tokio::join!(stable.fleet.stop(BOB), obey).0, Err(Departed));
    stable.assert_condemned(&["did not tell its clock within 1 s"]).await;
}

#[tokio::test]
async fn a_qemu_that_refuses_to_go_on_is_ended_with_its_own_words() {
    let mut stable = Stable::new(PATIENT).await;
    let refuse = async {
        assert_eq!(stable.monitor.hear().await, "cont");
        let why = json!({ "class": "GenericError", "desc": "Resetting the VM is required" });
        stable.monitor.say(json!({ "error": why })).await;
    };
    assert_eq!(tokio::join!(stable.fleet.cont(BOB), refuse).0, Err(Departed));
    stable.assert_condemned(&["QEMU refused cont", "Resetting the VM is required"]).await;
}

#[tokio::test]
async fn a_qemu_that_hangs_up_and_lives_on_is_ended() {
    let Stable { fleet, seat, mut monitor, victim } = Stable::new(PATIENT).await;
    let hang_up = async {
        assert_eq!(monitor.hear().await, "stop");
        drop(monitor);
    };
    assert_eq!(tokio::join!(fleet.stop(BOB), hang_up).0, Err(Departed));
    assert_condemned(&fleet, &seat, victim, &["can no longer be stopped", "QEMU hung up"]).await;
}

#[tokio::test]
async fn a_qemu_that_hangs_up_because_it_ends_has_done_no_wrong() {
    let Stable { fleet, seat, mut monitor, mut victim } = Stable::new(PATIENT).await;
    let end = async {
        assert_eq!(monitor.hear().await, "cont");
        victim.kill().await.expect("killed");
        assert!(seat.ends_within(PATIENT).await);
        drop(monitor);
    };
    assert_eq!(tokio::join!(fleet.cont(BOB), end).0, Err(Departed));
    assert_eq!(seat.sentence(), None);
    assert_eq!(fleet.stop(BOB).await, Err(Departed), "at once");
    assert_eq!(fleet.cont(GuestId(1)).await, Err(Departed), "nor is there anyone else");
}
