//! Frames through the whole data plane: real taps, XDP and AF_XDP, with the test as the guests.
//!
//! Upper bounds on time are nowhere asserted; that no frame is faster than its link always is.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chronotap::datapath::{OrderError, start};
use chronotap::pacer::StampSource;
use chronotap::programs::{AttachMode, StampedBy};
use chronotap::sim::{
    DirectionChange, DirectionId, DropReason, GuestId, LinkId, NotChanged, Patch, PortId, Way,
};
use chronotap::synchronizer::{Guests, GuestsError, OnOverload, Realtime};
use chronotap::xsk::Tap;
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{
    PATIENCE, Plane, QUEUE, delayed, frame, object, pair, port_settings, star,
};

const FORWARD: DirectionId = DirectionId { link: LinkId(0), way: Way::Forward };

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn frames_arrive_intact_and_never_too_early() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(2))), 1500);
        for round in 0..50 {
            let (ball, sent) = (frame(1, 2, round, 60 + 29 * round as usize), Instant::now());
            plane.send(0, &ball);
            assert_eq!(plane.receive(1), ball);
            plane.send(1, &ball);
            assert_eq!(plane.receive(0), ball);
            assert!(sent.elapsed() >= ms(4), "round {round} took {:?}", sent.elapsed());
        }
        let seen = plane.observe();
        assert_eq!((seen.transmitted(), seen.dropped(), seen.held()), (100, 0, 0));
        assert_eq!(seen.lateness.count(), 100);
        assert_eq!(seen.ports[0].unstamped, 0);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn this_host_offers_stamps_and_native_attachment() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(1))), 1500);
        let facts = plane.datapath.facts();
        assert_eq!(facts.stamps, StampSource::Kernel);
        assert_eq!(facts.attached, [AttachMode::Native; 2]);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn every_length_is_delivered_or_counted_as_oversize() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(0))), 1500);
        for len in 14..2000 {
            let sent = frame(1, 2, len as u64, len);
            plane.send(0, &sent);
            if len <= 1518 {
                assert_eq!(plane.receive(1), sent, "{len} octets");
            }
        }
        let seen = plane.wait_until(|seen| seen.ports[0].received == 1986);
        assert_eq!(seen.ports[0].ingress[DropReason::Oversize], 2000 - 1519);
        assert_eq!(seen.transmitted(), 1519 - 14);
        let kernel = plane.datapath.kernel_counters().expect("counters")[0];
        assert_eq!(kernel.frames, seen.ports[0].received + seen.ports[0].missed);
        plane.datapath.drain_kernel_log();
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn frames_shorter_than_a_header_never_get_in() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(0))), 1500);
        for len in 0..14 {
            // The tap itself refuses some; what it lets pass, capture counts as runt.
            let _refused = plane.tap(0).send(&frame(1, 2, 0, 14)[..len]);
        }
        plane.send(0, &frame(1, 2, 1, 60));
        assert_eq!(plane.receive(1).len(), 60);
        assert_eq!(plane.observe().ports[0].received, 1);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn jumbo_frames_arrive_intact() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(1))), 9000);
        let lengths = (1400..9018).step_by(97).chain([9018]);
        for (number, len) in lengths.enumerate() {
            let sent = frame(1, 2, number as u64, len);
            plane.send(0, &sent);
            assert_eq!(plane.receive(1), sent, "{len} octets");
        }
        plane.send(0, &frame(1, 2, 0, 9019));
        plane.wait_until(|seen| seen.ports[0].ingress[DropReason::Oversize] == 1);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn huge_frames_of_anything_are_counted() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(0))), 65_000);
        let lengths: Vec<usize> = (1500..=65_535).step_by(1499).chain([65_018, 65_535]).collect();
        for len in &lengths {
            // Random octets from the first one on: addresses and type mean nothing.
            let anything = frame(0, 0, *len as u64, len + 14).split_off(14);
            // The tap may refuse the longest; then nobody has sent them.
            let _refused = plane.tap(0).send(&anything);
        }
        let sent = plane.wait_until(|seen| seen.held() == 0 && seen.ports[0].received > 30);
        let egress = sent.ports[1].egress[DropReason::Oversize];
        assert!(egress > 10, "what no skb can carry is dropped by name: {:?}", sent.ports);
        assert!(sent.ports[0].received + sent.ports[0].missed <= lengths.len() as u64);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn more_frames_than_the_umem_holds_are_kept_in_the_pool() {
    in_new_netns(|| {
        const COUNT: u64 = 9000;
        let plane = Plane::start(pair(&delayed(ms(1500))), 1500);
        for number in 0..COUNT {
            plane.send(0, &frame(1, 2, number, 60 + (number % 1400) as usize));
            if number % 512 == 0 {
                std::thread::sleep(ms(1));
            }
        }
        let held = plane.observe();
        assert!(held.memory.pool_bytes > 0 || held.transmitted() > 0, "{:?}", held.memory);
        for number in 0..COUNT {
            let expected = frame(1, 2, number, 60 + (number % 1400) as usize);
            assert_eq!(plane.receive(1), expected, "frame {number}");
        }
        let seen = plane.wait_until(|seen| seen.transmitted() == COUNT);
        assert_eq!(seen.memory.pool_bytes, 0);
        assert_eq!(seen.ports[0].missed, 0);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_guest_that_does_not_read_loses_frames_by_name() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(0))), 1500);
        let sent = u64::from(QUEUE) + 500;
        for number in 0..sent {
            plane.send(0, &frame(1, 2, number, 60));
            if number % 512 == 0 {
                std::thread::sleep(ms(1));
            }
        }
        let missed = |port: &chronotap::observation::PortObservation| port.missed;
        let seen = plane.wait_until(|seen| {
            seen.ports[0].received + missed(&seen.ports[0]) == sent && seen.held() == 0
        });
        assert!(seen.ports[1].egress[DropReason::TapQueueFull] > 0, "{:?}", seen.ports);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn the_hosts_own_frames_never_reach_a_guest() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(0))), 1500);
        let address = ["addr", "add", "192.0.2.1/24", "dev", "tap0"];
        let set = Command::new("ip").args(address).status().expect("iproute2 is installed");
        assert!(set.success());
        let socket = UdpSocket::bind("192.0.2.1:0").expect("a socket");
        socket.send_to(b"anybody?", "192.0.2.2:9").expect("the stack asks for the address");
        let start = Instant::now();
        while plane.datapath.kernel_counters().expect("counters")[0].foreign == 0 {
            assert!(start.elapsed() < PATIENCE, "the gate counts no foreign frame");
            std::thread::sleep(ms(5));
        }
        plane.send(1, &frame(2, 1, 1, 77));
        assert_eq!(plane.receive(0).len(), 77, "our own frame is the first to come out");
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_tap_that_vanishes_takes_only_its_own_frames_along() {
    in_new_netns(|| {
        let mut plane = Plane::start(star(3, &delayed(ms(1))), 1500);
        plane.send(0, &frame(1, 0xff, 0, 60));
        (1..3).for_each(|port| assert_eq!(plane.receive(port).len(), 60));
        plane.send(1, &frame(2, 1, 0, 60));
        assert_eq!(plane.receive(0).len(), 60);
        plane.taps[0] = None;
        for number in 0..20 {
            plane.send(1, &frame(2, 1, number, 60));
            plane.send(1, &frame(2, 3, number, 61));
            assert_eq!(plane.receive(2).len(), 61);
        }
        // Guest 3 has never spoken, so what is for it is flooded: 20 frames of each kind.
        let seen = plane.wait_until(|seen| seen.ports[0].egress[DropReason::GuestGone] == 40);
        assert!(seen.ports[0].gone);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_guest_that_comes_back_gets_its_port_back() {
    in_new_netns(|| {
        let mut plane = Plane::start(pair(&delayed(ms(1))), 1500);
        plane.send(0, &frame(1, 2, 0, 60));
        plane.receive(1);
        plane.taps[0] = None;
        plane.send(1, &frame(2, 1, 0, 60));
        plane.wait_until(|seen| seen.ports[0].egress[DropReason::GuestGone] == 1);
        let tap = Tap::create("tap9", 1500, QUEUE).expect("a tap");
        plane
            .datapath
            .rewire(PortId(0), port_settings(&tap, 1500, GuestId(0)))
            .expect("a new wire");
        plane.taps[0] = Some(tap);
        plane.send(1, &frame(2, 1, 1, 99));
        assert_eq!(plane.receive(0).len(), 99);
        plane.send(0, &frame(1, 2, 1, 98));
        assert_eq!(plane.receive(1).len(), 98);
        assert!(!plane.observe().ports[0].gone);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_switch_floods_then_learns() {
    in_new_netns(|| {
        let plane = Plane::start(star(4, &delayed(ms(1))), 1500);
        let hello = frame(1, 0xff, 0, 100);
        plane.send(0, &hello);
        (1..4).for_each(|port| assert_eq!(plane.receive(port), hello));
        let answer = frame(3, 1, 1, 101);
        plane.send(2, &answer);
        assert_eq!(plane.receive(0), answer);
        let seen = plane.observe();
        assert_eq!((seen.switches[0].flooded, seen.switches[0].copies), (1, 2));
        assert_eq!(seen.transmitted(), 4);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn frozen_time_holds_frames_and_loses_none() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(50))), 1500);
        (0..10).for_each(|number| plane.send(0, &frame(1, 2, number, 60)));
        plane.wait_until(|seen| seen.ports[0].received == 10);
        let Plane { datapath, runtime, .. } = &plane;
        let frozen = runtime.block_on(datapath.freeze()).expect("it freezes");
        plane.send(0, &frame(1, 2, 10, 60));
        runtime.block_on(datapath.drained()).expect("it drains");
        let before = plane.observe();
        std::thread::sleep(ms(80));
        let after = plane.observe();
        assert_eq!((after.at, after.paused), (Some(frozen), true));
        assert_eq!(after.transmitted(), before.transmitted(), "nothing moves in frozen time");
        assert_eq!(after.held() + after.transmitted(), 11);
        runtime.block_on(datapath.thaw()).expect("it thaws");
        for number in 0..11 {
            assert_eq!(plane.receive(1), frame(1, 2, number, 60));
        }
        assert!(plane.observe().at > Some(frozen));
    });
}

/// Counts what is asked of it.
#[derive(Clone, Default)]
struct Counted {
    pauses: Arc<AtomicU32>,
    resumes: Arc<AtomicU32>,
}

impl Guests for Counted {
    async fn pause_all(&self) -> Result<(), GuestsError> {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn resume_all(&self) -> Result<(), GuestsError> {
        self.resumes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn an_overloaded_host_pauses_the_guests_and_goes_on() {
    in_new_netns(|| {
        // No release is exactly in time: with no tolerance at all the host is always overloaded.
        let plane = Plane::start_with(pair(&delayed(ms(1))), 1500, Duration::ZERO);
        let Plane { taps, datapath, events, runtime } = plane.expect("the data plane starts");
        let guests = Counted::default();
        let (realtime, handle) =
            Realtime::new(guests.clone(), datapath.clone(), events, OnOverload::Pause);
        let tap = taps[0].as_ref().expect("tap 0");
        runtime.block_on(async {
            let task = tokio::spawn(realtime.run());
            let start = Instant::now();
            while handle.tally().overload_pauses < 2 {
                assert!(start.elapsed() < PATIENCE, "no overload: {:?}", handle.tally());
                tap.send(&frame(1, 2, 0, 60)).expect("the tap takes a frame");
                tokio::time::sleep(ms(1)).await;
            }
            handle.pause().await.expect("a pause");
            assert!(handle.tally().paused);
            handle.resume().await.expect("a resume");
            drop(handle);
            task.await.expect("it ends with its last handle");
        });
        let counts = [&guests.pauses, &guests.resumes].map(|count| count.load(Ordering::Relaxed));
        assert!(counts[0] >= 3 && counts[0] == counts[1], "{counts:?}");
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn a_link_changes_while_frames_are_under_way() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(30))), 1500);
        plane.send(0, &frame(1, 2, 0, 60));
        plane.wait_until(|seen| seen.ports[0].received == 1);
        let Plane { datapath, runtime, .. } = &plane;
        let change = |direction| {
            let patch = Patch::from(&delayed(ms(5)));
            let change = DirectionChange { direction, patch, passed: 0 };
            runtime.block_on(datapath.change(vec![change]))
        };
        change(FORWARD).expect("the link is there");
        let nowhere = DirectionId { link: LinkId(9), ..FORWARD };
        assert_eq!(change(nowhere), Err(NotChanged::NoSuchLink(nowhere.link).into()));
        plane.send(0, &frame(1, 2, 1, 60));
        let mut arrived = [plane.receive(1), plane.receive(1)];
        arrived.sort();
        let mut expected = [frame(1, 2, 0, 60), frame(1, 2, 1, 60)];
        expected.sort();
        assert_eq!(arrived, expected);
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn it_stops_under_traffic_and_leaves_the_taps_free() {
    in_new_netns(|| {
        let plane = Plane::start(pair(&delayed(ms(1))), 1500);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let ball = frame(1, 2, 0, 60);
                for _ in 0..2_000_000 {
                    plane.send(0, &ball);
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
            std::thread::sleep(ms(50));
            plane.datapath.stop();
            over.store(true, Ordering::Relaxed);
        });
        let observe = plane.datapath.observe(Box::default());
        assert_eq!(plane.runtime.block_on(observe).map(drop), Err(OrderError::Stopped));
        let Plane { taps, datapath, .. } = plane;
        drop(datapath);
        let ports = taps.iter().flatten().map(|tap| port_settings(tap, 1500, GuestId(0))).collect();
        let again = chronotap::datapath::Settings {
            ports,
            plan: pair(&delayed(ms(1))),
            object: object(),
            tolerance: PATIENCE,
            memory: Default::default(),
            exact: None,
        };
        start(again).map(drop).expect("the same taps serve again");
    });
}

#[test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
fn what_cannot_start_says_why_and_leaves_nothing() {
    in_new_netns(|| {
        let tap = Tap::create("tap0", 1500, QUEUE).expect("a tap");
        let settings = |ports, plan, object| chronotap::datapath::Settings {
            ports,
            plan,
            object,
            tolerance: PATIENCE,
            memory: Default::default(),
            exact: None,
        };
        let plan = || pair(&delayed(ms(1)));
        let nowhere = |index| chronotap::datapath::PortSettings {
            ifindex: index,
            name: "nowhere".to_owned(),
            mtu: 1500,
            guest: GuestId(0),
            stamped_by: StampedBy::Kernel,
        };
        let port = || port_settings(&tap, 1500, GuestId(0));
        let cases = [
            (settings(vec![port()], plan(), object()), "2 ports, and 1 taps"),
            (settings(vec![port(), port()], plan(), object()), "bind AF_XDP socket"),
            (settings(vec![port(), nowhere(77)], plan(), object()), "interface 77"),
            (settings(vec![port(), port()], plan(), b"no object".to_vec()), "load the eBPF object"),
        ];
        for (settings, expected) in cases {
            let error = start(settings).map(drop).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            Tap::create("tap0", 1500, QUEUE).is_err_and(|error| error.to_string().contains("tap0"))
        );
    });
}
