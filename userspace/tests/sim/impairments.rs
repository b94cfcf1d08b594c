//! Loss, duplication, corruption, jitter and reordering, against what their numbers promise.
//!
//! Seeds are fixed, so a bound holds for ever or never. Bounds are five standard deviations.

use std::collections::BTreeSet;
use std::time::Duration;

use chronotap::sim::{Distribution, DropReason, Loss, Probability, Profile, Table, VirtualInstant};

use crate::support::*;

const FRAMES: u32 = 200_000;

/// Numbers of the frames that arrive, in order of arrival, of [`FRAMES`] sent 1 µs apart.
fn arrivals(profile: &Profile) -> Vec<u32> {
    let mut network = pair(profile);
    (0..FRAMES).for_each(|id| network.submit(ALICE, us(id.into()), numbered(id, 60)));
    let deliveries = drain(&mut network, VirtualInstant::MAX);
    assert_only(&network, FORWARD, DropReason::Loss);
    deliveries.iter().map(|delivery| number_of(&delivery.frame)).collect()
}

/// Which of [`FRAMES`] frames are lost.
fn losses(loss: Loss) -> Vec<bool> {
    let mut lost = vec![true; FRAMES as usize];
    let profile = Profile { loss, ..Profile::default() };
    arrivals(&profile).iter().for_each(|&id| lost[id as usize] = false);
    lost
}

/// Checks `hits` of [`FRAMES`] trials against `probability`; `spread` widens the bound for
/// trials that are not independent.
#[track_caller]
fn assert_binomial(hits: usize, probability: f64, spread: f64) {
    let trials = f64::from(FRAMES);
    let deviation = (trials * probability * (1.0 - probability)).sqrt() * spread;
    let off = (hits as f64 - trials * probability) / deviation;
    assert!(off.abs() <= 5.0, "{hits} hits are {off:.1} standard deviations off {probability}");
}

#[test]
fn random_loss_is_binomial() {
    for chance in [1, 10, 50] {
        let lost = losses(Loss::Random(percent(chance)));
        let hits = lost.iter().filter(|&&lost| lost).count();
        assert_binomial(hits, chance as f64 / 100.0, 1.0);
        // Independent: a loss is followed by a loss no more often than anything else is.
        let twice = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert_binomial(twice, (chance as f64 / 100.0).powi(2), 2.0);
    }
}

#[test]
fn certain_loss_and_none() {
    assert!(losses(Loss::Random(Probability::ONE)).iter().all(|&lost| lost));
    assert!(!losses(Loss::Random(Probability::ZERO)).iter().any(|&lost| lost));
}

#[test]
fn gilbert_elliott_reaches_its_stationary_loss() {
    // (p, r, 1-k, 1-h) in percent, as `loss gemodel` of tc-netem(8) takes them.
    for (p, r, loss_good, loss_bad) in [(1, 10, 0, 100), (5, 50, 1, 80), (2, 20, 0, 50)] {
        let model = Loss::GilbertElliott {
            p: percent(p),
            r: percent(r),
            loss_good: percent(loss_good),
            loss_bad: percent(loss_bad),
        };
        let [p, r, loss_good, loss_bad] = [p, r, loss_good, loss_bad].map(|x| x as f64 / 100.0);
        let bad = p / (p + r);
        let mean = bad * loss_bad + (1.0 - bad) * loss_good;
        // Neighbours are correlated by 1 - p - r, which widens a mean's deviation by this much.
        let correlation = 1.0 - p - r;
        let spread = ((1.0 + correlation) / (1.0 - correlation)).sqrt();
        let hits = losses(model).iter().filter(|&&lost| lost).count();
        assert_binomial(hits, mean, spread);
    }
}

#[test]
fn gilbert_elliott_bursts_have_their_length() {
    let (p, r) = (percent(1), percent(20));
    let (loss_good, loss_bad) = (Probability::ZERO, Probability::ONE);
    let lost = losses(Loss::GilbertElliott { p, r, loss_good, loss_bad });
    let bursts: Vec<usize> =
        lost.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len).collect();
    // Geometric with mean 1 / r = 5 and variance (1 - r) / r² = 20.
    let mean = bursts.iter().sum::<usize>() as f64 / bursts.len() as f64;
    let deviation = (20.0 / bursts.len() as f64).sqrt();
    assert!((mean - 5.0).abs() <= 5.0 * deviation, "mean burst {mean} of {}", bursts.len());
}

