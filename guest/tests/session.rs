//! Both sides against each other, and the host against hostile bytes, over pipes in memory.

use std::time::Duration;

use chronotap_guest::agent::{self, Outgoing};
use chronotap_guest::host::{Closed, ConnectError, Event, ExecError, Session};
use chronotap_guest::{MAX_EXECS, MAX_REQUEST, Outcome, Request, Size, StartFailure};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const LIMIT: usize = 64 * 1024 * 1024;

/// An agent on the other end of the returned stream.
fn agent_stream() -> DuplexStream {
    let (host, guest) = duplex(64 * 1024);
    tokio::spawn(async move {
        let (reader, writer) = tokio::io::split(guest);
        // Fails when the host closes the stream, as it does at the end of each test.
        agent::serve(reader, Outgoing::new(writer)).await.ok();
    });
    host
}

async fn session() -> Session {
    Session::connect(agent_stream()).await.expect("the agent answers")
}

fn shell(script: &str) -> Request {
    Request::new(["sh", "-c", script])
}

/// Bytes of all values without a short period.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[tokio::test]
async fn outcomes() {
    let session = session().await;
    let mut request = shell("exit 7");
    let table = [
        (Request::new(["true"]), Outcome::Exited(0)),
        (Request::new(["false"]), Outcome::Exited(1)),
        (request.clone(), Outcome::Exited(7)),
        (shell("kill -9 $$"), Outcome::Signaled(9)),
    ];
    for (request, outcome) in table {
        assert_eq!(session.run(&request, b"", LIMIT).await.unwrap().outcome, outcome);
    }
    request.cwd = Some("/no/such/place".to_owned());
    let failures = [
        (Request::new(["no-such-program"]), StartFailure::NotFound),
        (Request::new(["/etc/passwd"]), StartFailure::NotExecutable),
        (Request::new(Vec::<String>::new()), StartFailure::BadRequest),
        (Request::new(["nul\0byte"]), StartFailure::BadRequest),
        (request, StartFailure::BadRequest),
    ];
    for (request, expected) in failures {
        match session.run(&request, b"", LIMIT).await.unwrap().outcome {
            Outcome::NotStarted { failure, .. } => assert_eq!(failure, expected, "{request:?}"),
            other => panic!("{request:?} ended with {other:?}"),
        }
    }
}

#[tokio::test]
async fn environment_and_directory() {
    let mut request = shell("echo $COLOUR $HOME; pwd; echo loud >&2");
    request.env.insert("COLOUR".to_owned(), "grün".to_owned());
    request.cwd = Some("/usr".to_owned());
    let output = session().await.run(&request, b"", LIMIT).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "grün /root\n/usr\n");
    assert_eq!(output.stderr, b"loud\n");
}

#[tokio::test]
async fn ten_megabytes_through_cat() {
    let sent = pattern(10_000_000);
    let output = session().await.run(&Request::new(["cat"]), &sent, LIMIT).await.unwrap();
    assert!(output.stdout == sent, "the bytes came back changed");
    assert_eq!(output.outcome, Outcome::Exited(0));
}

#[tokio::test]
async fn many_at_once_and_one_too_many() {
    let session = session().await;
    let sent = pattern(200_000);
    let execs: Vec<_> =
        (0..MAX_EXECS).map(|_| session.exec(&Request::new(["cat"])).unwrap()).collect();
    assert_eq!(session.exec(&Request::new(["true"])).unwrap_err(), ExecError::Busy);
    for exec in &execs {
        exec.write(&sent[..100]).await.unwrap();
        assert_eq!(exec.next().await.unwrap(), Event::Stdout(sent[..100].to_vec().into()));
    }
    drop(execs);
    // The slots are free again at once, or as soon as the drops are on the line.
    let output = loop {
        match session.run(&Request::new(["cat"]), &sent, LIMIT).await {
            Err(ExecError::Busy) => tokio::task::yield_now().await,
            other => break other.unwrap(),
        }
    };
    assert!(output.stdout == sent);
}

