//! Writing down that the host fell behind.

use std::{sync::Arc, time::Duration};

use chronotap::synchronizer::Tally;
use tokio::{sync::watch, time::sleep};

use super::events::Journal;

/// Overloads within this time are one event: a host that stays overloaded would fill the journal
/// with nothing else, and the pause that answers the first is over by then.
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

fn message(told: Tally, now: Tally) -> String {
    let times = now.overloads - told.overloads;
    match now.overload_pauses - told.overload_pauses {
        0 => format!("the host fell behind ({times}): frames were late"),
        pauses => format!("the host fell behind ({times}): guests were paused ({pauses})"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn overloads_are_told_once_a_while() {
        let (send, receive) = watch::channel(Tally::default());
        let journal = Arc::new(Journal::new(Instant::now()));
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
        let told: Vec<String> = journal.recent().into_iter().map(|event| event.message).collect();
        assert_eq!(
            told,
            [
                "the host fell behind (5): frames were late",
                "the host fell behind (1): guests were paused (1)"
            ]
        );
    }
}
