//! What was measured on one way between two guests, beside what was asked for.

use schemars::JsonSchema;
use serde::Serialize;

use super::{asked::Asked, trips::Trip};

/// One way of a path.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Account {
    /// The interface that sent.
    pub from: String,
    /// The interface that received.
    pub to: String,
    /// The links on the way.
    pub links: Vec<String>,
    /// What the topology asks for.
    pub asked: Shape,
    /// Frames that were sent to measure it.
    pub sent_frames: u64,
    /// Those of them that arrived.
    pub arrived_frames: u64,
    /// Those that arrived once more.
    pub copies: u64,
    /// Those that were held back by a whole delay, as `reorder` does.
    pub held_frames: u64,
    /// Those that were under way during a pause, which are in no other figure but those above.
    pub paused_frames: u64,
    /// How long the small frames took; absent when none arrived.
    pub delay: Option<Spans>,
    /// How far the times of all frames are from what the topology allows; absent as the delay is.
    pub error: Option<Errors>,
    /// The rate; absent when it could not be measured, as where nothing limits it.
    pub rate: Option<Rate>,
    /// What is not as it was asked for.
    pub findings: Vec<Finding>,
}

/// What is asked of a way.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Shape {
    /// Sum of the delays.
    pub delay_ns: u64,
    /// Sum of the jitters.
    pub jitter_ns: u64,
    /// The least of the rates; absent where nothing limits it.
    pub rate_bit_per_s: Option<u64>,
    /// Share of frames lost, 0 to 1.
    pub loss: f64,
    /// Share of frames that come twice, 0 to 1.
    pub duplicate: f64,
    /// Share of frames that are held back, 0 to 1.
    pub reorder: f64,
}

/// Spans of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "VerifySpans")]
pub struct Spans {
    /// The least.
    pub min_ns: i64,
    /// Half of them were at most this.
    pub p50_ns: i64,
    /// 99 % of them were at most this.
    pub p99_ns: i64,
    /// The greatest.
    pub max_ns: i64,
}

/// How far times are from what is allowed: negative where a frame was too early.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Errors {
    /// The figures.
    #[serde(flatten)]
    pub spans: Spans,
    /// Frames that were early.
    pub early_frames: u64,
    /// Frames by how late they were: those up to the bound, and later than the one before.
    pub histogram: Vec<Bucket>,
}

/// Part of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Bucket {
    /// Upper bound; absent for the last one.
    pub up_to_ns: Option<u64>,
    /// How many.
    pub frames: u64,
}

/// A measured rate.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Rate {
    /// Counted as the topology does, with overhead.
    pub bit_per_s: u64,
    /// By how much it may be wrong, as a share of it.
    pub uncertainty: f64,
    /// `spacing` of frames that waited for each other, or `size`: the time that large frames took
    /// beyond small ones.
    pub by: &'static str,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "VerifyFinding")]
pub struct Finding {
    /// `delay`, `jitter`, `rate`, `loss`, `duplicate`, `reorder` or `guests`.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do.
    pub remedy: String,
}

/// What the errors of late frames are sorted by, in ns.
const BOUNDS: [u64; 6] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl Spans {
    /// Of these; `None` when there are none.
    pub fn of(mut all: Vec<i64>) -> Option<Self> {
        all.sort_unstable();
        let at = |share: f64| {
            let place = (share * all.len() as f64).ceil() as usize;
            all.get(place.max(1) - 1).copied()
        };
        Some(Self {
            min_ns: *all.first()?,
            p50_ns: at(0.5)?,
            p99_ns: at(0.99)?,
            max_ns: *all.last()?,
        })
    }
}

impl Errors {
    /// Of these, in ns; those below `-slack` are early.
    pub fn of(errors: &[i64], slack: i64) -> Option<Self> {
        let spans = Spans::of(errors.to_vec())?;
        let mut buckets: Vec<_> = BOUNDS.iter().map(|bound| Some(*bound)).chain([None]).collect();
        let place = |error: i64| {
            let late = error.max(0).unsigned_abs();
            BOUNDS.iter().position(|bound| late <= *bound).unwrap_or(BOUNDS.len())
        };
        let early = |error: &&i64| **error < -slack;
        let mut counts = vec![0; buckets.len()];
        errors.iter().filter(|error| !early(error)).for_each(|error| counts[place(*error)] += 1);
        let histogram = buckets.drain(..).zip(counts);
        let histogram = histogram.map(|(up_to_ns, frames)| Bucket { up_to_ns, frames });
        Some(Self {
            spans,
            early_frames: errors.iter().filter(early).count() as u64,
            histogram: histogram.collect(),
        })
    }
}

impl Shape {
    /// Of these ways.
    pub fn of(asked: &Asked) -> Self {
        Self {
            delay_ns: asked.delay(),
            jitter_ns: asked.jitter(),
            rate_bit_per_s: asked.narrowest(1514).and_then(|way| way.rate_bit_per_s),
            loss: asked.loss(),
            duplicate: asked.duplicate(),
            reorder: asked.reorder(),
        }
    }
}

/// A trip with what was asked of it.
#[derive(Clone, Debug)]
pub struct Timed<'t> {
    /// The trip.
    pub trip: &'t Trip,
    /// How long it took, in ns.
    pub took: i64,
    /// Middle of what is allowed, in ns.
    pub middle: i64,
    /// How far it is from what is allowed: negative when early, 0 within.
    pub error: i64,
    /// It was held back.
    pub held: bool,
}

/// The trips that arrived and can be timed. Others use the wire.
pub fn timed<'t>(trips: &'t [Trip], asked: &Asked) -> Vec<Timed<'t>> {
    let bounds = asked.bounds(trips.iter().map(|trip| (trip.sent, trip.bytes)));
    let holds = asked.holds();
    let timed = trips.iter().zip(bounds).filter_map(|(trip, bounds)| {
        let arrived = trip.arrived.filter(|_| trip.id.is_some() && !trip.paused)?;
        let took = signed(arrived) - signed(trip.sent);
        let fit = holds.iter().map(|held| {
            let (least, most) = (signed(bounds.least + held), signed(bounds.most + held));
            let error = if took < least { took - least } else { (took - most).max(0) };
            (error, (least + most) / 2, *held > 0)
        });
        let (error, middle, held) = fit.min_by_key(|(error, _, _)| error.unsigned_abs())?;
        Some(Timed { trip, took, middle, error, held })
    });
    timed.collect()
}

fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let spans = Spans::of((1..=200).rev().collect()).expect("some");
        assert_eq!((spans.min_ns, spans.p50_ns, spans.p99_ns, spans.max_ns), (1, 100, 198, 200));
        assert_eq!(Spans::of(Vec::new()), None);
    }

    #[test]
    fn errors_are_sorted_by_their_size() {
        let errors = Errors::of(&[-5_000, -3, 0, 1_000, 1_001, 2_000_000_000], 10).expect("some");
        let counts: Vec<_> = errors.histogram.iter().map(|bucket| bucket.frames).collect();
        assert_eq!((errors.early_frames, counts), (1, vec![3, 1, 0, 0, 0, 0, 1]));
    }
}
