//! A lab of two guests on a link, looked at twice.

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};
use serde_json::{Value, json};

use super::{
    draw::{Scene, draw},
    rates::Rates,
    view::{Action, Order, Pane, View, shares},
};
use crate::api::{
    status::{LabState, Status},
    time::Clock,
};

fn guest(name: &str, vcpu: f64, sent: u64, dropped: u64) -> Value {
    json!({
        "name": name, "state": "ready", "paused": false, "pid": 7, "addresses": [], "vcpus": 1,
        "memory_bytes": 1 << 28, "reboots": 0, "vcpu_seconds": vcpu,
        "traffic": {
            "sent_frames": sent, "sent_bytes": 100 * sent, "received_frames": 2 * sent,
            "received_bytes": 200 * sent, "dropped_frames": dropped,
        },
    })
}

fn way(from: &str, to: &str, sent: u64, full: u64) -> Value {
    json!({
        "from": from, "to": to, "up": true, "delay_ns": 10_000_000, "jitter_ns": 0,
        "distribution": "uniform", "trace": false,
        "rate_bit_per_s": 100_000_000, "loss": 0.0, "duplicate": 0.0, "corrupt": 0.0,
        "reorder": 0.0, "queue_bytes": 65536, "queue_frames": null, "overhead_bytes": 24,
        "measured_delay_ns": 10_123_456, "sent_frames": sent, "sent_bytes": 1226 * sent,
        "delivered_frames": sent - full, "delivered_bytes": 1226 * (sent - full), "copies": 0,
        "dropped": { "queue_full": full, "loss": 0 }, "backlog_bytes": 2 * full,
    })
}

/// A lab some seconds after it began.
fn status(virtual_s: f64, wall_s: f64, sent: u64, full: u64) -> Status {
    let event = json!({
        "number": 3, "date": "2026-01-01T00:00:00.000Z", "at_seconds": 1.5, "virtual_seconds": 1.25,
        "message": "link alice:eth0-bob:eth0 changed: delay=10ms",
    });
    let status = json!({
        "lab": {
            "name": "pair", "topology": "/pair.toml", "mode": "realtime", "seed": 1,
            "daemon_pid": 6, "version": "0", "accelerator": "tcg", "stamp": "kernel",
            "metrics": null, "epoch_seconds": 0,
        },
        "state": "running",
        "time": {
            "virtual_seconds": virtual_s, "wall_seconds": wall_s, "user_pauses": 1,
            "overload_pauses": 0,
        },
        "lateness": { "frames": 9, "p50_ns": 12_345, "p99_ns": 1_234_567, "max_ns": 2_000_000 },
        "in_flight": 3, "foreign": 0,
        "guests": [guest("alice", wall_s / 2.0, sent, 0), guest("bob", wall_s / 4.0, 2 * sent, full)],
        "links": [{
            "name": "alice:eth0-bob:eth0", "mtu_bytes": 1500,
            "forward": way("alice:eth0", "bob:eth0", sent, full),
            "backward": way("bob:eth0", "alice:eth0", 2 * sent, 0),
        }],
        "pairs": [], "first_pings": [], "events": [event],
    });
    serde_json::from_value(status).expect("a status")
}

fn clock() -> Clock {
    let clock = json!({
        "state": "running", "mode": "lockstep", "virtual_ns": 5, "wall_ns": 5, "ratio": 1.0,
        "recent_ratio": null, "quantum_ns": null, "skew_ns": null,
        "guests": [{
            "name": "bob", "clock_ns": 5, "offset_ns": -12_345, "source": "hpet", "ended": false,
        }],
    });
    serde_json::from_value(clock).expect("a clock")
}

fn screen(columns: u16, rows: u16, view: &View, colours: bool) -> TestBackend {
    let (before, after) = (status(4.0, 5.0, 1000, 0), status(5.0, 7.0, 6000, 100));
    let (rates, clock) = (Rates::between(&before, &after), clock());
    let scene = Scene { status: &after, clock: &clock, rates: &rates, colours };
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal");
    terminal.draw(|frame| draw(frame, &scene, view)).expect("drawn");
    terminal.backend().clone()
}

fn press(view: &mut View, code: KeyCode) -> Action {
    view.press(KeyEvent::new(code, KeyModifiers::NONE), [2, 2, 1], LabState::Running)
}

