//! The `exact` mode: guests are held by the data plane itself, at every barrier. What is left to do
//! here is to let them start, and to pass on what users ask for.

use std::future::Future;
use std::pin::Pin;

use super::{Desk, Guests, Reply, Request, Synchronizer, SynchronizerError, answer};
use crate::datapath::{Datapath, ExactError};
use crate::sim::VirtualInstant;

type Arrival = Pin<Box<dyn Future<Output = Result<VirtualInstant, ExactError>> + Send>>;

/// The policy of the `exact` mode: guests stand until [`Synchronizer::enter`].
pub struct Exact<G> {
    guests: G,
    datapath: Datapath,
    desk: Desk,
    /// A span that is to pass, and who waits for its end.
    advancing: Option<(Arrival, Reply<VirtualInstant>)>,
}

impl<G: Guests> Exact<G> {
    /// Makes the policy and the handle to it; [`Exact::run`] must be spawned.
    pub fn new(guests: G, datapath: Datapath) -> (Self, Synchronizer) {
        let (desk, handle) = Desk::open();
        (Self { guests, datapath, desk, advancing: None }, handle)
    }

    /// Serves until every handle is dropped.
    pub async fn run(mut self) {
        loop {
            let arrived = async {
                match &mut self.advancing {
                    Some((arrival, _)) => arrival.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                outcome = arrived => self.finish_advance(outcome),
                request = self.desk.requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    None => return,
                },
            }
        }
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Pause(reply) => answer(reply, self.pause().await),
            Request::Resume(reply) => answer(reply, self.resume()),
            Request::Advance(span, reply) => {
                self.desk.tally.send_modify(|tally| tally.paused = false);
                let datapath = self.datapath.clone();
                let arrival: Arrival = Box::pin(async move { datapath.advance(span).await });
                let before = self.advancing.replace((arrival, reply));
                before.into_iter().for_each(|(_, reply)| {
                    answer(reply, Err(SynchronizerError::Interrupted));
                });
            }
            Request::Relink(_, _, reply) => answer(reply, Err(SynchronizerError::NotLockstep)),
            Request::Enter(reply) => answer(reply, self.enter(false).await),
            Request::EnterHeld(reply) => answer(reply, self.enter(true).await),
        }
    }

    async fn pause(&mut self) -> Result<(), SynchronizerError> {
        self.datapath.hold_all().await?;
        self.desk.tally.send_modify(|tally| {
            tally.user_pauses += u64::from(!tally.paused);
            tally.paused = true;
        });
        Ok(())
    }

    fn resume(&mut self) -> Result<(), SynchronizerError> {
        self.datapath.go_on()?;
        self.desk.tally.send_modify(|tally| tally.paused = false);
        Ok(())
    }

    /// Lets the guests come to virtual zero, and go on from there or stay.
    async fn enter(&mut self, held: bool) -> Result<(), SynchronizerError> {
        self.guests.resume_all().await?;
        self.datapath.begin(held).await?;
        self.desk.tally.send_modify(|tally| tally.paused = held);
        Ok(())
    }

    fn finish_advance(&mut self, outcome: Result<VirtualInstant, ExactError>) {
        let Some((_, reply)) = self.advancing.take() else { return };
        if outcome.is_ok() {
            self.desk.tally.send_modify(|tally| tally.paused = true);
        }
        answer(reply, outcome.map_err(SynchronizerError::from));
    }
}
