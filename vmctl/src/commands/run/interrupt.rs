//! Ctrl-C and other signals that ask for an end, heard by everything that is under way.

use tokio::sync::watch;

use crate::{api::failure::Failure, daemon::signals::Ending};

/// The number of SIGINT.
const INTERRUPT: u8 = 2;

/// The first such signal. Clones hear the same.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<Option<u8>>);

impl Interrupt {
    /// Listens from now on.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn listen() -> Result<Self, Failure> {
        let mut ending = Ending::listen()?;
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            let signal = ending.next().await;
            // Nobody is left to hear it: all is done.
            let _ = tell.send(Some(signal));
            // Further signals are taken, and change nothing: the lab is going down.
            loop {
                ending.next().await;
            }
        });
        Ok(Self(told))
    }

    /// Waits for it.
    pub async fn come(&self) {
        let mut told = self.0.clone();
        if told.wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether it has come.
    pub fn has_come(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// What a shell reports for a program that the signal ended: 128 + its number. One that was ended
    /// by a key counts as ended by Ctrl-C.
    pub fn code(&self) -> u8 {
        128 + self.0.borrow().unwrap_or(INTERRUPT)
    }
}
