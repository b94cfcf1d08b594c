//! Signals that end or interrupt a command, as one stream.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::failure::Failure;

/// The signals that a terminal or a service manager sends to end a program.
#[derive(Debug)]
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Ending {
    /// Takes these signals over from now on.
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::runtime(format!("cannot await signals: {error}")))
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// The number of the next one. Cancel safe.
    pub async fn next(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
            _ = self.quit.recv() => SignalKind::quit(),
        };
        u8::try_from(kind.as_raw_value()).expect("these four are below 128")
    }
}
