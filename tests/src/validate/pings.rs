//! What pings tell: delay, jitter, loss, copies, order. Each is a link's change, a volley, and rows.

use std::time::Duration;

use vmctl::commands::verify::trips::Trip;

use super::{
    row::{Mode, Row, Subject},
    statistics::{ALPHA, Shape, fit, shares},
    trial::{Result, Trial, Volley, spans},
};
use crate::figures::Figures;

/// The pair's link, by one of its ends.
pub const LINK: &str = "alice:eth0";
/// Both ways in words.
const WAYS: [&str; 2] = ["there", "back"];
/// Seconds by which a frame may be early: stamps are rounded, and clocks read to a microsecond.
const EARLY: f64 = 1e-6;
/// How long a guest may take for a ping of its own and another's, in ms.
const GUESTS_OWN_MS: f64 = 5.0;

/// Seconds by which half of the frames may be late: the host's share, as in `vmctl verify`.
pub fn tolerance(mode: Mode) -> f64 {
    match mode {
        Mode::Realtime => 250e-6,
        Mode::Lockstep => 1e-3,
        Mode::Exact => 2e-9,
    }
}

/// Delays that differ from way to way.
///
/// # Errors
/// When they could not be measured.
pub fn delay(trial: &Trial, count: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for [there, back] in [[20, 20], [5, 45]] {
        let changes =
            [("forward", format!("delay={there}ms")), ("backward", format!("delay={back}ms"))];
        trial.set(LINK, &changes.each_ref().map(|(way, change)| (*way, change.as_str())))?;
        let volley = trial.ping(count, Duration::from_millis(20))?;
        let case = format!("{there} ms there, {back} ms back");
        for (way, (trips, asked)) in WAYS.iter().zip(volley.ways.iter().zip([there, back])) {
            rows.push(one_way(
                trial.mode,
                &format!("{case}: {way}"),
                trips,
                f64::from(asked) / 1e3,
            )?);
        }
        rows.push(round_trip(trial.mode, &case, &volley, f64::from(there + back))?);
    }
    Ok(rows)
}

fn one_way(mode: Mode, case: &str, trips: &[Trip], asked: f64) -> Result<Row> {
    let spans = some(spans(trips))?;
    let late = |share| (spans.quantile(share) - asked) * 1e6;
    let row = Row::new(Subject::Delay, mode, case).asked(format!("{:.3} ms", asked * 1e3));
    let measured = format!(
        "p50 {:.6} ms; off by min {:.3}, p50 {:.3}, p99 {:.3}, max {:.3} us",
        spans.quantile(0.5) * 1e3,
        late(0.0),
        late(0.5),
        late(0.99),
        late(1.0)
    );
    let early = if mode == Mode::Exact { tolerance(mode) } else { EARLY };
    Ok(row
        .measured(measured, trips.len())
        .demand(spans.min() >= asked - early, "a frame was early")
        .demand(late(0.5) <= tolerance(mode) * 1e6, "the median is late"))
}

fn round_trip(mode: Mode, case: &str, volley: &Volley, asked_ms: f64) -> Result<Row> {
    let rtts = some(volley.rtts.clone())?;
    let measured =
        format!("min {:.3}, p50 {:.3}, max {:.3} ms", rtts.min(), rtts.quantile(0.5), rtts.max());
    let row = Row::new(Subject::Delay, mode, format!("{case}: `ping` in the guest"));
    Ok(row
        .asked(format!("{asked_ms} ms and the guests' own time"))
        .measured(measured, volley.rtts.len())
        // ping cuts off all but three digits.
        .demand(rtts.min() >= asked_ms - 0.001, "an echo was early")
        .demand(rtts.quantile(0.5) <= asked_ms + GUESTS_OWN_MS, "more than 5 ms on top"))
}

