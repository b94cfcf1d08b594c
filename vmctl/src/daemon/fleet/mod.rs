//! All guests at once: stopped together, started together, and how closely. `reins`: one guest by
//! itself, with its clock.

mod counter;
mod guest_clock;
mod reckoning;
mod reins;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chronotap::{
    datapath::host_now,
    synchronizer::{Guests, GuestsError},
};
use futures_util::future::join_all;

use super::{describe::nanos, seat::Seat};
use crate::{api::status::GuestState, qmp};
use reins::Hand;

/// The guests of a lab with their QMP connections.
#[derive(Debug, Clone)]
pub struct Fleet {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    guests: Vec<Hand>,
    skew_ns: AtomicU64,
    hung: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Stop,
    Cont,
}

impl Fleet {
    /// A fleet of these guests.
    pub fn new(guests: Vec<(Arc<Seat>, qmp::Client)>) -> Self {
        let guests = guests.into_iter().map(|(seat, qmp)| Hand::new(seat, qmp)).collect();
        Self {
            shared: Arc::new(Shared {
                guests,
                skew_ns: AtomicU64::new(0),
                hung: AtomicBool::new(false),
            }),
        }
    }

    /// Time between the first and the last guest's answer to the last order.
    pub fn skew(&self) -> Duration {
        Duration::from_nanos(self.shared.skew_ns.load(Ordering::Relaxed))
    }

    /// Whether some guest's QEMU has ever let an order's time pass.
    pub fn has_hung(&self) -> bool {
        self.shared.hung.load(Ordering::Relaxed)
    }

    /// Gives every living guest an order, all at once.
    async fn all(&self, order: Order) -> Result<(), GuestsError> {
        let orders = self.shared.guests.iter().map(|hand| obey(hand, order));
        let mut answered = Vec::with_capacity(self.shared.guests.len());
        let mut disobeyed = Vec::new();
        for outcome in join_all(orders).await {
            match outcome {
                Ok(at) => answered.extend(at),
                Err((guest, error)) => {
                    if matches!(error, qmp::QmpError::Timeout { .. }) {
                        self.shared.hung.store(true, Ordering::Relaxed);
                    }
                    disobeyed.push(format!("`{guest}`: {error}"));
                }
            }
        }
        let (first, last) = (answered.iter().min(), answered.iter().max());
        let skew = first.zip(last).map_or(Duration::ZERO, |(first, last)| *last - *first);
        self.shared.skew_ns.store(nanos(skew), Ordering::Relaxed);
        if disobeyed.is_empty() { Ok(()) } else { Err(GuestsError(disobeyed.join("; "))) }
    }
}

impl Guests for Fleet {
    async fn pause_all(&self) -> Result<(), GuestsError> {
        self.all(Order::Stop).await
    }

    async fn resume_all(&self) -> Result<(), GuestsError> {
        self.all(Order::Cont).await
    }
}

/// When the guest had obeyed; `None` for one that is gone, which needs no order.
async fn obey(hand: &Hand, order: Order) -> Result<Option<Instant>, (String, qmp::QmpError)> {
    if hand.seat.state() == GuestState::Dead {
        return Ok(None);
    }
    let outcome = match order {
        Order::Stop => hand.qmp.stop().await,
        Order::Cont => hand.qmp.cont().await,
    };
    match outcome {
        Ok(()) => {
            match order {
                Order::Stop => hand.seat.stopwatch.hold(host_now()),
                Order::Cont => hand.seat.stopwatch.go(host_now()),
            }
            Ok(Some(Instant::now()))
        }
        // A QEMU that has hung up is about to end, which its seat will tell.
        Err(qmp::QmpError::Closed(_)) => Ok(None),
        Err(error) => Err((hand.seat.name().to_owned(), error)),
    }
}
