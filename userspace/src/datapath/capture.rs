//! Captures of a running data plane.

use super::command::Command;
use super::{Datapath, OrderError};
use crate::capture::{self, Reader};

impl Datapath {
    /// Records frames from now on. What was sent before and is under way is seen where it arrives.
    /// To be ended with [`Reader::close`] and [`Datapath::end_captures`].
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn capture(&self, settings: &capture::Settings) -> Result<Reader, OrderError> {
        let (recorder, reader) = capture::begin(settings);
        self.order(|reply| Command::Watch(Box::new(recorder), reply)).await?;
        Ok(reader)
    }

    /// Ends the captures whose readers are closed. What they have recorded can still be read.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer, and records nothing then.
    pub async fn end_captures(&self) -> Result<(), OrderError> {
        // They are dropped here and not there: a ring is large, and giving it back takes a while.
        self.order(Command::Dismiss).await.map(drop)
    }
}
