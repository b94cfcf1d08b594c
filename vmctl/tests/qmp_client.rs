//! The QMP client against a peer that is, in turn, well-behaved and everything but.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::broadcast::error::RecvError;
use vmctl::qmp::{Client, Limits, QmpError};

const GREETING: &str = concat!(
    r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "#,
    r#""package": "Debian"}, "capabilities": ["oob"]}}"#,
);

/// Long enough that no load makes a test fail which does not wait for it.
const PATIENT: Limits = Limits { reply: Duration::from_secs(120), line: 1 << 16 };
/// For tests in which the time does run out.
const BRIEF: Limits = Limits { reply: Duration::from_secs(2), line: 1 << 16 };

/// QEMU's side of a connection.
struct Fake {
    lines: Lines<BufReader<OwnedReadHalf>>,
    /// Commands that came on a line with others.
    heard: VecDeque<Value>,
    writer: OwnedWriteHalf,
}

impl Fake {
    async fn say(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.expect("the client reads");
        self.writer.write_all(b"\n").await.expect("the client reads");
    }

    /// The next command: its number, `Null` if it has none, and itself.
    async fn hear(&mut self) -> (Value, Value) {
        while self.heard.is_empty() {
            let line = self.lines.next_line().await.expect("readable").expect("a command");
            self.heard.extend(commands(&line));
        }
        let request = self.heard.pop_front().expect("one that was heard");
        (request["id"].clone(), request)
    }

    async fn answer(&mut self, id: &Value, value: &Value) {
        self.say(&json!({ "return": value, "id": id }).to_string()).await;
    }
}

/// The commands on a line; QEMU needs nothing between them.
fn commands(line: &str) -> Vec<Value> {
    let commands = serde_json::Deserializer::from_str(line).into_iter();
    commands.map(|command| command.expect("JSON")).collect()
}

fn pair() -> (UnixStream, Fake) {
    let (ours, theirs) = UnixStream::pair().expect("socketpair");
    let (reader, writer) = theirs.into_split();
    let lines = BufReader::new(reader).lines();
    (ours, Fake { lines, heard: VecDeque::new(), writer })
}

/// A client that has got through negotiation, and its peer.
async fn connected(limits: Limits) -> (Client, Fake) {
    let (stream, mut fake) = pair();
    let negotiation = async {
        fake.say(GREETING).await;
        let (id, request) = fake.hear().await;
        assert_eq!(request["execute"], "qmp_capabilities");
        assert_eq!(request["arguments"], json!({ "enable": ["oob"] }));
        fake.answer(&id, &json!({})).await;
        fake
    };
    let (client, fake) = tokio::join!(Client::negotiate(stream, limits), negotiation);
    (client.expect("negotiated"), fake)
}

/// Runs a command against what the peer does about it.
async fn meanwhile<T>(command: impl Future<Output = T>, peer: impl Future<Output = ()>) -> T {
    tokio::join!(command, peer).0
}

#[tokio::test]
async fn commands_say_what_qemu_expects() {
    let (client, mut fake) = connected(PATIENT).await;
    assert_eq!(client.version().to_string(), "10.0.2");
    let peer = tokio::spawn(async move {
        let mut heard = Vec::new();
        for reply in [
            json!({}),
            json!({}),
            json!({"running": false, "status": "paused", "new": 1}),
            json!("text\r\n"),
        ] {
            let (id, mut request) = fake.hear().await;
            fake.answer(&id, &reply).await;
            request.as_object_mut().expect("object").remove("id");
            heard.push(request);
        }
        heard
    });
    client.stop().await.expect("stop");
    client.cont().await.expect("cont");
    let status = client.query_status().await.expect("status");
    assert_eq!((status.running, status.status.as_str()), (false, "paused"));
    let line = "xp /1gx 0xfed000f0\n{\"";
    assert_eq!(client.human_monitor_command(line).await.expect("hmp"), "text\r\n");
    let heard = peer.await.expect("the peer got all of it");
    let hmp = json!({"execute": "human-monitor-command", "arguments": {"command-line": line}});
    let plain = |name| json!({ "execute": name });
    assert_eq!(heard, [plain("stop"), plain("cont"), plain("query-status"), hmp]);
}

