//! Whether what was measured is what was asked for. Pure.

use std::ops::Range;

use super::{
    account::{Account, Errors, Finding, Rate, Shape, Spans, Timed, timed},
    asked::{Asked, serialization},
    chance::is_plausible,
    trips::Trip,
};
use crate::api::status::Way;
use crate::output::text::{nanos, rate as rate_text, share};

/// How exactly things are to be.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How late the median may be, in ns.
    pub tolerance: u64,
    /// How early a frame may be, in ns: what reading clocks and rounding make.
    pub slack: u64,
    /// Time between the small pings, in ns.
    pub interval: u64,
    /// Size of the small frames and of the large ones, in octets.
    pub sizes: [u32; 2],
}

/// One way, as it was measured.
pub struct Measured<'a> {
    /// From where to where.
    pub ends: [&'a str; 2],
    /// The links on the way.
    pub links: Vec<String>,
    /// What they are asked to do.
    pub asked: Asked<'a>,
    /// What was sent, all that used the first wire.
    pub trips: Vec<Trip>,
    /// Identifiers of bursts whose frames were sent at once on this way.
    pub bursts: Range<u16>,
}

/// Frames from which on a median or a variance says something.
const ENOUGH: usize = 30;

/// Judges one way.
pub fn judge(measured: &Measured, terms: &Terms) -> Account {
    let Measured { ends: [from, to], asked, trips, .. } = measured;
    let ours: Vec<_> = trips.iter().filter(|trip| trip.id.is_some()).collect();
    let timed = timed(trips, asked);
    let small: Vec<_> = timed.iter().filter(|trip| trip.trip.bytes == terms.sizes[0]).collect();
    let errors: Vec<_> = timed.iter().map(|trip| trip.error).collect();
    let mut account = Account {
        from: (*from).to_owned(),
        to: (*to).to_owned(),
        links: measured.links.clone(),
        asked: Shape::of(asked),
        sent_frames: ours.len() as u64,
        arrived_frames: ours.iter().filter(|trip| trip.arrived.is_some()).count() as u64,
        copies: ours.iter().map(|trip| trip.copies).sum(),
        held_frames: timed.iter().filter(|trip| trip.held).count() as u64,
        paused_frames: ours.iter().filter(|trip| trip.paused).count() as u64,
        delay: Spans::of(small.iter().map(|trip| trip.took).collect()),
        error: Errors::of(&errors, terms.slack.cast_signed()),
        rate: rate(measured, &timed, terms),
        findings: Vec::new(),
    };
    let findings = [
        arrival(&account, asked),
        delay(&account, &errors, terms),
        jitter(&small, asked, terms),
        speed(&account, &timed, asked, terms),
        counts(&account, asked),
    ];
    account.findings = findings.into_iter().flatten().collect();
    account
}

fn arrival(account: &Account, asked: &Asked) -> Vec<Finding> {
    let Account { sent_frames, arrived_frames, .. } = account;
    let found = match (*sent_frames, *arrived_frames) {
        (0, _) => "nothing was sent: the guests do not find each other's addresses, or a guest \
                   does not answer pings"
            .to_owned(),
        (sent, 0) if asked.loss() < 0.5 => format!("none of {sent} frames arrived"),
        _ => return Vec::new(),
    };
    let remedy = "is a link on the way down? `vmctl link show`, and `vmctl status` for its drops";
    vec![Finding { subject: "loss", found, remedy: remedy.to_owned() }]
}

fn delay(account: &Account, errors: &[i64], terms: &Terms) -> Vec<Finding> {
    let Some(Errors { spans, early_frames, .. }) = &account.error else { return Vec::new() };
    let tolerance = terms.tolerance.cast_signed();
    let finding =
        |found, remedy: &str| vec![Finding { subject: "delay", found, remedy: remedy.to_owned() }];
    if *early_frames > 0 {
        let (of, by) = (errors.len(), nanos(spans.min_ns.unsigned_abs()));
        return finding(
            format!("{early_frames} of {of} frames came too early, by up to {by}"),
            CHANGED,
        );
    }
    if spans.min_ns > tolerance {
        let by = nanos(spans.min_ns.unsigned_abs());
        return finding(format!("every frame came at least {by} too late"), CHANGED);
    }
    if spans.p50_ns > tolerance {
        let by = nanos(spans.p50_ns.unsigned_abs());
        let remedy = "the host is busy: `vmctl doctor`; or use mode lockstep or exact";
        return finding(format!("half of the frames came more than {by} too late"), remedy);
    }
    Vec::new()
}

