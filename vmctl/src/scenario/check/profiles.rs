//! What links do to frames: values within their limits, and what each way ends up with.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use chronotap::sim::{self, Capacity, Patch, Probability, Profile, QueueLimit};

use super::super::limits;
use super::recordings::Recordings;
use crate::topology::{
    Diagnostic, Diagnostics, Distribution, Link, LinkKeys, Loss, Shape, Spanned, Topology,
};
use crate::units::{Delay, QueueSize, Rate, RateLimit, Ratio, Size};

/// Checks what all links and their defaults say.
pub(super) fn check(topology: &Topology, recordings: &Recordings, found: &mut Diagnostics) {
    check_limits(&topology.default_link, found);
    for link in &topology.links {
        check_limits(&link.keys, found);
        check_limits(&link.reverse, found);
        for keys in both_ways(link, &topology.default_link) {
            check_together(&keys, recordings, found);
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
fn check_together(keys: &LinkKeys, recordings: &Recordings, found: &mut Diagnostics) {
    let delay = keys.delay.as_ref().map_or(Delay::default(), |delay| *delay.get_ref());
    let shape = keys
        .distribution
        .as_ref()
        .filter(|shape| *shape.get_ref() != Distribution::Shape(Shape::Uniform));
    if let (Some(jitter), Some(shape)) = (&keys.jitter, shape) {
        let greatest = distribution(shape.get_ref(), recordings)
            .and_then(|shape| shape.greatest_jitter(delay.as_nanos()));
        if let Some(greatest) = greatest.filter(|greatest| jitter.get_ref().as_nanos() > *greatest)
        {
            let beyond = Diagnostic::error("`jitter` exceeds what `delay` allows for");
            let most = Delay::from_nanos(greatest);
            let beyond =
                beyond.at(jitter.span(), format!("at most {most} with a delay of {delay}"));
            found.push(beyond.beside(shape.span(), "deviations are several times the jitter"));
        }
    } else if let Some(jitter) = keys.jitter.as_ref().filter(|jitter| *jitter.get_ref() > delay) {
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
    // A rate and a trace are one key.
    let wire = if keys.rate.is_some() || keys.trace.is_some() { keys } else { from };
    LinkKeys {
        delay: keys.delay.clone().or_else(|| from.delay.clone()),
        jitter: keys.jitter.clone().or_else(|| from.jitter.clone()),
        distribution: keys.distribution.clone().or_else(|| from.distribution.clone()),
        rate: wire.rate.clone(),
        trace: wire.trace.clone(),
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
pub(super) fn profiles(ways: &[LinkKeys; 2], recordings: &Recordings) -> [Profile; 2] {
    let mut profiles = ways.each_ref().map(|keys| {
        let mut profile = Profile::default();
        patch(keys, recordings).apply(&mut profile);
        profile
    });
    let round_trip = profiles[0].delay + profiles[1].delay;
    for (profile, keys) in profiles.iter_mut().zip(ways) {
        let queue = keys.queue.as_ref().map_or(QueueSize::Auto, |queue| *queue.get_ref());
        profile.queue = queue_limit(queue, profile, round_trip);
    }
    profiles
}

/// What `keys` change, except the queue, which takes both ways to know.
pub(in super::super) fn patch(keys: &LinkKeys, recordings: &Recordings) -> Patch {
    let rate = keys.rate.as_ref().map(|limit| match *limit.get_ref() {
        RateLimit::Unlimited => Capacity::Unlimited,
        RateLimit::At(rate) => {
            sim::Rate::new(rate.as_bits_per_second()).map_or(Capacity::Unlimited, Capacity::Rate)
        }
    });
    let trace = keys.trace.as_ref().and_then(|path| recordings.trace(path.get_ref()));
    let shape = keys.distribution.as_ref();
    Patch {
        delay: said(&keys.delay, Duration::from),
        jitter: said(&keys.jitter, Duration::from),
        distribution: shape.and_then(|shape| distribution(shape.get_ref(), recordings)),
        capacity: rate.or(trace.map(Capacity::Trace)),
        queue: None,
        loss: said(&keys.loss, loss),
        duplicate: said(&keys.duplicate, probability),
        corrupt: said(&keys.corrupt, probability),
        reorder: said(&keys.reorder, probability),
        overhead: said(&keys.overhead, |size| clamp_to_u32(size.as_bytes())),
        up: said(&keys.up, |up| up),
    }
}

fn said<W: Copy, T>(written: &Option<Spanned<W>>, convert: impl FnOnce(W) -> T) -> Option<T> {
    written.as_ref().map(|written| convert(*written.get_ref()))
}

/// None if its table is no good, which was noted.
fn distribution(written: &Distribution, recordings: &Recordings) -> Option<sim::Distribution> {
    Some(match written {
        Distribution::Shape(Shape::Uniform) => sim::Distribution::Uniform,
        Distribution::Shape(Shape::Normal) => sim::Distribution::Normal,
        Distribution::Shape(Shape::Pareto) => sim::Distribution::Pareto,
        Distribution::Table(path) => sim::Distribution::Table(recordings.table(path)?),
    })
}

/// The limit that a queue's size means for a way with this rate on a link of this round trip; of a
/// trace, it is the mean that counts.
pub(in super::super) fn queue_limit(
    queue: QueueSize,
    profile: &Profile,
    round_trip: Duration,
) -> QueueLimit {
    let traced = profile.trace.as_ref().and_then(|trace| trace.mean_rate());
    match (queue, traced.or(profile.rate)) {
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
pub(super) fn probability(ratio: Ratio) -> Probability {
    Probability::from_ppb(ratio.as_parts_per_billion()).unwrap_or(Probability::ONE)
}

/// Numbers that were checked against limits far below 2³².
fn clamp_to_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