#[test]
fn duplicates_arrive_right_behind() {
    let profile = Profile { duplicate: percent(10), ..delay(Duration::from_millis(1)) };
    let arrived = arrivals(&profile);
    assert!(arrived.is_sorted());
    let copies = arrived.len() - FRAMES as usize;
    assert_binomial(copies, 0.1, 1.0);
    assert_eq!(arrived.chunk_by(|a, b| a == b).filter(|run| run.len() == 2).count(), copies);
}

#[test]
fn corruption_flips_one_bit_anywhere() {
    let mut network = pair(&Profile { corrupt: percent(10), ..Profile::default() });
    (0..FRAMES).for_each(|_| network.submit(ALICE, ns(0), vec![0; 60]));
    let mut places = BTreeSet::new();
    let mut hits = 0;
    for delivery in drain(&mut network, ns(0)) {
        let flipped: u32 = delivery.frame.iter().map(|octet| octet.count_ones()).sum();
        assert!(flipped <= 1);
        hits += flipped as usize;
        places
            .extend(delivery.frame.iter().zip(0..).filter(|(o, _)| **o != 0).map(|(o, n)| (n, *o)));
    }
    assert_binomial(hits, 0.1, 1.0);
    assert_eq!(network.counters(FORWARD).corrupted, hits as u64);
    assert_eq!(places.len(), 480, "every bit of every octet is hit sooner or later");
}

#[test]
fn an_empty_frame_has_no_bit_to_flip() {
    let mut network = pair(&Profile { corrupt: Probability::ONE, ..Profile::default() });
    assert_eq!(burst(&mut network, 1, 0), [0]);
    assert_eq!(network.counters(FORWARD).corrupted, 0);
}

#[test]
fn jitter_is_uniform_and_two_sided_when_frames_are_far_apart() {
    let (delay, jitter) = (Duration::from_millis(10), Duration::from_millis(2));
    let mut network = pair(&Profile { jitter, ..self::delay(delay) });
    let mut buckets = [0; 8];
    for id in 0..FRAMES {
        let sent = ns(u64::from(id) * 20_000_000);
        network.submit(ALICE, sent, numbered(id, 60));
        let took = drain(&mut network, VirtualInstant::MAX)[0].due - sent;
        let offset = took.checked_sub(delay - jitter).expect("no faster than delay - jitter");
        assert!(offset <= 2 * jitter);
        buckets[(offset.as_nanos() / 500_001) as usize] += 1;
    }
    buckets.into_iter().for_each(|hits| assert_binomial(hits, 0.125, 1.0));
}

#[test]
fn jitter_keeps_order() {
    let jitter = Duration::from_millis(5);
    let arrived = arrivals(&Profile { jitter, ..delay(Duration::from_millis(10)) });
    assert_eq!(arrived, (0..FRAMES).collect::<Vec<_>>());
}

#[test]
fn reordered_frames_are_overtaken_and_the_rest_is_not() {
    let profile = Profile { reorder: percent(5), ..delay(Duration::from_micros(100)) };
    let arrived = arrivals(&profile);
    assert_eq!(arrived.iter().collect::<BTreeSet<_>>().len(), FRAMES as usize, "each arrives once");
    // A frame is reordered if a later one came first (RFC 4737 section 3.2).
    let mut highest = None;
    let late = arrived.iter().filter(|&&id| {
        let late = highest > Some(id);
        highest = highest.max(Some(id));
        late
    });
    assert_binomial(late.count(), 0.05, 1.0);
}

#[test]
fn a_reordered_frame_takes_one_more_delay_exactly() {
    let profile = Profile { reorder: Probability::ONE, ..delay(Duration::from_micros(100)) };
    assert_eq!(burst(&mut pair(&profile), 3, 60), [200_000; 3]);
}

