//! What links do to frames: values within their limits, and what each way ends up with.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use chronotap::sim::{self, Probability, Profile, QueueLimit};

use super::super::limits;
use crate::topology::{Diagnostic, Diagnostics, Link, LinkKeys, Loss, Spanned, Topology};
use crate::units::{Delay, QueueSize, Rate, RateLimit, Ratio, Size};

/// Checks what all links and their defaults say.
pub(super) fn check(topology: &Topology, found: &mut Diagnostics) {
    check_limits(&topology.default_link, found);
    for link in &topology.links {
        check_limits(&link.keys, found);
        check_limits(&link.reverse, found);
        for keys in both_ways(link, &topology.default_link) {
            check_together(&keys, found);
        }
    }
}

/// Checks each value by itself.
pub(in super::super) fn check_limits(keys: &LinkKeys, found: &mut Diagnostics) {
    for (key, delay) in [("delay", &keys.delay), ("jitter", &keys.jitter)] {
        let delay = delay.as_ref();
        in_range(key, delay, &limits::DELAY, Delay::as_nanos, Delay::from_nanos, found);
    }
    let (bits, rate) = (Rate::as_bits_per_second, Rate::from_bits_per_second);
    in_range("rate", at(&keys.rate).as_ref(), &limits::RATE, bits, rate, found);
    check_queue(keys.queue.as_ref(), found);
    let overhead = keys.overhead.as_ref();
    in_range("overhead", overhead, &limits::OVERHEAD, Size::as_bytes, Size::from_bytes, found);
    in_range("mtu", keys.mtu.as_ref(), &limits::MTU, |mtu| mtu, |mtu| mtu, found);
    if let Some(loss) = &keys.loss
        && let Loss::GilbertElliott { r: Ratio::ZERO, .. } = loss.get_ref()
    {
        let stuck = Diagnostic::error("invalid value for `r`");
        let stuck = stuck.at(loss.span(), "with `r = \"0%\"` the bad state never ends");
        found.push(stuck.help("give `r`, the chance per frame that a burst ends, above 0%"));
    }
}

/// The rate, if there is one.
fn at(limit: &Option<Spanned<RateLimit>>) -> Option<Spanned<Rate>> {
    let limit = limit.as_ref()?;
    match *limit.get_ref() {
        RateLimit::Unlimited => None,
        RateLimit::At(rate) => Some(Spanned::new(limit.span(), rate)),
    }
}

fn check_queue(queue: Option<&Spanned<QueueSize>>, found: &mut Diagnostics) {
    let Some(queue) = queue else { return };
    match *queue.get_ref() {
        QueueSize::Auto => {}
        QueueSize::Bytes(size) => {
            let size = Spanned::new(queue.span(), size);
            let (bytes, size_of) = (Size::as_bytes, Size::from_bytes);
            in_range("queue", Some(&size), &limits::QUEUE_BYTES, bytes, size_of, found);
        }
        QueueSize::Frames(count) => {
            let count = Spanned::new(queue.span(), count);
            let frames = |count| format!("{count} frames");
            in_range("queue", Some(&count), &limits::QUEUE_FRAMES, |n| n, frames, found);
        }
    }
}

/// Checks values that bear on each other.
fn check_together(keys: &LinkKeys, found: &mut Diagnostics) {
    let delay = keys.delay.as_ref().map_or(Delay::default(), |delay| *delay.get_ref());
    if let Some(jitter) = keys.jitter.as_ref().filter(|jitter| *jitter.get_ref() > delay) {
        let title = format!("`jitter` exceeds `delay`: {} > {delay}", jitter.get_ref());
        let mut beyond = Diagnostic::error(title)
            .at(jitter.span(), format!("at most the delay, {delay}"))
            .note("a frame takes delay ± jitter, and never less than no time");
        if let Some(delay) = &keys.delay {
            beyond = beyond.beside(delay.span(), "the delay");
        }
        found.push(beyond);
    }
    let reorder = keys.reorder.as_ref().filter(|reorder| *reorder.get_ref() > Ratio::ZERO);
    if let Some(reorder) = reorder.filter(|_| delay == Delay::default()) {
        let idle = Diagnostic::warning("`reorder` has no effect on a link without `delay`");
        let idle = idle.at(reorder.span(), "frames are held back by one more delay, which is 0");
        found.push(idle);
    }
}

/// Notes a value outside its limits. `number` and `value` convert between the value and the
/// limits' unit.
pub(super) fn in_range<T: Copy, D: Display>(
    key: &str,
    written: Option<&Spanned<T>>,
    limits: &RangeInclusive<u64>,
    number: impl Fn(T) -> u64,
    value: impl Fn(u64) -> D,
    found: &mut Diagnostics,
) {
    let Some(written) = written else { return };
    let number = number(*written.get_ref());
    let label = match number {
        number if number < *limits.start() => format!("at least {}", value(*limits.start())),
        number if number > *limits.end() => format!("at most {}", value(*limits.end())),
        _ => return,
    };
    found.push(Diagnostic::error(format!("`{key}` is out of range")).at(written.span(), label));
}