/// What somebody has to do when a link is another one.
const CHANGED: &str = "the link is not what was asked for: `vmctl link show` tells what it is set \
                       to, `vmctl link set` changes it";

/// Mean and variance, where frames do not hold each other up.
fn jitter(small: &[&Timed], asked: &Asked, terms: &Terms) -> Vec<Finding> {
    let variance = asked.variance();
    let crowded = terms.interval < 2 * asked.jitter();
    if variance == 0.0 || crowded || small.len() < ENOUGH {
        return Vec::new();
    }
    let count = small.len() as f64;
    let deviations = || small.iter().map(|trip| (trip.took - trip.middle) as f64);
    let mean = deviations().sum::<f64>() / count;
    let seen = deviations().map(|deviation| (deviation - mean).powi(2)).sum::<f64>() / count;
    // Six standard deviations of the mean, and what the host adds.
    let allowed = 6.0 * (variance / count).sqrt() + terms.tolerance as f64;
    let finding = |found| vec![Finding { subject: "jitter", found, remedy: CHANGED.to_owned() }];
    if mean.abs() > allowed {
        let by = nanos(mean.abs() as u64);
        let side = if mean > 0.0 { "later" } else { "earlier" };
        return finding(format!("frames come {by} {side} on average than jitter explains"));
    }
    // The variance of a uniform sample of 30 lies within 0.45 and 1.6 of the true one but once in
    // 10^5 times, and that of larger ones closer. Too much shows in frames that are early or late.
    if seen < 0.4 * variance {
        let [seen, asked] = [seen, variance].map(|variance| nanos(variance.sqrt() as u64));
        return finding(format!(
            "the times deviate by {seen} (standard deviation) and not {asked}"
        ));
    }
    Vec::new()
}

/// The rate, by spacing where frames waited for each other, else by sizes.
fn rate(measured: &Measured, timed: &[Timed], terms: &Terms) -> Option<Rate> {
    let narrow = measured.asked.narrowest(terms.sizes[1])?;
    by_spacing(measured, narrow, terms).or_else(|| by_size(timed, narrow, &measured.asked, terms))
}

/// Over a burst that came in faster than it can go out: the median time in which half of it does.
/// A frame that was lost has used the wire as well.
fn by_spacing(measured: &Measured, narrow: &Way, terms: &Terms) -> Option<Rate> {
    let is_in =
        |trip: &&Trip| trip.id.is_some_and(|id| measured.bursts.contains(&id)) && !trip.reply;
    let burst: Vec<_> = measured.trips.iter().filter(is_in).collect();
    let half = burst.len() / 2;
    let (first, last) = (burst.first()?, burst.last()?);
    let on_wire = serialization(narrow, first.bytes);
    let took = last.sent.saturating_sub(first.sent);
    let waited = took * 5 < (burst.len() as u64 - 1) * on_wire * 4;
    if half < 4 || !waited || measured.asked.reorder() > 0.0 {
        return None;
    }
    let arrived = |trip: &Trip| trip.arrived.filter(|_| !trip.paused);
    let pairs = burst.iter().zip(&burst[half..]);
    let mut spans: Vec<u64> =
        pairs.filter_map(|(a, b)| arrived(b)?.checked_sub(arrived(a)?)).collect();
    spans.sort_unstable();
    let span = *spans.get(spans.len() / 2).filter(|span| **span > 0 && spans.len() >= 4)?;
    let bits = (u128::from(first.bytes) + u128::from(narrow.overhead_bytes)) * 8 * half as u128;
    let bit_per_s = u64::try_from(bits * 1_000_000_000 / u128::from(span)).unwrap_or(u64::MAX);
    let unsure = (2 * measured.asked.jitter() + terms.tolerance + half as u64) as f64 / span as f64;
    Some(Rate { bit_per_s, uncertainty: unsure, by: "spacing" })
}

