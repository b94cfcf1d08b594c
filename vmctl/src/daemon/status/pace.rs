//! How fast virtual time went lately.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chronotap::{sim::VirtualInstant, synchronizer::Windows};
use tokio::time::sleep;

use crate::daemon::lab::Lab;

/// How often a mark is set, and how many are kept: lately is five seconds.
const EVERY: Duration = Duration::from_secs(1);
const MARKS: usize = 5;

/// Where windows had got to every now and then; only while they go on, so that a pause does not
/// count as slowness.
#[derive(Debug, Default)]
pub struct Pace {
    marks: Mutex<VecDeque<Mark>>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    now: VirtualInstant,
    wall: Duration,
}

impl Mark {
    /// Where windows began.
    fn first(windows: &Windows) -> Self {
        Self { now: windows.entered, wall: Duration::ZERO }
    }
}

impl Pace {
    /// Sets marks for ever.
    pub async fn keep(&self, lab: &Lab) {
        loop {
            sleep(EVERY).await;
            if let Some(windows) = lab.synchronizer.windows() {
                self.mark(&windows);
            }
        }
    }

    /// Virtual seconds for each of the host's, since the oldest mark; `None` before the first
    /// window.
    pub fn ratio(&self, windows: &Windows) -> Option<f64> {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let since = marks.front().copied().unwrap_or(Mark::first(windows));
        let wall = windows.wall.saturating_sub(since.wall).as_secs_f64();
        let passed = windows.now.saturating_since(since.now).as_secs_f64();
        (wall > 0.0).then(|| passed / wall)
    }

    fn mark(&self, windows: &Windows) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.back().is_some_and(|last| last.now == windows.now) {
            return;
        }
        if marks.is_empty() {
            marks.push_back(Mark::first(windows));
        }
        if marks.len() > MARKS {
            marks.pop_front();
        }
        marks.push_back(Mark { now: windows.now, wall: windows.wall });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::two_windows;

    #[test]
    fn lately_is_what_came_after_the_oldest_mark() {
        let pace = Pace::default();
        let mut windows = two_windows();
        for _ in 0..3 {
            assert_eq!(pace.ratio(&windows), Some(0.8), "16 ms in 20 ms");
            pace.mark(&windows);
        }
        for _ in 0..2 * MARKS {
            windows.now = windows.now + Duration::from_secs(1);
            windows.wall += Duration::from_secs(4);
            pace.mark(&windows);
        }
        assert_eq!(pace.ratio(&windows), Some(0.25));
    }
}
