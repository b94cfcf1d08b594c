//! The size of this terminal, now and whenever it changes.

use std::io::{self, IsTerminal as _};

use rustix::termios::tcgetwinsize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::{channel::Size, failure::Failure};

/// This process's terminal, whose size is followed.
#[derive(Debug)]
pub struct Window {
    size: Size,
    changes: Signal,
}

impl Window {
    /// The terminal on standard input.
    ///
    /// # Errors
    /// There is none.
    pub fn of_stdin() -> Result<Self, Failure> {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("-t takes a terminal, and standard input is none")
                .remedy("leave -t away: without it, standard input is passed on as it is"));
        }
        let failed = |error: io::Error| {
            Failure::runtime(format!("the terminal does not tell its size: {error}"))
        };
        let changes = signal(SignalKind::window_change()).map_err(failed)?;
        Ok(Self { size: size().map_err(failed)?, changes })
    }

    /// Its size when it was looked at.
    pub fn size(&self) -> Size {
        self.size
    }
}

/// Waits until the window has another size, and returns that as JSON; waits for ever without one.
/// Cancel safe.
pub async fn next(window: &mut Option<Window>) -> Vec<u8> {
    let Some(window) = window else { return std::future::pending().await };
    loop {
        window.changes.recv().await;
        // A terminal that is gone has no size; its hang-up is a signal of its own.
        if let Ok(size) = size()
            && let Ok(json) = serde_json::to_vec(&size)
        {
            return json;
        }
    }
}

fn size() -> io::Result<Size> {
    let found = tcgetwinsize(io::stdin())?;
    Ok(Size { rows: found.ws_row, columns: found.ws_col })
}