#[tokio::test]
async fn replies_find_their_commands_in_any_order_and_between_events() {
    let (client, mut fake) = connected(PATIENT).await;
    let mut events = client.events();
    let peer = async {
        let mut ids = [fake.hear().await.0, fake.hear().await.0, fake.hear().await.0];
        ids.reverse();
        for id in &ids {
            fake.say(concat!(
                r#"{"event": "NEVER_HEARD_OF", "data": {"x": 1}, "#,
                r#""timestamp": {"seconds": -1, "microseconds": -1}}"#,
            ))
            .await;
            fake.answer(id, id).await;
        }
    };
    let three = async {
        tokio::join!(
            client.execute::<u64>("a", Value::Null),
            client.execute::<u64>("b", Value::Null),
            client.execute::<u64>("c", Value::Null),
        )
    };
    let (a, b, c) = meanwhile(three, peer).await;
    // Number 1 was qmp_capabilities.
    assert_eq!((a, b, c), (Ok(2), Ok(3), Ok(4)));
    for _ in 0..3 {
        let event = events.recv().await.expect("event");
        assert_eq!((event.name.as_str(), event.stamped_us), ("NEVER_HEARD_OF", None));
        assert_eq!(event.details, json!({"x": 1}));
    }
}

#[tokio::test]
async fn a_refusal_names_the_command_and_qemus_reason() {
    let (client, mut fake) = connected(PATIENT).await;
    let refused = meanwhile(client.cont(), async {
        let (id, _) = fake.hear().await;
        let error = json!({ "class": "GenericError", "desc": "Resetting the VM is required" });
        fake.say(&json!({ "error": error, "id": id }).to_string()).await;
    });
    let error = refused.await.expect_err("refused");
    assert_eq!(error.to_string(), "QEMU refused cont: Resetting the VM is required");
}

#[tokio::test]
async fn a_reply_of_another_shape_is_an_error_of_that_command_only() {
    let (client, mut fake) = connected(PATIENT).await;
    let odd = meanwhile(client.query_status(), async {
        let (id, _) = fake.hear().await;
        fake.answer(&id, &json!([1])).await;
    });
    assert!(matches!(odd.await, Err(QmpError::Unexpected { .. })));
    let fine = meanwhile(client.stop(), async {
        let (id, _) = fake.hear().await;
        fake.answer(&id, &json!({})).await;
    });
    fine.await.expect("the connection goes on");
}

