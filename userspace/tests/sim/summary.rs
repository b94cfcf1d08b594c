//! What links do to traffic, as tables: a change of behaviour shows as a change of a number.

use std::fmt::Write as _;
use std::time::Duration;

use chronotap::sim::{DropReason, Loss, Network, Profile, QueueLimit, VirtualInstant};
use rand_core::Rng as _;
use rand_pcg::Pcg64Mcg;

use crate::support::*;

/// How long frames are offered.
const SPAN: Duration = Duration::from_millis(500);
const DELAY: Duration = Duration::from_millis(10);
/// Mean length of the frames of [`offer`].
const MEAN_LENGTH: u64 = 789;

/// Offers frames of 64 to 1514 octets at uniformly random instants, on average `load` bit/s
/// including their overhead, and gives the delays of those that arrive, in µs and sorted.
fn offer(network: &mut Network<Vec<u8>>, load: u64) -> Vec<u64> {
    let mut dice = Pcg64Mcg::new(0x5eed);
    let mut below = |bound: u64| ((u128::from(dice.next_u64()) * u128::from(bound)) >> 64) as u64;
    let frames = load * SPAN.as_millis() as u64 / 8000 / (MEAN_LENGTH + 24);
    let mut sends: Vec<_> =
        (0..frames).map(|_| (below(SPAN.as_nanos() as u64), 64 + below(1451) as usize)).collect();
    sends.sort_unstable();
    for (id, (at, len)) in (0..).zip(&sends) {
        network.submit(ALICE, ns(*at), numbered(id, *len));
    }
    let deliveries = drain(network, VirtualInstant::MAX);
    let sent = |frame: &[u8]| ns(sends[number_of(frame) as usize].0);
    let mut delays: Vec<_> =
        deliveries.iter().map(|d| (d.due - sent(&d.frame)).as_micros() as u64).collect();
    delays.sort_unstable();
    delays
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// Goodput is octets of frames, without overhead; the queue holds the bandwidth-delay product.
#[test]
fn load_against_rate() {
    let mut table =
        String::from("rate Mbit/s  load %  goodput kbit/s  p50 µs  p99 µs  dropped ‰\n");
    for megabits in [10, 100, 1000] {
        for load in [20, 80, 95, 100, 120, 200] {
            let line = rate(megabits * 1_000_000).expect("not zero");
            let queue = QueueLimit::bandwidth_delay(line, 2 * DELAY);
            let profile = Profile { rate: Some(line), queue, ..delay(DELAY) };
            let mut network = pair(&profile);
            let delays = offer(&mut network, megabits * 10_000 * load);
            let counters = network.counters(FORWARD);
            let goodput = counters.delivered_bytes * 8 / SPAN.as_millis() as u64;
            let dropped = counters.dropped[DropReason::QueueFull] * 1000 / counters.sent;
            let (p50, p99) = (percentile(&delays, 50), percentile(&delays, 99));
            writeln!(table, "{megabits:>11}{load:>8}{goodput:>16}{p50:>8}{p99:>8}{dropped:>11}")
                .expect("a string takes all");
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn impairments() {
    let burst_loss = Loss::GilbertElliott {
        p: percent(1),
        r: percent(25),
        loss_good: percent(0),
        loss_bad: percent(100),
    };
    let jitter = Duration::from_millis(3);
    let rows = [
        ("delay 10ms", Profile::default()),
        ("  jitter 3ms", Profile { jitter, ..Profile::default() }),
        ("  loss 1%", Profile { loss: Loss::Random(percent(1)), ..Profile::default() }),
        ("  loss 1/25%", Profile { loss: burst_loss, ..Profile::default() }),
        ("  duplicate 5%", Profile { duplicate: percent(5), ..Profile::default() }),
        ("  reorder 5%", Profile { reorder: percent(5), ..Profile::default() }),
    ];
    let mut table = String::from(
        "profile             min µs  p50 µs  p99 µs  max µs    sent  arrived  lost  copies  reordered\n",
    );
    for (name, profile) in rows {
        let mut network = pair(&Profile { delay: DELAY, ..profile });
        let delays = offer(&mut network, 50_000_000);
        let [min, p50, p99, max] = [0, 50, 99, 100].map(|percent| percentile(&delays, percent));
        let counters = network.counters(FORWARD);
        let lost = counters.dropped[DropReason::Loss];
        writeln!(
            table,
            "{name:<18}{min:>8}{p50:>8}{p99:>8}{max:>8}{:>8}{:>9}{lost:>6}{:>8}{:>11}",
            counters.sent, counters.delivered, counters.copies, counters.reordered
        )
        .expect("a string takes all");
    }
    insta::assert_snapshot!(table);
}
