//! What may be asked of the exact mode alone.

use std::time::Duration;

use tokio::sync::oneshot;

use super::command::Command;
use super::{Datapath, ExactError, OrderError};
use crate::sim::{GuestId, VirtualInstant};

/// Who waits for virtual time to stand still, and gets where it does.
pub(super) type HoldReply = oneshot::Sender<Result<VirtualInstant, ExactError>>;

/// An order to the exact mode.
pub(super) enum Steer {
    /// Tells when all guests stand at virtual zero, and lets windows begin, or holds there.
    Begin { held: bool, reply: HoldReply },
    /// Holds at the next barrier.
    Hold(HoldReply),
    /// Goes on.
    Go,
    /// Brings the clock of a guest to where virtual time stands, and keeps it there.
    Attend(GuestId, HoldReply),
    /// Goes on, and holds when so much virtual time has passed.
    Advance(Duration, HoldReply),
}

impl Datapath {
    /// Waits until all guests of the exact mode stand at virtual zero, and lets windows begin;
    /// with `held` it is left to others to let time go on from there.
    ///
    /// # Errors
    /// An agent does not work with its guest's QEMU.
    pub async fn begin(&self, held: bool) -> Result<VirtualInstant, ExactError> {
        self.steer(|reply| Steer::Begin { held, reply }).await
    }

    /// Holds virtual time of the exact mode at the next barrier; returns where that is.
    ///
    /// # Errors
    /// The data plane has stopped.
    pub async fn hold_all(&self) -> Result<VirtualInstant, ExactError> {
        self.steer(Steer::Hold).await
    }

    /// Lets virtual time of the exact mode go on.
    ///
    /// # Errors
    /// The data plane has stopped.
    pub fn go_on(&self) -> Result<(), ExactError> {
        Ok(self.send(Command::Steer(Steer::Go))?)
    }

    /// Lets `span` of virtual time pass in the exact mode, then holds; returns where that is.
    ///
    /// # Errors
    /// Something came in between, or no guest is left.
    pub async fn advance(&self, span: Duration) -> Result<VirtualInstant, ExactError> {
        self.steer(|reply| Steer::Advance(span, reply)).await
    }

    /// Makes a guest of the exact mode fit to be talked to by the host: brings its clock to where
    /// virtual time stands, and from now on lets no window pass without it.
    ///
    /// A guest that idles is left alone, and its clock behind, until something comes that the
    /// network knows of. What the host sends it wakes it as well, at the time that its clock shows.
    ///
    /// # Errors
    /// The data plane has stopped.
    pub async fn attend(&self, guest: GuestId) -> Result<VirtualInstant, ExactError> {
        self.steer(|reply| Steer::Attend(guest, reply)).await
    }

    /// How long these take is for the guests to say: there is no limit.
    async fn steer(
        &self,
        steer: impl FnOnce(HoldReply) -> Steer,
    ) -> Result<VirtualInstant, ExactError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Steer(steer(reply)))?;
        answer.await.map_err(|_hung_up| OrderError::Stopped)?
    }
}