#[tokio::test]
async fn a_command_that_nobody_reads_does_not_hold_up_others() {
    let session = session().await;
    let flood = session.exec(&Request::new(["yes"])).unwrap();
    for _ in 0..20 {
        let output = session.run(&Request::new(["echo", "hi"]), b"", LIMIT).await.unwrap();
        assert_eq!(output.stdout, b"hi\n");
    }
    assert!(matches!(flood.next().await.unwrap(), Event::Stdout(_)));
}

#[tokio::test]
async fn signals_reach_the_group_and_output_before_death_arrives() {
    let session = session().await;
    let exec = session
        .exec(&shell("trap 'echo caught; exit 3' TERM; echo up; while :; do sleep 9 & wait; done"))
        .unwrap();
    assert_eq!(exec.next().await.unwrap(), Event::Stdout("up\n".into()));
    exec.signal(15);
    assert_eq!(exec.next().await.unwrap(), Event::Stdout("caught\n".into()));
    assert_eq!(exec.next().await.unwrap(), Event::Ended(Outcome::Exited(3)));
    assert_eq!(exec.write(b"x").await.unwrap_err(), ExecError::Ended);
}

#[tokio::test]
async fn a_background_child_does_not_keep_a_command_from_ending() {
    let output = session().await.run(&shell("sleep 1000 & echo $!"), b"", LIMIT).await.unwrap();
    assert_eq!(output.outcome, Outcome::Exited(0));
    let pid = String::from_utf8(output.stdout).unwrap();
    let kill = std::process::Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(kill.success(), "the child goes on in the background");
}

#[tokio::test]
async fn input_that_is_not_read_is_thrown_away() {
    let sent = pattern(1_000_000);
    let output = session().await.run(&shell("exec <&-; echo ok"), &sent, LIMIT).await.unwrap();
    assert_eq!(output.stdout, b"ok\n");
}

