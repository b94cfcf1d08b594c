//! What happened in the lab lately, for `status`; all of it goes to the daemon's log.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::api::status::{EVENTS_KEPT, Event};

/// The last events of a lab.
#[derive(Debug)]
pub struct Journal {
    started: Instant,
    events: Mutex<VecDeque<Event>>,
}

impl Journal {
    /// An empty journal whose clock started at `started`.
    pub fn new(started: Instant) -> Self {
        Self { started, events: Mutex::new(VecDeque::with_capacity(EVENTS_KEPT)) }
    }

    /// Writes down that `message` happened now.
    pub fn record(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::info!("{message}");
        let event = Event { at_seconds: self.started.elapsed().as_secs_f64(), message };
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == EVENTS_KEPT {
            events.pop_front();
        }
        events.push_back(event);
    }

    /// All that is remembered, oldest first.
    pub fn recent(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
