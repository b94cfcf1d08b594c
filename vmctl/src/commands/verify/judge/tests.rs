//! Networks that are right and networks that are not, made of numbers.

use super::super::paths::tests::links;
use super::*;
use crate::api::status::Link;

/// Small frames of 98 octets, 20 ms apart, then a burst of 20 of 1514.
const SIZES: [u32; 2] = [98, 1514];
const TERMS: Terms = Terms { tolerance: 250_000, slack: 1_000, interval: 20_000_000, sizes: SIZES };

fn link(keys: &str) -> Vec<Link> {
    links(&format!("[node.a]\n[node.b]\n[[link]]\nendpoints = ['a:eth0', 'b:eth0']\n{keys}"))
}

/// What a link of `real` keys does to frames, where `shape` says what becomes of each besides: how
/// much longer the frame takes, and whether it arrives.
fn measured<'a>(asked: &'a [Link], real: &str, shape: impl Fn(u64) -> (i64, bool)) -> Measured<'a> {
    let real = link(real);
    let frames: Vec<(u64, u32)> = (0..200)
        .map(|n| (n * 20_000_000, SIZES[0]))
        .chain((0..20).map(|n| (5_000_000_000 + n * 1_000, SIZES[1])))
        .collect();
    let bounds = Asked { ways: vec![&real[0].forward] }.bounds(frames.iter().copied());
    let trips = frames.iter().zip(bounds).zip(0..).map(|((&(sent, bytes), bounds), n)| {
        let (shift, arrives) = shape(n);
        let took = (bounds.least + bounds.most) / 2;
        Trip {
            id: Some(if bytes == SIZES[0] { 4 } else { 5 }),
            reply: false,
            bytes,
            sent,
            arrived: arrives.then(|| (sent + took).saturating_add_signed(shift)),
            copies: 0,
            paused: false,
        }
    });
    Measured {
        ends: ["a:eth0", "b:eth0"],
        links: vec!["a:eth0-b:eth0".to_owned()],
        asked: Asked { ways: vec![&asked[0].forward] },
        trips: trips.collect(),
        bursts: 5..6,
    }
}

/// The subjects that are found wrong where `real` is in place of `asked`.
fn found(asked: &str, real: &str, shape: impl Fn(u64) -> (i64, bool)) -> String {
    let asked = link(asked);
    let account = judge(&measured(&asked, real, shape), &TERMS);
    assert!(account.findings.iter().all(|finding| !finding.remedy.is_empty()));
    let mut subjects: Vec<_> = account.findings.iter().map(|finding| finding.subject).collect();
    subjects.dedup();
    subjects.join(" ")
}

/// A few microseconds late, as on any host.
fn usual(n: u64) -> (i64, bool) {
    ((n % 7 * 1_000) as i64, true)
}

/// Evenly spread over `span` to either side.
fn spread(span: i64) -> impl Fn(u64) -> (i64, bool) {
    move |n| ((n * 37 % 201) as i64 * span / 100 - span, true)
}

const PLAIN: &str = "delay = '5ms'\nrate = '100Mbit'";

#[test]
fn a_network_as_asked_for_is_left_in_peace() {
    assert_eq!(found(PLAIN, PLAIN, usual), "");
    assert_eq!(found("", "", usual), "", "no delay, no rate");
    let jitter = "delay = '5ms'\njitter = '2ms'";
    assert_eq!(found(jitter, jitter, spread(2_000_000)), "");
    let loss = "delay = '5ms'\nloss = '10%'";
    assert_eq!(found(loss, loss, |n| (0, !n.is_multiple_of(11))), "");
}

#[test]
fn another_delay_is_found_whichever_way_it_is_off() {
    let with = |delay: &str| format!("delay = '{delay}'\nrate = '100Mbit'");
    assert_eq!(found(PLAIN, &with("6ms"), usual), "delay");
    assert_eq!(found(PLAIN, &with("5.3ms"), usual), "delay");
    assert_eq!(found(PLAIN, &with("4.9ms"), usual), "delay");
    assert_eq!(found(PLAIN, &with("5.1ms"), usual), "", "less than the tolerance");
}

