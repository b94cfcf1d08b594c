//! The `exact` mode: guests stop at exact virtual instants, and every frame is sent and handed over
//! at its own.
//!
//! ```text
//! all stand at `now`
//! ├─ open:   how far can they go without missing what others may send? ─▶ `end`
//! │          switches, as far as nobody can still send ─▶ frames due by `end` ─▶ taps, stamped
//! │          release those that have something to do by then
//! ├─ …       they run, each to `end`
//! └─ close:  what they sent, by the instants in its stamps ─▶ network; `now = end`
//! ```
//!
//! Nothing in here depends on how long the host takes. Guests that are idle are not even asked: it
//! is known when their next timer fires, and a frame for them is known before it is due.
//!
//! * [`Coordinator`]: the above, made from [`Parts`]
//! * `foresight`: how far guests and switches can go
//! * `intake`: what guests have sent
//! * [`Digest`]: what tells one run from another
//! * [`page`]: the memory that is shared with the agents in the guests' QEMUs

mod coordinator;
mod digest;
mod foresight;
mod guest;
mod intake;
pub mod page;
mod parts;
#[cfg(test)]
mod tests;
mod watch;

pub use coordinator::Coordinator;
pub use digest::Digest;
pub use page::{SharedPage, Standing};
pub use parts::{Gates, Parts};

use std::time::Duration;

/// How long windows are, at most, for a guest that has something to do. What it sends meanwhile
/// waits in its port's ring.
pub const LONGEST: Duration = Duration::from_millis(10);

/// The same while all guests are idle.
pub const LONGEST_IDLE: Duration = Duration::from_millis(100);

/// The longest that an idle guest is not asked whether it still is.
pub const UNASKED: Duration = Duration::from_secs(1);

/// The least that whatever a guest does must take to reach another one: below it, guests hardly get
/// to run between barriers.
pub const SHORTEST: Duration = Duration::from_micros(1);

/// What the exact mode has to tell of a run so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactObservation {
    /// Every frame that was delivered, and when.
    pub digest: u128,
    /// Frames in the digest.
    pub frames: u64,
    /// Windows so far.
    pub windows: u64,
    /// Times that a guest ran in one.
    pub runs: u64,
    /// Why the run is not exact, if it is not.
    pub doubt: Option<String>,
}
