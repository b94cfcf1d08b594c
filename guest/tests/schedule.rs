//! Scheduled commands, from the agent's runner to the host's ear, over pipes in memory.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chronotap_guest::agent::{self, Outgoing, planned};
use chronotap_guest::host::{Carrier, Closed};
use chronotap_guest::schedule::{MAX_OUTPUT, Origin, Ran, Schedule, Scheduled};
use chronotap_guest::{Outcome, Request, StartFailure};
use tokio::io::{AsyncWriteExt as _, DuplexStream, WriteHalf, duplex};
use tokio::sync::mpsc;

/// Nanoseconds since the first call.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

fn script(at_ns: u64, script: &str) -> Scheduled {
    Scheduled { at_ns, command: ["sh", "-c", script].map(str::to_owned).to_vec() }
}

type Out = Outgoing<WriteHalf<DuplexStream>>;

/// A host's carrier with what is heard on it, and an agent's way to the port; the agent serves.
fn pair() -> (Carrier<DuplexStream>, mpsc::UnboundedReceiver<Ran>, Out) {
    let (host, guest) = duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(guest);
    let out = Outgoing::new(writer);
    let served = out.clone();
    tokio::spawn(async move { agent::serve(reader, served).await.ok() });
    let (tell, told) = mpsc::unbounded_channel();
    // Nobody listens any more at the end of a test.
    let carrier = Carrier::new(host, move |ran| drop(tell.send(ran)));
    (carrier, told, out)
}

fn start(runs: Vec<Scheduled>, out: &Out) {
    let schedule = Schedule { origin: Origin::Boot, runs };
    let out = out.clone();
    tokio::spawn(async move { planned::run(schedule, now, out).await });
}

/// Reads without a session, as nobody has asked for one, until so many were heard.
async fn listen(
    carrier: &Carrier<DuplexStream>,
    told: &mut mpsc::UnboundedReceiver<Ran>,
    count: usize,
) -> Vec<Ran> {
    let mut all = Vec::new();
    while all.len() < count {
        tokio::select! {
            announced = carrier.announced() => announced.expect("an agent"),
            ran = told.recv() => all.push(ran.expect("the carrier lives")),
        }
    }
    all.sort_by_key(|ran| ran.number);
    all
}

#[tokio::test]
async fn each_runs_at_its_instant_and_is_told_of_without_a_session() {
    let (carrier, mut told, out) = pair();
    let due = now() + 200_000_000;
    let missing = Scheduled { at_ns: due, command: vec!["no-such-program".to_owned()] };
    let runs = vec![
        script(due, "echo $HOME; echo loud >&2; exit 3"),
        script(0, "sleep 0.3; kill -9 $$"),
        missing,
        script(0, "cat; yes | head -c 100000; printf x >&2"),
    ];
    start(runs, &out);
    let all = listen(&carrier, &mut told, 4).await;
    assert_eq!(all.iter().map(|ran| ran.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(all[0].outcome, Outcome::Exited(3));
    assert_eq!(
        (&all[0].stdout.bytes[..], &all[0].stderr.bytes[..]),
        (&b"/root\n"[..], &b"loud\n"[..])
    );
    assert!(all[0].start_ns >= due && all[0].end_ns >= all[0].start_ns);
    // It was due before, and did not hold up the others.
    assert_eq!(all[1].outcome, Outcome::Signaled(9));
    assert!(all[1].start_ns < due && all[1].end_ns > all[0].start_ns);
    assert!(
        matches!(&all[2].outcome, Outcome::NotStarted { failure: StartFailure::NotFound, .. }),
        "{:?}",
        all[2].outcome
    );
    assert!(all[3].stdout.truncated && all[3].stdout.bytes.len() == MAX_OUTPUT);
    assert!(!all[3].stderr.truncated && all[3].stderr.bytes == b"x");
}

#[tokio::test]
async fn what_is_told_is_heard_in_a_session_and_leaves_its_commands_alone() {
    let (carrier, mut told, out) = pair();
    carrier.announced().await.unwrap();
    let session = carrier.open().await.unwrap();
    let runs = (0..20).map(|_| script(0, "yes | head -c 60000")).collect();
    start(runs, &out);
    let sent = vec![7; 1_000_000];
    let output = session.run(&Request::new(["cat"]), &sent, 2_000_000).await.unwrap();
    assert!(output.stdout == sent, "the bytes came back changed");
    for _ in 0..20 {
        assert_eq!(told.recv().await.unwrap().stdout.bytes.len(), 60_000);
    }
}

#[tokio::test]
async fn a_carrier_outlives_its_sessions() {
    let (carrier, mut told, out) = pair();
    for _ in 0..3 {
        let session = carrier.open().await.unwrap();
        let output = session.run(&Request::new(["echo", "hi"]), b"", 100).await.unwrap();
        assert_eq!(output.stdout, b"hi\n");
        session.close();
        assert_eq!(session.closed().await, Closed::ByHost);
    }
    start(vec![script(0, "echo after")], &out);
    assert_eq!(listen(&carrier, &mut told, 1).await[0].stdout.bytes, b"after\n");
}

#[tokio::test]
async fn an_announcement_that_ended_a_session_is_not_lost() {
    let (host, guest) = duplex(1024 * 1024);
    let carrier = Carrier::new(host, drop);
    let (reader, writer) = tokio::io::split(guest);
    let (mut reader, out) = (reader, Outgoing::new(writer));
    let session = tokio::select! {
        session = carrier.open() => session.unwrap(),
        served = agent::serve(&mut reader, out.clone()) => panic!("{served:?}"),
    };
    let served = agent::serve(&mut reader, out);
    let quiet = async {
        assert_eq!(session.closed().await, Closed::Restarted);
        carrier.announced().await.unwrap();
    };
    tokio::select! {
        () = quiet => {}
        served = served => panic!("{served:?}"),
    }
}

#[tokio::test]
async fn a_host_that_only_listens_sends_nothing() {
    let (host, mut guest) = duplex(1024);
    let carrier = Carrier::new(host, drop);
    guest.write_all(b"garbage\xfe\xff").await.unwrap();
    let heard = tokio::time::timeout(Duration::from_millis(50), carrier.announced()).await;
    assert!(heard.is_err(), "{heard:?}");
    drop(carrier);
    let mut sent = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut guest, &mut sent).await.unwrap();
    assert!(sent.is_empty());
}