/// Each distribution, and one that is known to be wrong: a test that finds nothing must be able to
/// find something.
///
/// # Errors
/// When they could not be measured.
pub fn jitter(trial: &Trial, shapes: &[Shape], count: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &shape in shapes {
        // Apart by more than two frames' times can differ: none pushes another.
        let (jitter, apart) = match shape {
            Shape::Uniform => (4e-3, 18),
            Shape::Normal => (2e-3, 26),
            Shape::Pareto => (1e-3, 40),
        };
        let (millis, word) = (jitter * 1e3, shape.word());
        let change = format!("delay=30ms jitter={millis}ms distribution={word}");
        trial.set(LINK, &[("both", &change)])?;
        let volley = trial.ping(count, Duration::from_millis(apart))?;
        for (way, trips) in WAYS.iter().zip(&volley.ways) {
            let deviations =
                |of: f64| spans(trips).iter().map(|span| (span - 30e-3) / of).collect();
            let case = format!("{word}, 30 ms ± {millis} ms: {way}");
            rows.push(distribution(trial.mode, case, deviations(jitter), shape, true)?);
            if shape == Shape::Uniform && *way == WAYS[0] {
                let case = format!("control: the same, as if of {} ms", millis * 1.5);
                rows.push(distribution(trial.mode, case, deviations(jitter * 1.5), shape, false)?);
            }
        }
    }
    Ok(rows)
}

fn distribution(mode: Mode, case: String, of: Vec<f64>, shape: Shape, same: bool) -> Result<Row> {
    let count = of.len();
    let fit = fit(of, shape).ok_or("too few frames arrived")?;
    let asked = if same { "the same" } else { "another" };
    let is_likely = fit.chance >= ALPHA;
    Ok(Row::new(Subject::Jitter, mode, case)
        .asked(format!("{asked} distribution"))
        .measured(format!("D = {:.4}, p = {:.3}", fit.distance, fit.chance), count)
        .demand(is_likely || !same, "not the distribution that was asked for")
        .demand(!is_likely || same, "the test does not see a difference"))
}

/// Losses of either way, and copies.
///
/// # Errors
/// When they could not be measured.
pub fn loss(trial: &Trial, count: u32) -> Result<Vec<Row>> {
    let apart = Duration::from_millis(5);
    trial.set(LINK, &[("forward", "loss=5%"), ("backward", "loss=10%")])?;
    let volley = trial.ping(count, apart)?;
    let lost = |trips: &[Trip]| trips.iter().filter(|trip| trip.arrived.is_none()).count();
    let mut rows = Vec::new();
    for (way, (trips, share)) in WAYS.iter().zip(volley.ways.iter().zip([0.05, 0.10])) {
        let case = format!("loss {way}");
        rows.push(share_of(Subject::Loss, trial.mode, &case, lost(trips), trips.len(), share));
    }
    trial.set(LINK, &[("forward", "duplicate=5%")])?;
    let volley = trial.ping(count, apart)?;
    let asked = &volley.ways[0];
    let copies = asked.iter().filter(|trip| trip.copies > 0).count();
    rows.push(share_of(Subject::Loss, trial.mode, "copies there", copies, asked.len(), 0.05));
    let row = Row::new(Subject::Loss, trial.mode, "loss there where none is asked for").asked("0");
    let none = lost(asked);
    rows.push(row.measured(none.to_string(), asked.len()).demand(none == 0, "frames were lost"));
    Ok(rows)
}

fn share_of(subject: Subject, mode: Mode, case: &str, count: usize, of: usize, share: f64) -> Row {
    let [least, most] = shares(count as u64, of as u64);
    let measured = format!(
        "{count}, or {:.2} %: {:.2} % to {:.2} %",
        100.0 * count as f64 / of.max(1) as f64,
        100.0 * least,
        100.0 * most
    );
    Row::new(subject, mode, case)
        .asked(format!("{} %", 100.0 * share))
        .measured(measured, of)
        .demand((least..=most).contains(&share), "not the share that was asked for")
}