#[test]
fn rates_of_frames_go_by_virtual_time_and_those_of_processors_by_the_hosts() {
    let rates = Rates::between(&status(4.0, 5.0, 1000, 0), &status(5.0, 7.0, 6000, 100));
    assert_eq!(rates.ratio, Some(0.5));
    let alice = rates.guests[0];
    assert_eq!((alice.sent, alice.received, alice.vcpu), (Some(5000.0), Some(10_000.0), Some(0.5)));
    let [there, back] = rates.links[0];
    // 5000 frames less 100 that were refused, of 1226 octets and 24 of overhead.
    assert_eq!((there.bits, there.dropped), (Some(49_000_000.0), Some(100.0)));
    assert_eq!((there.utilisation, back.utilisation), (Some(0.49), Some(1.0)));
}

#[test]
fn where_no_time_passes_there_are_no_rates() {
    let look = status(4.0, 5.0, 1000, 0);
    let still = Rates::between(&look, &look);
    assert_eq!((still.ratio, still.guests[0].sent, still.links[0][0].bits), (None, None, None));
    // A lab of the same name that was brought up again.
    let younger = Rates::between(&look, &status(5.0, 6.0, 10, 0));
    assert_eq!(younger.guests[0].sent, Some(0.0));
}

#[test]
fn all_of_it_fits_a_small_terminal() {
    insta::assert_snapshot!(screen(80, 24, &View::default(), false));
}

#[test]
fn there_is_no_terminal_too_small_to_draw_on() {
    for (columns, rows) in [(1, 1), (20, 3), (40, 8), (300, 100)] {
        let drawn = screen(columns, rows, &View::default(), true);
        assert_eq!(drawn.buffer().area.height, rows);
    }
}

#[test]
fn without_colours_nothing_is_coloured() {
    let coloured = |colours| {
        let drawn = screen(80, 24, &View::default(), colours);
        drawn.buffer().content.iter().filter(|cell| cell.fg != Color::Reset).count()
    };
    assert_eq!(coloured(false), 0);
    assert!(coloured(true) > 0);
}

#[test]
fn sorted_by_what_they_receive() {
    let mut view = View::default();
    (0..2).for_each(|_| assert_eq!(press(&mut view, KeyCode::Char('s')), Action::None));
    assert_eq!(view.guests_by, 2);
    let drawn = format!("{}", screen(80, 24, &view, false));
    let (alice, bob) = (drawn.find("alice "), drawn.find("bob "));
    assert!(bob < alice, "{drawn}");
}

#[test]
fn a_pause_is_asked_about_first() {
    let mut view = View::default();
    assert_eq!(press(&mut view, KeyCode::Char('p')), Action::None);
    assert!(format!("{}", screen(80, 24, &view, false)).contains("pause the lab"));
    assert_eq!(press(&mut view, KeyCode::Char('q')), Action::None, "any other key says no");
    assert_eq!(view.asks, None);
    press(&mut view, KeyCode::Char('p'));
    assert_eq!(press(&mut view, KeyCode::Char('y')), Action::Order(Order::Pause));
    let key = KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE);
    view.press(key, [2, 2, 1], LabState::Paused);
    assert_eq!(press(&mut view, KeyCode::Char('y')), Action::Order(Order::Resume));
    assert_eq!(press(&mut view, KeyCode::Char('q')), Action::Quit);
}

#[test]
fn marks_stay_within_their_pane() {
    let mut view = View::default();
    (0..5).for_each(|_| assert_eq!(press(&mut view, KeyCode::Down), Action::None));
    assert_eq!(view.marked, [1, 0, 0]);
    press(&mut view, KeyCode::BackTab);
    assert_eq!(view.pane, Pane::Events);
    press(&mut view, KeyCode::PageDown);
    assert_eq!(view.marked, [1, 0, 0], "there is one event");
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(view.press(interrupt, [0; 3], LabState::Running), Action::Quit);
}

#[test]
fn panes_share_what_room_there_is() {
    assert_eq!(shares(21, [4, 4, 2]), [4, 4, 2]);
    assert_eq!(shares(21, [66, 130, 65]), [7, 7, 7]);
    assert_eq!(shares(21, [4, 130, 65]), [4, 9, 8]);
    assert_eq!(shares(4, [9, 9, 9]), [3, 1, 0]);
}
