//! What can go wrong between the control side and the data plane.

use crate::programs::ProgramsError;
use crate::sim::{NotChanged, PlanError};
use crate::xsk::SetupError;

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    /// The kernel half.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// A socket.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The plan is not a network.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan and the taps do not fit together.
    #[error("the plan has {planned} ports, and {given} taps were given")]
    Ports {
        /// Ports of the plan.
        planned: u32,
        /// Taps.
        given: usize,
    },
    /// No memory for frames.
    #[error("no memory for {chunks} chunks of 2 KiB")]
    Memory {
        /// How many were asked for.
        chunks: u32,
        /// The kernel's answer.
        #[source]
        cause: std::io::Error,
    },
    /// The pages that are shared with the guests' QEMUs.
    #[error("map the pages that guests' QEMUs share")]
    Pages(#[source] std::io::Error),
    /// Taps carry no metadata on this kernel.
    #[error("this kernel's taps do not hand on the stamps of frames, which the exact mode needs")]
    NoStamps,
    /// The thread or its descriptors.
    #[error("start the data-plane thread")]
    Thread(#[source] std::io::Error),
    /// The thread ended while it was starting.
    #[error("the data-plane thread died while starting")]
    Died,
}

impl DatapathError {
    /// True when what is missing is a privilege or capability.
    pub fn is_denied(&self) -> bool {
        causes(self).any(|cause| {
            let cause = cause.downcast_ref::<std::io::Error>();
            cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::PermissionDenied)
        })
    }
}

/// An error and what caused it, down to the first cause.
pub(super) fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Why an order was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The data plane has stopped.
    #[error("the data plane has stopped")]
    Stopped,
    /// The host does not let it run.
    #[error("the data plane did not answer within {} s", super::PATIENCE.as_secs())]
    Silent,
    /// There is no such port.
    #[error("no such port")]
    Unknown,
    /// Links were not changed.
    #[error(transparent)]
    NotChanged(#[from] NotChanged),
}

/// Why virtual time did not get where it was to, in the exact mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExactError {
    /// A pause or resume came in between.
    #[error("another order came before the time had passed")]
    Interrupted,
    /// There is no guest left.
    #[error("no guest is left")]
    Deserted,
    /// The agent does not work with this QEMU.
    #[error("{0}")]
    Refused(String),
    /// The data plane did not take the order.
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// Why a port was not bound to its new tap.
#[derive(Debug, thiserror::Error)]
pub enum RewireError {
    /// The data plane did not take the order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The socket.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The programs.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
}