/// What holds forward and backward: the way's own keys, else the link's, else the defaults.
pub(super) fn both_ways(link: &Link, default: &LinkKeys) -> [LinkKeys; 2] {
    let forward = inherit(&link.keys, default);
    let backward = inherit(&link.reverse, &forward);
    [forward, backward]
}

fn inherit(keys: &LinkKeys, from: &LinkKeys) -> LinkKeys {
    LinkKeys {
        delay: keys.delay.clone().or_else(|| from.delay.clone()),
        jitter: keys.jitter.clone().or_else(|| from.jitter.clone()),
        rate: keys.rate.clone().or_else(|| from.rate.clone()),
        queue: keys.queue.clone().or_else(|| from.queue.clone()),
        loss: keys.loss.clone().or_else(|| from.loss.clone()),
        duplicate: keys.duplicate.clone().or_else(|| from.duplicate.clone()),
        corrupt: keys.corrupt.clone().or_else(|| from.corrupt.clone()),
        reorder: keys.reorder.clone().or_else(|| from.reorder.clone()),
        overhead: keys.overhead.clone().or_else(|| from.overhead.clone()),
        up: keys.up.clone().or_else(|| from.up.clone()),
        mtu: keys.mtu.clone().or_else(|| from.mtu.clone()),
    }
}

/// The profiles of a link whose keys are within their limits.
pub(super) fn profiles(ways: &[LinkKeys; 2]) -> [Profile; 2] {
    let mut profiles = ways.each_ref().map(|keys| overlay(&Profile::default(), keys));
    let round_trip = profiles[0].delay + profiles[1].delay;
    for (profile, keys) in profiles.iter_mut().zip(ways) {
        let queue = keys.queue.as_ref().map_or(QueueSize::Auto, |queue| *queue.get_ref());
        profile.queue = queue_limit(queue, profile.rate, round_trip);
    }
    profiles
}

/// `profile` with what `keys` name changed, except the queue, which takes both ways to know.
pub(in super::super) fn overlay(profile: &Profile, keys: &LinkKeys) -> Profile {
    let mut profile = profile.clone();
    set(&mut profile.delay, &keys.delay, Duration::from);
    set(&mut profile.jitter, &keys.jitter, Duration::from);
    set(&mut profile.rate, &keys.rate, |limit| match limit {
        RateLimit::Unlimited => None,
        RateLimit::At(rate) => sim::Rate::new(rate.as_bits_per_second()),
    });
    set(&mut profile.loss, &keys.loss, loss);
    set(&mut profile.duplicate, &keys.duplicate, probability);
    set(&mut profile.corrupt, &keys.corrupt, probability);
    set(&mut profile.reorder, &keys.reorder, probability);
    set(&mut profile.overhead, &keys.overhead, |size| clamp_to_u32(size.as_bytes()));
    set(&mut profile.up, &keys.up, |up| up);
    profile
}

fn set<W: Copy, T>(field: &mut T, written: &Option<Spanned<W>>, convert: impl FnOnce(W) -> T) {
    if let Some(written) = written {
        *field = convert(*written.get_ref());
    }
}

/// The limit that a queue's size means for a way of this rate on a link of this round trip.
pub(in super::super) fn queue_limit(
    queue: QueueSize,
    rate: Option<sim::Rate>,
    round_trip: Duration,
) -> QueueLimit {
    match (queue, rate) {
        // Without a rate the wire is never busy.
        (QueueSize::Auto, None) => QueueLimit::default(),
        (QueueSize::Auto, Some(rate)) => {
            let limit = QueueLimit::bandwidth_delay(rate, round_trip);
            let most = *limits::QUEUE_BYTES.end();
            QueueLimit { bytes: limit.bytes.map(|bytes| bytes.min(most)), ..limit }
        }
        (QueueSize::Bytes(size), _) => QueueLimit { bytes: Some(size.as_bytes()), frames: None },
        (QueueSize::Frames(count), _) => {
            QueueLimit { bytes: None, frames: Some(clamp_to_u32(count)) }
        }
    }
}

fn loss(loss: Loss) -> sim::Loss {
    match loss {
        Loss::Random(Ratio::ZERO) => sim::Loss::None,
        Loss::Random(ratio) => sim::Loss::Random(probability(ratio)),
        Loss::GilbertElliott { p, r, loss_good, loss_bad } => sim::Loss::GilbertElliott {
            p: probability(p),
            r: probability(r),
            loss_good: probability(loss_good),
            loss_bad: probability(loss_bad),
        },
    }
}

/// A ratio is at most 1 by its type.
fn probability(ratio: Ratio) -> Probability {
    Probability::from_ppb(ratio.as_parts_per_billion()).unwrap_or(Probability::ONE)
}

/// Numbers that were checked against limits far below 2³².
fn clamp_to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
