//! What happened in the lab, for whoever asks or follows; all of it goes to the daemon's log.
//!
//! ```text
//! record ─▶ the last events, numbered ◀─ recent (status)
//!               │ number of the next          ◀─ follow (control API): what is there, then
//!               └────── watch ──────────────────  whatever comes, until the journal is closed
//! ```
//! A follower that is slow makes nobody wait: what it has missed shows as a gap in the numbers.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use chronotap::{datapath::Datapath, sim::VirtualInstant, synchronizer::Synchronizer};
use futures_util::{Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::api::{failure::Failure, status::Event};

/// Events that are kept. Each is a line of text: some 200 KiB at most times.
const KEPT: usize = 1024;

/// Who may follow at once. The rest of the control API has to answer as well.
const FOLLOWERS: usize = 32;

/// The last events of a lab.
pub struct Journal {
    started: Instant,
    virtual_now: Box<dyn Fn() -> Duration + Send + Sync>,
    events: Mutex<VecDeque<Event>>,
    head: watch::Sender<Head>,
    followers: Arc<Semaphore>,
}

/// How far the journal has come.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    /// The number of the next event.
    next: u64,
    /// There will be no next event.
    closed: bool,
}

impl Journal {
    /// The empty journal of a lab, with virtual time as its user counts it.
    pub fn of(started: Instant, plane: &Datapath, synchronizer: &Synchronizer) -> Self {
        let (plane, synchronizer) = (plane.clone(), synchronizer.clone());
        Self::new(started, move || {
            let windows = synchronizer.windows().map(|windows| windows.now);
            let now = windows.unwrap_or_else(|| plane.virtual_now());
            now.saturating_since(VirtualInstant::ZERO)
        })
    }

    /// An empty journal whose clock started at `started`; `virtual_now` tells virtual time, at once.
    pub fn new(
        started: Instant,
        virtual_now: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self {
            started,
            virtual_now: Box::new(virtual_now),
            events: Mutex::new(VecDeque::with_capacity(KEPT)),
            head: watch::Sender::new(Head::default()),
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
        }
    }

    /// Writes down that `message` happened now.
    pub fn record(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::info!("{message}");
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.head.borrow().next;
        if events.len() == KEPT {
            events.pop_front();
        }
        events.push_back(Event {
            number,
            date: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            at_seconds: self.started.elapsed().as_secs_f64(),
            virtual_seconds: (self.virtual_now)().as_secs_f64(),
            message,
        });
        self.head.send_modify(|head| head.next = number + 1);
    }

    /// The last `count` events that are remembered, oldest first.
    pub fn recent(&self, count: usize) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().skip(events.len().saturating_sub(count)).cloned().collect()
    }

    /// Lets followers come to their end: nothing will happen any more.
    pub fn close(&self) {
        self.head.send_modify(|head| head.closed = true);
    }

    /// The last `count` events, or all that are remembered, and then those that happen from now on,
    /// in batches, until the journal is closed.
    ///
    /// # Errors
    /// Too many follow already.
    pub fn follow(
        self: &Arc<Self>,
        count: Option<usize>,
    ) -> Result<impl Stream<Item = Vec<Event>> + Send + use<>, Failure> {
        let permit = Arc::clone(&self.followers).try_acquire_owned().map_err(|_all_taken| {
            Failure::runtime(format!("{FOLLOWERS} others follow this lab's events already"))
                .remedy("end one of them, or look without following")
        })?;
        let head = self.head.subscribe();
        let first = self.recent(count.unwrap_or(KEPT));
        // Events between the two come with the next batch.
        let next = first.last().map_or(head.borrow().next, |last| last.number + 1);
        let next = if first.is_empty() && count != Some(0) { 0 } else { next };
        let follower = Follower { journal: Arc::clone(self), head, next, _permit: permit };
        let rest = stream::unfold(follower, |mut follower| async move {
            let events = follower.more().await?;
            Some((events, follower))
        });
        Ok(futures_util::StreamExt::chain(stream::iter([first]), rest))
    }

    fn since(&self, number: u64) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().filter(|event| event.number >= number).cloned().collect()
    }
}

/// Somebody who has seen the events before `next`.
struct Follower {
    journal: Arc<Journal>,
    head: watch::Receiver<Head>,
    next: u64,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// What has happened since; `None` when that was all.
    async fn more(&mut self) -> Option<Vec<Event>> {
        let next = self.next;
        let news = self.head.wait_for(|head| head.next > next || head.closed).await;
        if news.is_err() || news.is_ok_and(|head| head.next <= next) {
            return None;
        }
        let events = self.journal.since(next);
        self.next = events.last().map_or(next, |last| last.number + 1);
        Some(events)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("head", &*self.head.borrow()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::StreamExt as _;

    use super::*;

    fn journal(events: usize) -> Arc<Journal> {
        let journal = Journal::new(Instant::now(), || Duration::from_millis(1500));
        (0..events).for_each(|number| journal.record(number.to_string()));
        Arc::new(journal)
    }

    fn told(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.message.as_str()).collect()
    }

    #[test]
    fn the_last_ones_are_kept_and_keep_their_numbers() {
        let journal = journal(KEPT + 5);
        let all = journal.recent(usize::MAX);
        assert_eq!((all.len(), all[0].number), (KEPT, 5));
        assert_eq!(told(&journal.recent(2)), ["1027", "1028"]);
        let last = &all[KEPT - 1];
        assert_eq!((last.number, last.virtual_seconds), (KEPT as u64 + 4, 1.5));
        assert!(last.date.ends_with('Z') && last.at_seconds >= 0.0, "{last:?}");
    }

    #[tokio::test]
    async fn a_follower_sees_what_was_and_what_comes_until_the_end() {
        let journal = journal(3);
        let mut followed = pin!(journal.follow(Some(2)).expect("the first follower"));
        assert_eq!(told(&followed.next().await.expect("what was")), ["1", "2"]);
        journal.record("a");
        journal.record("b");
        assert_eq!(told(&followed.next().await.expect("what came")), ["a", "b"]);
        journal.record("the last");
        journal.close();
        assert_eq!(told(&followed.next().await.expect("what came")), ["the last"]);
        assert_eq!(followed.next().await, None);
    }

    #[tokio::test]
    async fn who_asks_for_none_sees_only_what_comes() {
        let journal = journal(3);
        let mut followed = pin!(journal.follow(Some(0)).expect("the first follower"));
        assert_eq!(followed.next().await, Some(Vec::new()));
        journal.record("a");
        assert_eq!(told(&followed.next().await.expect("what came")), ["a"]);
    }

    #[tokio::test]
    async fn a_slow_follower_sees_a_gap_and_nobody_waits_for_it() {
        let journal = journal(1);
        let mut followed = pin!(journal.follow(None).expect("the first follower"));
        assert_eq!(told(&followed.next().await.expect("what was")), ["0"]);
        (0..KEPT + 9).for_each(|number| journal.record(number.to_string()));
        let events = followed.next().await.expect("what is kept");
        assert_eq!((events.len(), events[0].number), (KEPT, 10));
    }

    #[test]
    fn followers_are_bounded_and_those_that_left_do_not_count() {
        let journal = journal(0);
        let mut all: Vec<_> = (0..FOLLOWERS).map(|_| journal.follow(None)).collect();
        assert!(all.iter().all(Result::is_ok));
        let failure = journal.follow(None).err().expect("one too many");
        assert!(failure.message.contains("32 others"), "{failure}");
        all.pop();
        assert!(journal.follow(None).is_ok());
    }
}
