//! Writing down that the host fell behind: frames were late, or guests overran their windows.

use std::{sync::Arc, time::Duration};

use chronotap::{
    histogram::Histogram,
    synchronizer::{Tally, Windows},
};
use tokio::{sync::watch, time::sleep};

use super::{events::Journal, lab::Lab};
use crate::api::failure::Failure;

/// What happens within this time is one event: a host that stays overloaded would fill the journal
/// with nothing else, and the pause that answers the first overload is over by then.
const CADENCE: Duration = Duration::from_secs(10);

/// Records overloads until the synchronizer ends.
pub async fn watch(mut tally: watch::Receiver<Tally>, journal: Arc<Journal>) {
    let mut told = Tally::default();
    while tally.changed().await.is_ok() {
        if tally.borrow_and_update().overloads == told.overloads {
            continue;
        }
        sleep(CADENCE).await;
        let now = *tally.borrow_and_update();
        journal.record(message(told, now));
        told = now;
    }
}

/// Records that guests overran windows by more than the budget, until the synchronizer ends; in a
/// lab that is strict about it, ends the lab.
pub async fn watch_overruns(lab: Arc<Lab>) {
    let mut tally = lab.synchronizer.tallies();
    let windows = || lab.synchronizer.windows();
    tokio::select! {
        () = record_overruns(&mut tally, windows, &lab.journal) => {}
        () = overrun(lab.synchronizer.tallies()), if is_strict(&lab) => {
            lab.end("`strict` allows no overrun");
        }
    }
}

/// What the lab is to end with because it is strict and a guest overran a window.
pub fn broken(lab: &Lab) -> Option<Failure> {
    let tally = lab.synchronizer.tally();
    let windows = lab.synchronizer.windows().filter(|_| is_strict(lab) && tally.overruns > 0)?;
    let failure = Failure::runtime(format!(
        "a guest ran past the end of a window by {:.1?}; the budget is {:?}, and `strict` allows \
         no more",
        tally.worst_overrun,
        windows.quantum.budget()
    ));
    Some(failure.remedy(
        "give the host less to do, or the topology file a larger `overrun_budget`, or leave \
         `strict` out: overruns are counted in any case",
    ))
}

fn is_strict(lab: &Lab) -> bool {
    lab.scenario().time.lockstep().is_some_and(|lockstep| lockstep.strict)
}

/// Returns at the first overrun; never, if the synchronizer ends before it.
async fn overrun(mut tally: watch::Receiver<Tally>) {
    if tally.wait_for(|tally| tally.overruns > 0).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Tells the first overrun at once, and then what came within [`CADENCE`] together.
async fn record_overruns(
    tally: &mut watch::Receiver<Tally>,
    windows: impl Fn() -> Option<Windows>,
    journal: &Journal,
) {
    let (mut told, mut seen) = (0, Histogram::default());
    while tally.changed().await.is_ok() {
        let overruns = tally.borrow_and_update().overruns;
        let Some(windows) = windows().filter(|_| overruns > told) else { continue };
        let worst = windows.overrun.since(&seen).quantile(1.0);
        journal.record(overran(overruns - told, worst, windows.quantum.budget()));
        (told, seen) = (overruns, windows.overrun);
        sleep(CADENCE).await;
    }
}

fn overran(times: u64, worst: Duration, budget: Duration) -> String {
    let times = if times == 1 { "once".into() } else { format!("{times} times") };
    format!(
        "guests ran past the end of a window by up to {worst:.1?} ({times}; budget {budget:?}): \
         frames may be late"
    )
}

fn message(told: Tally, now: Tally) -> String {
    let times = now.overloads - told.overloads;
    match now.overload_pauses - told.overload_pauses {
        0 => format!("the host fell behind ({times}): frames were late"),
        pauses => format!("the host fell behind ({times}): guests were paused ({pauses})"),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Instant};

    use super::*;
    use crate::metrics::two_windows;

    fn windows(overruns: &[Duration]) -> Windows {
        let mut overrun = Histogram::default();
        overruns.iter().for_each(|span| overrun.record(*span));
        Windows { overrun, ..two_windows() }
    }

    #[tokio::test(start_paused = true)]
    async fn overruns_are_told_at_once_and_then_once_a_while() {
        let (send, mut receive) = watch::channel(Tally::default());
        let journal = Arc::new(Journal::new(Instant::now(), Duration::default));
        let all = Arc::new(Mutex::new(Vec::new()));
        let (seen, noted) = (all.clone(), journal.clone());
        let task = tokio::spawn(async move {
            let look = || Some(windows(&seen.lock().expect("not poisoned")));
            record_overruns(&mut receive, look, &noted).await;
        });
        for millis in [9, 3, 1, 4] {
            let overrun = Duration::from_millis(millis);
            all.lock().expect("not poisoned").push(overrun);
            send.send_modify(|tally| tally.overruns += u64::from(millis > 2));
            sleep(Duration::from_secs(1)).await;
        }
        sleep(CADENCE * 2).await;
        send.send_modify(|tally| tally.user_pauses += 1);
        sleep(CADENCE * 2).await;
        drop(send);
        task.await.expect("it ends with the synchronizer");
        let told: Vec<String> =
            journal.recent(usize::MAX).into_iter().map(|event| event.message).collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn overloads_are_told_once_a_while() {
        let (send, receive) = watch::channel(Tally::default());
        let journal = Arc::new(Journal::new(Instant::now(), Duration::default));
        let task = tokio::spawn(watch(receive, journal.clone()));
        for _ in 0..5 {
            send.send_modify(|tally| tally.overloads += 1);
            sleep(Duration::from_secs(1)).await;
        }
        sleep(CADENCE).await;
        send.send_modify(|tally| {
            tally.overloads += 1;
            tally.overload_pauses += 1;
        });
        sleep(CADENCE * 2).await;
        drop(send);
        task.await.expect("it ends with the synchronizer");
        let told: Vec<String> =
            journal.recent(usize::MAX).into_iter().map(|event| event.message).collect();
        assert_eq!(
            told,
            [
                "the host fell behind (5): frames were late",
                "the host fell behind (1): guests were paused (1)"
            ]
        );
    }
}