/// By what the quickest of the large frames took beyond the quickest of the small ones.
fn by_size(timed: &[Timed], narrow: &Way, asked: &Asked, terms: &Terms) -> Option<Rate> {
    let [small, large] = terms.sizes;
    let of = |bytes: u32| timed.iter().filter(move |trip| trip.trip.bytes == bytes && !trip.held);
    let late = Spans::of(of(small).map(|trip| trip.error).collect())?;
    let quickest = |bytes| of(bytes).map(|trip| trip.took).min();
    let beyond = u64::try_from(quickest(large)? - quickest(small)?).ok()?;
    let elsewhere = |bytes| asked.serialization(bytes) - serialization(narrow, bytes);
    let here = beyond.checked_sub(elsewhere(large) - elsewhere(small)).filter(|ns| *ns > 0)?;
    // There are few large frames: the quickest of them is as late as any.
    let unsure = (late.p99_ns.unsigned_abs() + 2) as f64 / here as f64;
    if asked.jitter() > 0 || unsure > 0.1 {
        return None;
    }
    let bits = u128::from(large - small) * 8;
    let bit_per_s = u64::try_from(bits * 1_000_000_000 / u128::from(here)).unwrap_or(u64::MAX);
    Some(Rate { bit_per_s, uncertainty: unsure, by: "size" })
}

fn speed(account: &Account, timed: &[Timed], asked: &Asked, terms: &Terms) -> Vec<Finding> {
    let finding = |found| vec![Finding { subject: "rate", found, remedy: CHANGED.to_owned() }];
    if let (Some(rate), Some(wanted)) = (&account.rate, account.asked.rate_bit_per_s) {
        let off = rate.bit_per_s as f64 / wanted as f64 - 1.0;
        if off.abs() > rate.uncertainty + 0.01 {
            let (seen, wanted) = (rate_text(rate.bit_per_s), rate_text(wanted));
            return finding(format!("{seen} instead of {wanted} (by {} of frames)", rate.by));
        }
    }
    // A delay that is off makes all of them late, and has been told.
    let errors = account.error.as_ref();
    if errors.is_some_and(|errors| errors.spans.min_ns > terms.tolerance.cast_signed()) {
        return Vec::new();
    }
    // Where nothing limits the rate, large frames take no longer than small ones.
    let large = timed.iter().filter(|trip| trip.trip.bytes == terms.sizes[1]);
    match large.map(|trip| trip.error).min() {
        Some(least) if least > terms.tolerance.cast_signed() => {
            let (bytes, by) = (terms.sizes[1], nanos(least.unsigned_abs()));
            let limit = asked.narrowest(bytes).and_then(|way| way.rate_bit_per_s).map(rate_text);
            let limit = limit.unwrap_or_else(|| "no limit".to_owned());
            finding(format!("frames of {bytes} octets take at least {by} more than {limit} makes"))
        }
        _ => Vec::new(),
    }
}

fn counts(account: &Account, asked: &Asked) -> Vec<Finding> {
    let Account { sent_frames: sent, arrived_frames: arrived, copies, held_frames, .. } = account;
    let mut findings = Vec::new();
    let mut check = |subject, count: u64, of: u64, least: f64, most: f64, what: &str| {
        if of > 0 && !is_plausible(count, of, least, most) {
            let (seen, wanted) = (share(count as f64 / of as f64), share(least));
            let found =
                format!("{count} of {of} frames {what} ({seen}), which {wanted} does not explain");
            let remedy = CHANGED.to_owned();
            findings.push(Finding { subject, found, remedy });
        }
    };
    let lost = sent.saturating_sub(*arrived);
    if !asked.has_bursts() {
        // A frame that arrives broken may be found again, or not.
        let most = 1.0 - (1.0 - asked.loss()) * (1.0 - asked.corrupt());
        check("loss", lost, *sent, asked.loss(), most, "were lost");
    }
    let duplicate = asked.duplicate();
    // Each of several ways, and each copy, can be doubled again.
    check("duplicate", *copies, *arrived, duplicate * 0.9, duplicate * 1.1, "came again");
    let arrived_timed = arrived.saturating_sub(account.paused_frames);
    // Whether a frame was held back is not to be seen where jitter is as large as the delay.
    if asked.jitter() * 2 < asked.delay() {
        let most = asked.reorder();
        check("reorder", *held_frames, arrived_timed, most, most, "were held back");
    }
    findings
}

#[cfg(test)]
mod tests;
