//! What this host lets a data plane do, found out by doing it once: for `vmctl doctor`.

use crate::pacer::StampSource;
use crate::programs::{AttachMode, Programs};
use crate::xsk::become_fifo;

use super::error::causes;
use super::{host_now, plane, probe};

/// How each part went; errors are told with their causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The kernel took the programs.
    pub programs: Result<(), String>,
    /// A frame went from a tap through XDP to an AF_XDP socket.
    pub taps: Result<Carried, String>,
    /// The thread was scheduled in real time.
    pub fifo: Result<(), String>,
}

/// How a frame got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// How the program sits on a tap.
    pub attached: AttachMode,
    /// Who stamps frames.
    pub stamps: StampSource,
}

/// Tries all of it on the calling thread, which should be made for it: in a network namespace of
/// its own, since a tap comes up there for a moment, and to end soon, since it stays ahead of
/// others.
pub fn trial(object: &[u8]) -> Trial {
    let (programs, taps) = match Programs::load(object) {
        Err(error) => (Err(told(&error)), Err("the programs are missing".to_owned())),
        Ok(mut programs) => {
            let carried = probe::carry(&mut programs, host_now);
            (Ok(()), carried.map_err(|error| told(&error)))
        }
    };
    let fifo = become_fifo(plane::FIFO_PRIORITY).map_err(|error| error.to_string());
    Trial { programs, taps, fifo }
}

fn told(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