/// Waits until no process of the group is left; a test that hangs here has failed.
async fn group_is_gone(pid: &str) {
    let group = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    while rustix::process::test_kill_process_group(group).is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn start_group(session: &Session) -> (chronotap_guest::host::Exec, String) {
    let exec = session.exec(&shell("sleep 1000 & echo $$; wait")).unwrap();
    match exec.next().await.unwrap() {
        Event::Stdout(pid) => (exec, String::from_utf8(pid.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn dropping_a_command_or_the_session_kills_the_group() {
    let session = session().await;
    let (exec, pid) = start_group(&session).await;
    drop(exec);
    group_is_gone(&pid).await;
    let (exec, pid) = start_group(&session).await;
    session.close();
    group_is_gone(&pid).await;
    assert_eq!(session.closed().await, Closed::ByHost);
    assert_eq!(exec.next().await.unwrap_err(), Closed::ByHost);
}

#[tokio::test]
async fn too_long_a_request_and_too_much_output() {
    let session = session().await;
    let long = "x".repeat(MAX_REQUEST);
    assert_eq!(session.exec(&Request::new([long])).unwrap_err(), ExecError::TooLong);
    let long = "x".repeat(100_000);
    let output = session.run(&Request::new(["printf", "%s", &long]), b"", LIMIT).await.unwrap();
    assert_eq!(output.stdout.len(), long.len());
    let flood = session.run(&Request::new(["yes"]), b"", 1000).await;
    assert_eq!(flood.unwrap_err(), ExecError::TooMuchOutput(1000));
}

/// What QEMU does between its socket and the port: hosts come and go, the guest does not notice.
async fn relay(guest: &mut DuplexStream, host: DuplexStream) {
    let (mut from_guest, mut to_guest) = tokio::io::split(guest);
    let (mut from_host, mut to_host) = tokio::io::split(host);
    tokio::select! {
        // Ends with the host; what is on its way from the guest is lost, as in QEMU.
        _ = tokio::io::copy(&mut from_host, &mut to_guest) => {}
        error = async {
            tokio::io::copy(&mut from_guest, &mut to_host).await.ok();
            std::future::pending::<()>().await;
        } => error,
    }
}

#[tokio::test]
async fn a_new_host_takes_over_whatever_the_old_one_left_on_the_line() {
    let mut guest = agent_stream();
    let mut former: Option<String> = None;
    // Hosts that were killed in the middle of a frame, or of their greeting.
    let leftovers: [&[u8]; 5] =
        [b"", &pattern(70_000), b"\xffchronotap-exec\x01H", &[0; 5000], b"\xff"];
    for leftover in leftovers {
        guest.write_all(leftover).await.unwrap();
        let (host, far) = duplex(64 * 1024);
        let life = async {
            let session = Session::connect(host).await.unwrap();
            let output = session.run(&Request::new(["cat"]), b"ping", LIMIT).await.unwrap();
            assert_eq!(output.stdout, b"ping");
            if let Some(pid) = &former {
                group_is_gone(pid).await;
            }
            let (exec, pid) = start_group(&session).await;
            // The end of a host that is killed: no Drop frame reaches the guest.
            session.close();
            drop(exec);
            pid
        };
        let (pid, ()) = tokio::join!(life, relay(&mut guest, far));
        former = Some(pid);
    }
}

#[tokio::test]
async fn a_restarted_agent_ends_the_session() {
    let (host, mut guest) = duplex(64 * 1024);
    let first = {
        let (reader, writer) = tokio::io::split(&mut guest);
        let session = tokio::select! {
            session = Session::connect(host) => session.unwrap(),
            served = agent::serve(reader, Outgoing::new(writer)) => panic!("{served:?}"),
        };
        session
    };
    let exec = first.exec(&Request::new(["true"])).unwrap();
    let (reader, writer) = tokio::io::split(&mut guest);
    // The host closes the stream, so both end.
    let (reason, _) = tokio::join!(first.closed(), agent::serve(reader, Outgoing::new(writer)));
    assert_eq!(reason, Closed::Restarted);
    assert_eq!(exec.next().await.unwrap_err(), Closed::Restarted);
    assert_eq!(first.exec(&Request::new(["true"])).unwrap_err(), Closed::Restarted.into());
}

#[tokio::test]
async fn the_end_of_the_stream_is_told() {
    let (host, guest) = duplex(64 * 1024);
    drop(guest);
    assert!(matches!(Session::connect(host).await, Err(ConnectError::Io(_))));

    let (host, mut guest) = duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(&mut guest);
    let session = tokio::select! {
        session = Session::connect(host) => session.unwrap(),
        served = agent::serve(reader, Outgoing::new(writer)) => panic!("{served:?}"),
    };
    drop(guest);
    assert_eq!(session.closed().await, Closed::Gone);
}

#[tokio::test]
async fn a_guest_that_only_babbles_is_given_up() {
    let (host, guest) = duplex(64 * 1024);
    let (mut reader, mut writer) = tokio::io::split(guest);
    tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
    tokio::spawn(async move {
        let babble = pattern(1_000_003);
        while writer.write_all(&babble).await.is_ok() {}
    });
    assert!(matches!(Session::connect(host).await, Err(ConnectError::NoAgent)));
}

/// Answers the host's hello like an agent does, then sends `bytes`.
async fn hostile(mut guest: DuplexStream, bytes: Vec<u8>) {
    let mut hello = vec![0; 12 + 16 * 1024 + 32];
    guest.read_exact(&mut hello).await.unwrap();
    let mut welcome = hello[hello.len() - 32..].to_vec();
    welcome[16] = b'W';
    guest.write_all(&welcome).await.unwrap();
    // The host may hang up before it has read everything.
    guest.write_all(&bytes).await.ok();
    tokio::io::copy(&mut guest, &mut tokio::io::sink()).await.ok();
}

#[tokio::test]
async fn garbage_after_the_welcome_ends_the_session_with_a_reason() {
    for length in [1, 11, 12, 13, 100, 70_000] {
        let (host, guest) = duplex(64 * 1024);
        let agent = tokio::spawn(hostile(guest, pattern(length)));
        let session = Session::connect(host).await.unwrap();
        if length < 12 {
            // Not yet a frame: the session waits, and can be ended.
            session.close();
        }
        let reason = session.closed().await;
        assert_eq!(matches!(reason, Closed::Violation(_)), length >= 12, "{length}: {reason}");
        agent.abort();
    }
}

#[tokio::test]
async fn another_version_is_refused() {
    let (host, mut guest) = duplex(64 * 1024);
    tokio::spawn(async move {
        let mut hello = vec![0; 12 + 16 * 1024 + 32];
        guest.read_exact(&mut hello).await.unwrap();
        let mut welcome = hello[hello.len() - 32..].to_vec();
        welcome[15] = 200;
        welcome[16] = b'W';
        guest.write_all(&welcome).await.unwrap();
        guest.read_u8().await.ok();
    });
    assert!(matches!(Session::connect(host).await, Err(ConnectError::Version { guest: 200 })));
}

#[tokio::test]
async fn a_terminal_has_a_size_that_changes() {
    let session = session().await;
    let terminal = Some(Size { rows: 24, columns: 80 });
    let request = Request { terminal, ..shell("stty size; read line; stty size; exit 3") };
    let exec = session.exec(&request).expect("started");
    let mut seen = String::new();
    let outcome = loop {
        match exec.next().await.expect("the session lives") {
            Event::Ended(outcome) => break outcome,
            Event::Stderr(octets) => panic!("a terminal has one output: {octets:?}"),
            Event::Stdout(octets) => seen.push_str(&String::from_utf8_lossy(&octets)),
        }
        if seen == "24 80\r\n" {
            exec.resize(Size { rows: 50, columns: 132 });
            exec.write(b"\r").await.expect("it reads");
        }
    };
    // What is typed is echoed.
    assert_eq!((seen.as_str(), outcome), ("24 80\r\n\r\n50 132\r\n", Outcome::Exited(3)));
}

#[tokio::test]
async fn a_terminal_knows_the_end_of_input_and_the_interrupt_key() {
    let session = session().await;
    let terminal = Some(Size { rows: 24, columns: 80 });
    let on_terminal = |script| Request { terminal, ..shell(script) };
    let output = session.run(&on_terminal("cat; echo over"), b"hi\n", LIMIT).await.expect("ends");
    assert_eq!(output.stdout, b"hi\r\nhi\r\nover\r\n");
    // Whoever runs the tests in the background has the key ignored, and children inherit that.
    let interrupted =
        on_terminal("exec env --default-signal=INT sh -c 'trap \"exit 9\" INT; echo go; sleep 5'");
    let exec = session.exec(&interrupted).expect("started");
    assert_eq!(exec.next().await, Ok(Event::Stdout("go\r\n".into())));
    exec.write(b"\x03").await.expect("it reads");
    let outcome = loop {
        if let Event::Ended(outcome) = exec.next().await.expect("the session lives") {
            break outcome;
        }
    };
    assert_eq!(outcome, Outcome::Exited(9));
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_with_all_it_started() {
    let session = session().await;
    let request = Request { timeout_ms: Some(100), ..shell("echo one; sleep 600 & sleep 600") };
    let output = session.run(&request, b"", LIMIT).await.expect("ends");
    assert_eq!((&output.stdout[..], output.outcome), (&b"one\n"[..], Outcome::TimedOut));
    let request = Request { timeout_ms: Some(600_000), ..shell("exit 4") };
    let output = session.run(&request, b"", LIMIT).await.expect("ends");
    assert_eq!(output.outcome, Outcome::Exited(4));
}