/// Greatest distance between the distribution of delays, in jitters of 1 ms above the delay of 20 ms,
/// of well spaced frames, and a cumulative distribution (Kolmogorov and Smirnov).
fn distance(distribution: Distribution, cumulative: impl Fn(f64) -> f64) -> f64 {
    const COUNT: u64 = 20_000;
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(1));
    let mut network = pair(&Profile { delay, jitter, distribution, ..Profile::default() });
    let sent = |id: u64| us(id * 100_000);
    (0..COUNT).for_each(|id| network.submit(ALICE, sent(id), numbered(id as u32, 60)));
    let arrived = drain(&mut network, VirtualInstant::MAX).into_iter();
    let mut seen: Vec<f64> = arrived
        .map(|d| (d.due - sent(number_of(&d.frame).into())).as_secs_f64() * 1e3 - 20.0)
        .collect();
    seen.sort_by(f64::total_cmp);
    let count = COUNT as f64;
    let off = |(rank, x): (usize, &f64)| {
        let wanted = cumulative(*x);
        (wanted - rank as f64 / count).abs().max(((rank + 1) as f64 / count - wanted).abs())
    };
    seen.iter().enumerate().map(off).fold(0.0, f64::max)
}

/// The 99.9 % quantile of the distance for 20,000 samples is 1.95 / √20000.
const FAR: f64 = 0.0138;

#[test]
fn jitter_is_distributed_as_configured() {
    let uniform = |x: f64| ((x + 1.0) / 2.0).clamp(0.0, 1.0);
    // Abramowitz and Stegun 7.1.26, to 1.5 · 10⁻⁷.
    let erf = |x: f64| {
        let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
        let series = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
        let sum = series.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
        (1.0 - sum * (-x * x).exp()).copysign(x)
    };
    let phi = |x: f64| 0.5 * (1.0 + erf(x / 2f64.sqrt()));
    let normal = |x: f64| ((phi(x) - phi(-3.0)) / (phi(3.0) - phi(-3.0))).clamp(0.0, 1.0);
    let pareto = |x: f64| ((1.0 - (1.0 + x / 2.0).powi(-3)) / 0.999).clamp(0.0, 1.0);
    let fits = [
        distance(Distribution::Uniform, uniform),
        distance(Distribution::Normal, normal),
        distance(Distribution::Pareto, pareto),
    ];
    assert!(fits.iter().all(|distance| *distance < FAR), "{fits:?}");
    let others = [
        distance(Distribution::Normal, uniform),
        distance(Distribution::Pareto, normal),
        distance(Distribution::Uniform, normal),
    ];
    assert!(others.iter().all(|distance| *distance > 3.0 * FAR), "it can tell: {others:?}");
}

#[test]
fn a_table_is_drawn_from_evenly() {
    let table = Table::new([-8192, 0, 0, 16_384]).expect("not empty");
    let steps =
        |x: f64| [-1.0, 0.0, 0.0, 2.0].iter().filter(|step| x >= **step).count() as f64 / 4.0;
    let listed = || Distribution::Table(std::sync::Arc::new(table.clone()));
    let mut network = pair(&Profile {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(1),
        distribution: listed(),
        ..Profile::default()
    });
    let sends = 0..8000u32;
    sends
        .clone()
        .for_each(|id| network.submit(ALICE, us(u64::from(id) * 100_000), numbered(id, 60)));
    let arrived = drain(&mut network, VirtualInstant::MAX);
    let seen: Vec<u64> = arrived
        .iter()
        .map(|d| (d.due - us(u64::from(number_of(&d.frame)) * 100_000)).as_millis() as u64)
        .collect();
    for (millis, deviation) in [(19, -1.0), (20, 0.0), (22, 2.0)] {
        let share = seen.iter().filter(|took| **took <= millis).count() as f64 / 8000.0;
        assert!((share - steps(deviation)).abs() < 0.03, "{millis} ms: {share}");
    }
    assert!(seen.iter().all(|took| [19, 20, 22].contains(took)));
}
