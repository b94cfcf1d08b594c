//! What lockstep asks of whoever holds the guests.

use std::future::Future;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::sim::{GuestId, HostInstant};

/// Whoever can run one guest at a time and read its clock.
pub trait Reins: Send + Sync + 'static {
    /// Stops the guest and takes its clock, wherever it stands, as the zero of
    /// [`Stopped::elapsed`].
    fn seize(&self, guest: GuestId) -> impl Future<Output = Result<(), Departed>> + Send;

    /// Lets the guest run.
    fn cont(&self, guest: GuestId) -> impl Future<Output = Result<Resumed, Departed>> + Send;

    /// Stops the guest and reads its clock.
    fn stop(&self, guest: GuestId) -> impl Future<Output = Result<Stopped, Departed>> + Send;
}

/// A guest that runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The first host instant at which its clock can have gone on: by this one its frames are
    /// sent, so that none is taken for sent before it was.
    pub earliest: HostInstant,
    /// The last one: by this one frames are handed to it, so that none comes before it is due.
    pub latest: HostInstant,
    /// How long the order took.
    pub cost: Duration,
}

/// A guest that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// What has passed on its own clock since [`Reins::seize`].
    pub elapsed: Duration,
    /// How that is known.
    pub source: ClockSource,
    /// The host instants at which its clock can have gone on before, as far as that is known now.
    pub started: RangeInclusive<HostInstant>,
    /// How long the order to stop took.
    pub stop_cost: Duration,
    /// How long reading the clock took.
    pub read_cost: Duration,
}

/// Where a guest's clock was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockSource {
    /// The main counter of its HPET, 10 ns a tick.
    #[default]
    Hpet,
    /// Its ACPI power-management timer, 279 ns a tick.
    AcpiPm,
    /// Nowhere: reckoned from when it was started and stopped.
    Estimate,
}

impl ClockSource {
    /// The stable name, as `clock` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hpet => "hpet",
            Self::AcpiPm => "acpi_pm",
            Self::Estimate => "estimate",
        }
    }
}

/// The guest will never run again: its QEMU has ended, or was ended because it did not obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departed;