/// Frames keep their order under jitter, and lose it where that is asked for.
///
/// # Errors
/// When it could not be measured.
pub fn order(trial: &Trial, count: u32) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    trial.set(LINK, &[("both", "delay=30ms jitter=10ms")])?;
    let volley = trial.ping(count, Duration::from_millis(2))?;
    for (way, trips) in WAYS.iter().zip(&volley.ways) {
        let overtaken = overtaken(trips);
        let row = Row::new(Subject::Order, trial.mode, format!("2 ms apart, jitter 10 ms: {way}"));
        let row =
            row.asked("none overtaken").measured(format!("{overtaken} overtaken"), trips.len());
        rows.push(row.demand(overtaken == 0, "frames lost their order"));
    }
    trial.set(LINK, &[("forward", "delay=30ms reorder=5%")])?;
    let volley = trial.ping(count, Duration::from_millis(5))?;
    let trips = &volley.ways[0];
    let held = spans(trips).iter().filter(|span| **span > 45e-3).count();
    let case = "reorder there: held back by a delay";
    let row = share_of(Subject::Order, trial.mode, case, held, trips.len(), 0.05);
    rows.push(row.demand(overtaken(trips) > 0, "but none was overtaken"));
    Ok(rows)
}

/// How many arrived after one that was sent later.
fn overtaken(trips: &[Trip]) -> usize {
    let mut earliest = u64::MAX;
    let arrivals = trips.iter().rev().filter_map(|trip| trip.arrived);
    let passed = arrivals.filter(|arrival| {
        let is_later = *arrival > earliest;
        earliest = earliest.min(*arrival);
        is_later
    });
    passed.count()
}

fn some(values: Vec<f64>) -> Result<Figures> {
    if values.is_empty() { Err("nothing arrived".to_owned()) } else { Ok(Figures::of(values)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trips(spans: &[Option<u64>]) -> Vec<Trip> {
        let trip = |(number, span): (u64, &Option<u64>)| {
            let sent = number * 1_000_000;
            let arrived = span.map(|span| sent + span);
            Trip { id: Some(1), reply: false, bytes: 98, sent, arrived, copies: 0, paused: false }
        };
        (0..).zip(spans).map(trip).collect()
    }

    #[test]
    fn a_frame_is_overtaken_by_any_that_was_sent_later() {
        let ms = 1_000_000;
        let count = |spans: &[Option<u64>]| overtaken(&trips(spans));
        assert_eq!(count(&[Some(5 * ms), Some(5 * ms), None, Some(5 * ms)]), 0);
        assert_eq!(count(&[Some(5 * ms), Some(4 * ms)]), 0, "at the same time");
        assert_eq!(count(&[Some(9 * ms), Some(5 * ms), Some(5 * ms), Some(30 * ms)]), 1);
        assert_eq!(count(&[Some(9 * ms), Some(9 * ms), Some(5 * ms)]), 2);
    }

    #[test]
    fn delays_are_judged_by_what_the_mode_promises() {
        let spans = |off: i64| trips(&[Some(20_000_000u64.saturating_add_signed(off)); 9]);
        let held = |mode, off| one_way(mode, "x", &spans(off), 0.02).expect("arrived").held();
        assert!(held(Mode::Realtime, 200_000) && !held(Mode::Realtime, 300_000));
        assert!(held(Mode::Lockstep, 900_000) && !held(Mode::Lockstep, 1_100_000));
        assert!(held(Mode::Exact, 1) && !held(Mode::Exact, 4) && !held(Mode::Exact, -4));
        assert!(held(Mode::Realtime, -900) && !held(Mode::Realtime, -1_100));
        assert!(one_way(Mode::Exact, "x", &trips(&[None]), 0.02).is_err());
    }

    #[test]
    fn shares_are_judged_by_chance() {
        let held = |count| share_of(Subject::Loss, Mode::Exact, "x", count, 1000, 0.05).held();
        assert!(held(50) && held(35) && held(70));
        assert!(!held(20) && !held(90) && !held(0));
    }
}