#[test]
fn a_host_that_is_late_with_most_frames_is_told_from_a_link_that_is_long() {
    let asked = link(PLAIN);
    let busy = |n: u64| (if n % 10 < 3 { 1_000 } else { 900_000 }, true);
    let account = judge(&measured(&asked, PLAIN, busy), &TERMS);
    let delay = account.findings.iter().find(|finding| finding.subject == "delay");
    let delay = delay.expect("a finding");
    assert!(delay.found.contains("half of the frames"), "{delay:?}");
    assert!(delay.remedy.contains("doctor"), "{delay:?}");
}

#[test]
fn another_rate_is_found() {
    let with = |rate: &str| format!("delay = '5ms'\nrate = '{rate}'");
    assert!(found(PLAIN, &with("50Mbit"), usual).contains("rate"));
    assert!(found(PLAIN, "delay = '5ms'", usual).contains("delay"), "too quick for a rate");
    assert!(found("delay = '5ms'", &with("10Mbit"), usual).contains("rate"), "and no limit asked");
    let asked = link(PLAIN);
    let rate = judge(&measured(&asked, PLAIN, usual), &TERMS).rate.expect("measured");
    assert_eq!(rate.by, "spacing");
    assert!((99_000_000..101_000_000).contains(&rate.bit_per_s), "{rate:?}");
}

#[test]
fn jitter_that_is_missing_or_lopsided_is_found() {
    let asked = "delay = '5ms'\njitter = '2ms'";
    assert_eq!(found(asked, asked, |_| (0, true)), "jitter");
    assert_eq!(found(asked, asked, |n| ((n % 2 * 2_000_000) as i64, true)), "jitter");
    assert!(found(asked, asked, spread(3_000_000)).contains("delay"), "beyond what is allowed");
    assert!(found("delay = '5ms'", asked, spread(2_000_000)).contains("delay"));
}

#[test]
fn losses_are_counted() {
    let asked = "delay = '5ms'\nloss = '10%'";
    assert_eq!(found(asked, asked, usual), "loss", "nothing is lost");
    assert_eq!(found(asked, asked, |n| (0, !n.is_multiple_of(3))), "loss", "a third");
    assert_eq!(found("delay = '5ms'", "delay = '5ms'", |n| (0, n != 50)), "loss", "one, of none");
    assert_eq!(found(PLAIN, PLAIN, |_| (0, false)), "loss", "all");
    assert_eq!(found("up = false", "", usual), "loss", "a link that should be down");
    let bursts = "loss = { model = 'gilbert-elliott', p = '1%', r = '10%' }";
    assert_eq!(found(bursts, bursts, |n| (0, n / 40 != 2)), "", "no chance that can be reckoned");
}

#[test]
fn copies_and_frames_that_were_held_back_are_counted() {
    let asked = link("delay = '5ms'\nreorder = '20%'");
    let held = |n: u64| (if n.is_multiple_of(5) { 5_000_000 } else { 0 }, true);
    let account = judge(&measured(&asked, "delay = '5ms'", held), &TERMS);
    assert_eq!((account.held_frames, account.findings), (44, Vec::new()));
    assert_eq!(found("delay = '5ms'\nreorder = '20%'", "delay = '5ms'", usual), "reorder");

    let asked = link("delay = '5ms'\nduplicate = '10%'");
    let mut measured = measured(&asked, "delay = '5ms'", usual);
    assert_eq!(judge(&measured, &TERMS).findings[0].subject, "duplicate");
    measured.trips.iter_mut().step_by(10).for_each(|trip| trip.copies = 1);
    assert_eq!(judge(&measured, &TERMS).findings, Vec::new());
}

#[test]
fn nothing_sent_is_not_taken_for_right() {
    let asked = link(PLAIN);
    let mut measured = measured(&asked, PLAIN, usual);
    measured.trips.clear();
    let account = judge(&measured, &TERMS);
    assert_eq!((account.sent_frames, account.findings.len()), (0, 1));
    assert!(account.findings[0].found.contains("nothing was sent"));
}

#[test]
fn in_exact_a_microsecond_is_too_much() {
    let asked = link(PLAIN);
    let terms = Terms { tolerance: 2, slack: 2, ..TERMS };
    let findings =
        |shift: i64| judge(&measured(&asked, PLAIN, move |_| (shift, true)), &terms).findings;
    assert_eq!(findings(0), Vec::new());
    assert_eq!(findings(1_000)[0].subject, "delay");
    assert_eq!(findings(-1_000)[0].subject, "delay");
}