#[tokio::test]
async fn silence_ends_a_command_and_a_late_reply_disturbs_nothing() {
    let (client, mut fake) = connected(BRIEF).await;
    let error = client.stop().await.expect_err("nobody answers");
    assert_eq!(error.to_string(), "QEMU did not answer stop within 2s");
    let (late, _) = fake.hear().await;
    fake.answer(&late, &json!({})).await;
    fake.say(r#"{"event": "AFTER"}"#).await;
    let mut events = client.events();
    fake.say(r#"{"event": "AFTER"}"#).await;
    assert_eq!(events.recv().await.expect("event").name, "AFTER");
    assert_eq!(client.end(), None);
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_nobody_for_ever() {
    let (client, _fake) = connected(BRIEF).await;
    let long = "x".repeat(1 << 16);
    let flood = (0..64).map(|_| client.human_monitor_command(&long));
    for outcome in futures_util::future::join_all(flood).await {
        assert!(matches!(outcome, Err(QmpError::Timeout { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_closes_the_connection_with_the_reason() {
    let endless = "x".repeat(1 << 17);
    let cases = [
        ("{\"return\": ", "QEMU sent nonsense"),
        ("\u{0}\u{1}garbage", "QEMU sent nonsense"),
        ("[]", "QEMU sent nonsense"),
        ("{\"return\": {}}", "a reply without the number of its command"),
        (endless.as_str(), "QEMU sent an endless line"),
    ];
    for (nonsense, reason) in cases {
        let (client, mut fake) = connected(PATIENT).await;
        let mut events = client.events();
        let broken = meanwhile(client.query_status(), async {
            fake.hear().await;
            fake.say(nonsense).await;
        });
        let error = broken.await.expect_err("broken");
        assert!(matches!(&error, QmpError::Closed(why) if why.contains(reason)), "{error}");
        assert_eq!(client.cont().await, Err(error.clone()), "later commands get the first reason");
        assert_eq!(client.end(), Some(error));
        assert!(matches!(events.recv().await, Err(RecvError::Closed)));
        assert!(matches!(client.events().recv().await, Err(RecvError::Closed)));
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_close_the_connection() {
    let (client, mut fake) = connected(PATIENT).await;
    let broken = meanwhile(client.stop(), async {
        fake.hear().await;
        fake.writer.write_all(b"{\"event\": \"\xff\xfe\"}\n").await.expect("written");
    });
    assert!(matches!(broken.await, Err(QmpError::Closed(_))));
}

#[tokio::test]
async fn hanging_up_ends_what_waits_and_a_quit_that_was_heard() {
    let (client, mut fake) = connected(PATIENT).await;
    let (stop, quit) = {
        let peer = async move {
            fake.hear().await;
            fake.hear().await;
            drop(fake);
        };
        meanwhile(async { tokio::join!(client.stop(), client.quit()) }, peer).await
    };
    assert_eq!(stop, Err(QmpError::Closed("QEMU hung up".to_owned())));
    assert_eq!(quit, Ok(()), "QEMU may end before it answers");
}

#[tokio::test]
async fn an_error_about_no_command_is_passed_over() {
    let (client, mut fake) = connected(PATIENT).await;
    let status = meanwhile(client.query_status(), async {
        let (id, _) = fake.hear().await;
        fake.say(r#"{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#).await;
        fake.answer(&id, &json!({ "running": true, "status": "running" })).await;
    });
    assert!(status.await.expect("its own reply counts").running);
}

#[tokio::test]
async fn a_slow_listener_is_told_how_much_it_missed() {
    let (client, mut fake) = connected(PATIENT).await;
    let mut events = client.events();
    let stop = meanwhile(client.stop(), async {
        let (id, _) = fake.hear().await;
        for _ in 0..1000 {
            fake.say(r#"{"event": "RTC_CHANGE"}"#).await;
        }
        fake.answer(&id, &json!({})).await;
    });
    stop.await.expect("a flood of events does not stand in the way");
    assert!(matches!(events.recv().await, Err(RecvError::Lagged(744))));
    assert_eq!(events.recv().await.expect("the newest are kept").name, "RTC_CHANGE");
}

#[tokio::test]
async fn negotiation_fails_in_words() {
    let cases = [
        ("hello", "this is no QMP greeting"),
        ("{\"QMP\": {}}", "this is no QMP greeting"),
        ("", "this is no QMP greeting"),
    ];
    for (line, reason) in cases {
        let (stream, mut fake) = pair();
        fake.say(line).await;
        let error = Client::negotiate(stream, PATIENT).await.expect_err("no QMP");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let (stream, fake) = pair();
    drop(fake);
    let error = Client::negotiate(stream, PATIENT).await.expect_err("closed");
    assert!(error.to_string().contains("hung up before it greeted"), "{error}");
    let (stream, _silent) = pair();
    let error = Client::negotiate(stream, BRIEF).await.expect_err("silent");
    assert_eq!(error.to_string(), "QEMU did not answer the greeting within 2s");
}

#[tokio::test]
async fn a_connection_needs_someone_to_connect_to() {
    let root = tempfile::tempdir().expect("temporary directory");
    let path = root.path().join("qmp.sock");
    let error = Client::connect(&path, PATIENT).await.expect_err("nobody there");
    assert!(matches!(error, QmpError::Unreachable(_)), "{error}");
    drop(vmctl::lab::bind_socket(&path).expect("bound"));
    let error = Client::connect(&path, PATIENT).await.expect_err("nobody listens");
    assert!(matches!(error, QmpError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn the_last_clone_closes_the_connection() {
    let (client, mut fake) = connected(PATIENT).await;
    let clone = client.clone();
    drop(client);
    let stop = meanwhile(clone.stop(), async {
        let (id, _) = fake.hear().await;
        fake.answer(&id, &json!({})).await;
    });
    stop.await.expect("still open");
    drop(clone);
    assert_eq!(fake.lines.next_line().await.expect("readable"), None);
}

#[tokio::test]
async fn a_stop_goes_out_with_its_question_and_is_timed() {
    let (client, mut fake) = connected(PATIENT).await;
    let going = meanwhile(client.go(), async {
        assert_eq!(fake.hear().await.1, json!({ "execute": "cont" }));
        fake.say(&stamped("RESUME", wall_us())).await;
        fake.answer(&Value::Null, &json!({})).await;
    });
    let going = going.await.expect("it goes");
    assert!(going.sent <= going.at && going.at <= going.running);
    let question = "xp/gx 0xfed000f0";
    let halted = meanwhile(client.halt(question), async {
        let line = fake.lines.next_line().await.expect("readable").expect("a line");
        let ask = json!({ "command-line": question });
        let ask = json!({ "execute": "human-monitor-command", "arguments": ask });
        assert_eq!(commands(&line), [json!({ "execute": "stop" }), ask]);
        fake.say(&stamped("STOP", wall_us())).await;
        fake.answer(&Value::Null, &json!({})).await;
        fake.answer(&Value::Null, &json!("ticks")).await;
    });
    let halted = halted.await.expect("it stands");
    assert_eq!(halted.answer, "ticks");
    assert_eq!(halted.going, Some(going.running));
    let order = [going.running, halted.sent, halted.at, halted.stopped, halted.answered];
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn whatever_resume_is_stamped_the_clock_went_on_between_order_and_reply() {
    let (client, mut fake) = connected(PATIENT).await;
    let unread = r#"{"event": "RESUME", "timestamp": {"seconds": -1, "microseconds": -1}}"#;
    let events = [
        r#"{"event": "RESUME"}"#.to_owned(),
        unread.to_owned(),
        stamped("RESUME", 0),
        stamped("RESUME", i64::MAX / 2),
        stamped("RESUME", wall_us() + 3_600_000_000),
    ];
    for event in events {
        let going = meanwhile(client.go(), async {
            fake.hear().await;
            fake.say(&event).await;
            fake.answer(&Value::Null, &json!({})).await;
        });
        let going = going.await.expect("it goes");
        assert!(going.sent <= going.at && going.at <= going.running, "{event}: {going:?}");
    }
}

#[tokio::test]
async fn what_stopped_a_guest_unasked_is_told_and_its_run_is_of_no_known_length() {
    let (client, mut fake) = connected(PATIENT).await;
    let mut events = client.events();
    let going = meanwhile(client.go(), async {
        fake.hear().await;
        // Without a RESUME, as of a guest that runs already; that comes when nobody waits for it.
        fake.answer(&Value::Null, &json!({})).await;
        fake.say(&stamped("RESUME", wall_us())).await;
        fake.say(&stamped("STOP", wall_us())).await;
    });
    going.await.expect("it goes");
    for name in ["RESUME", "STOP"] {
        assert_eq!(events.recv().await.expect("an event").name, name);
    }
    let halted = meanwhile(client.halt("?"), async {
        fake.hear().await;
        fake.answer(&Value::Null, &json!({})).await;
        fake.answer(&Value::Null, &json!("")).await;
    });
    assert_eq!(halted.await.expect("it stands").going, None);
}

#[tokio::test]
async fn each_half_of_a_stop_can_fail_by_itself() {
    let refused = json!({ "error": { "class": "GenericError", "desc": "no" } }).to_string();
    let odd = json!({ "return": {} }).to_string();
    for (replies, told) in [
        (vec![], "QEMU did not answer stop within 2s"),
        (vec![&odd], "QEMU did not answer human-monitor-command within 2s"),
        (vec![&refused, &odd], "QEMU refused stop: no"),
        (vec![&odd, &refused], "QEMU refused human-monitor-command: no"),
        (vec![&odd, &odd], "QEMU's reply to human-monitor-command makes no sense: it is no text"),
    ] {
        let limits = if replies.len() < 2 { BRIEF } else { PATIENT };
        let (client, mut fake) = connected(limits).await;
        let halted = meanwhile(client.halt("?"), async {
            fake.hear().await;
            for reply in replies {
                fake.say(reply).await;
            }
        });
        let error = halted.await.expect_err("half a stop").to_string();
        assert!(error.starts_with(told), "{error}");
    }
    let (client, mut fake) = connected(PATIENT).await;
    let halted = meanwhile(client.halt("?"), async {
        fake.hear().await;
        fake.say(&odd).await;
        drop(fake);
    });
    assert_eq!(halted.await, Err(QmpError::Closed("QEMU hung up".to_owned())));
}

/// An event with QEMU's wall clock, in microseconds.
fn stamped(name: &str, us: i64) -> String {
    let stamp = json!({ "seconds": us / 1_000_000, "microseconds": us % 1_000_000 });
    json!({ "event": name, "timestamp": stamp }).to_string()
}

fn wall_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_micros()).expect("before 292000")
}
