//! Orders to a guest's processors, which go without a number: QEMU takes a command in byte by byte,
//! at some 4 µs each, so that in lockstep its length is what it costs. It works commands off in the
//! order in which they come, and so do their replies.

use std::collections::VecDeque;

use chronotap::sim::HostInstant;
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::debug;

use super::error::QmpError;
use super::message::{Event, Refusal};

/// Commands that go without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Cont,
    Stop,
    /// A line for the human monitor.
    Ask,
}

impl Order {
    /// QEMU's name of it.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::Cont => "cont",
            Self::Stop => "stop",
            Self::Ask => "human-monitor-command",
        }
    }
}

/// What came of an order.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) outcome: Result<Value, Refusal>,
    /// QEMU's own clock when it began to obey, if it said.
    pub(super) stamped_us: Option<i64>,
    /// When the reply was read.
    pub(super) read: HostInstant,
}

/// Where an answer comes, or the end of the connection.
pub(super) type Told = oneshot::Receiver<Result<Answer, QmpError>>;

/// Orders whose reply has not come, oldest first.
#[derive(Debug, Default)]
pub(super) struct Orders {
    given: VecDeque<Given>,
    /// When it was read that the guest runs; `None` while that is not certain.
    going: Option<HostInstant>,
}

#[derive(Debug)]
struct Given {
    order: Order,
    /// QEMU's clock at the event that it caused.
    stamped_us: Option<i64>,
    waiter: oneshot::Sender<Result<Answer, QmpError>>,
}

impl Orders {
    /// Adds one that is about to be written.
    pub(super) fn add(&mut self, order: Order) -> Told {
        if order == Order::Cont {
            self.going = None;
        }
        let (waiter, told) = oneshot::channel();
        self.given.push_back(Given { order, stamped_us: None, waiter });
        told
    }

    /// Since when the guest has been known to run, without doubt and without a stop.
    pub(super) fn going(&self) -> Option<HostInstant> {
        self.going
    }

    /// Takes in an event that an order has caused; gives back any other.
    pub(super) fn note(&mut self, event: Event) -> Option<Event> {
        let order = match event.name.as_str() {
            "RESUME" => Order::Cont,
            "STOP" => Order::Stop,
            _ => return Some(event),
        };
        let Some(given) = self.given.iter_mut().find(|given| given.order == order) else {
            // QEMU's own decision. If it has stopped the guest, who knows when.
            self.going = None;
            return Some(event);
        };
        given.stamped_us = event.stamped_us;
        None
    }

    /// Takes in a reply that has no number.
    ///
    /// # Errors
    /// When no order awaits one.
    pub(super) fn reply(
        &mut self,
        outcome: Result<Value, Refusal>,
        read: HostInstant,
    ) -> Result<(), String> {
        let Some(given) = self.given.pop_front() else {
            return match outcome {
                Ok(_) => Err("a reply without the number of its command".to_owned()),
                Err(refusal) => {
                    debug!(?refusal, "QMP error about no command");
                    Ok(())
                }
            };
        };
        match given.order {
            Order::Cont if outcome.is_ok() => self.going = Some(read),
            Order::Cont | Order::Stop => self.going = None,
            Order::Ask => {}
        }
        let Given { order, stamped_us, waiter } = given;
        if waiter.send(Ok(Answer { outcome, stamped_us, read })).is_err() {
            debug!(command = order.command(), "QMP reply that came too late");
        }
        Ok(())
    }

    /// Tells all who wait that there will be no answer.
    pub(super) fn close(&mut self, end: &QmpError) {
        for given in self.given.drain(..) {
            // Whoever has given up knows already.
            let _ = given.waiter.send(Err(end.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Event {
        let (details, received) = (Value::Null, HostInstant::from_nanos(7));
        Event { name: name.to_owned(), details, stamped_us: Some(3), received }
    }

    fn at(nanos: u64) -> HostInstant {
        HostInstant::from_nanos(nanos)
    }

    fn answer(told: &mut Told) -> Answer {
        told.try_recv().expect("answered").expect("connected")
    }

    #[test]
    fn the_reply_answers_with_the_stamp_of_the_event() {
        let mut orders = Orders::default();
        let (mut cont, mut stop) = (orders.add(Order::Cont), orders.add(Order::Stop));
        assert_eq!(orders.note(event("RESUME")), None);
        assert!(cont.try_recv().is_err(), "not before the reply");
        orders.reply(Ok(Value::Null), at(9)).expect("its reply");
        let went = answer(&mut cont);
        assert_eq!((went.stamped_us, went.read), (Some(3), at(9)));
        assert_eq!(orders.going(), Some(at(9)));
        assert!(stop.try_recv().is_err(), "the reply was that to cont");
        assert_eq!(orders.note(event("STOP")), None);
        orders.reply(Ok(Value::Null), at(11)).expect("its reply");
        let stood = answer(&mut stop);
        assert_eq!((stood.stamped_us, stood.read, orders.going()), (Some(3), at(11), None));
    }

    #[test]
    fn what_nobody_ordered_is_passed_on() {
        let mut orders = Orders::default();
        for name in ["STOP", "RESUME", "RESET"] {
            assert_eq!(orders.note(event(name)), Some(event(name)));
        }
        let _cont = orders.add(Order::Cont);
        orders.reply(Ok(Value::Null), at(9)).expect("its reply");
        assert_eq!(orders.note(event("STOP")), Some(event("STOP")));
        assert_eq!(orders.going(), None, "it stopped, who knows when");
    }

    #[test]
    fn replies_that_nobody_awaits_are_nonsense_and_complaints_are_not() {
        let mut orders = Orders::default();
        let refusal = || Refusal { class: "C".to_owned(), reason: "d".to_owned() };
        orders.reply(Err(refusal()), at(1)).expect("a complaint");
        orders.reply(Ok(Value::Null), at(1)).expect_err("nobody asked");
        let mut cont = orders.add(Order::Cont);
        orders.reply(Err(refusal()), at(2)).expect("refused");
        assert_eq!(answer(&mut cont).outcome, Err(refusal()));
    }
}
