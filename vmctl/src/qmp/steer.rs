//! Letting a guest go and stopping it, with the instants that tell how far its clock has moved.
//!
//! ```text
//! host      sent         at        running         sent         at   stopped   answered
//! go        ├─── cont ───▶┼──────────▶│   halt      ├─── stop ───▶┼──────▶┤────────▶┤
//! clock     stands        │ goes                         goes     │ stands, and is read
//!                       RESUME                                   STOP
//! ```
//!
//! QEMU says, and stamps, `RESUME` just before the guest's clock goes on, and replies when it does;
//! that may be much later, because what reads the event may be what takes QEMU off its core. `STOP`
//! comes just after the clock has stopped.

use chronotap::datapath::host_now;
use chronotap::sim::HostInstant;
use serde_json::Value;
use tokio::time::timeout;

use super::client::Client;
use super::error::QmpError;
use super::orders::{Answer, Order, Told};
use super::stamp;

const CONT: &str = "{\"execute\":\"cont\"}";
const STOP: &str = "{\"execute\":\"stop\"}";

/// A guest that was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Going {
    /// Just before QEMU was told.
    pub sent: HostInstant,
    /// When QEMU was about to let its clock go on.
    pub at: HostInstant,
    /// When QEMU had said that it does.
    pub running: HostInstant,
}

/// A guest that stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halted {
    /// Since when it had been known to run; `None` if it may have stopped before by itself.
    pub going: Option<HostInstant>,
    /// Just before QEMU was told to stop it.
    pub sent: HostInstant,
    /// When its clock stopped, as closely as QEMU says.
    pub at: HostInstant,
    /// When QEMU's reply was read, while it was taking in the question already.
    pub stopped: HostInstant,
    /// What the human monitor said to the question.
    pub answer: String,
    /// When that was read.
    pub answered: HostInstant,
}

/// Each fails as [`Client::execute`] does; the time for a reply counts from one reply to the next.
impl Client {
    /// Lets the guest go. Returns when its clock goes on, for sure.
    pub async fn go(&self) -> Result<Going, QmpError> {
        let sent = host_now();
        let answer = self.one(CONT, Order::Cont).await?;
        let running = answer.read.max(sent);
        Ok(Going { sent, at: stamp::locate(answer.stamped_us, sent, running), running })
    }

    /// Stops the guest, and in the same breath asks the human monitor something, which it will be
    /// asked when the guest stands.
    pub async fn halt(&self, question: &str) -> Result<Halted, QmpError> {
        let sent = host_now();
        let both = format!("{STOP}{}", monitor(question));
        let stopping = async {
            let (going, [stop, ask]) = self.give(&both, [Order::Stop, Order::Ask]).await?;
            Ok((going, self.hear(stop, Order::Stop).await?, ask))
        };
        let (going, stop, ask) = self.in_time(Order::Stop, stopping).await?;
        let answer = self.in_time(Order::Ask, self.hear(ask, Order::Ask)).await?;
        let (stopped, answered) = (stop.read.max(sent), answer.read.max(sent));
        let at = stamp::locate(stop.stamped_us, sent, stopped);
        Ok(Halted { going, sent, at, stopped, answer: text(answer)?, answered })
    }

    /// Asks the human monitor something; returns what it prints, and when that was read.
    pub async fn ask(&self, question: &str) -> Result<(String, HostInstant), QmpError> {
        let answer = self.one(&monitor(question), Order::Ask).await?;
        let read = answer.read;
        Ok((text(answer)?, read))
    }

    /// Stops all vCPUs and the virtual clock. Both stand still when the reply comes.
    pub async fn stop(&self) -> Result<(), QmpError> {
        self.one(STOP, Order::Stop).await.map(drop)
    }

    async fn one(&self, command: &str, order: Order) -> Result<Answer, QmpError> {
        let obeyed = async {
            let (_, [told]) = self.give(command, [order]).await?;
            self.hear(told, order).await
        };
        self.in_time(order, obeyed).await
    }

    /// Writes orders. Also returns since when the guest had been known to run.
    async fn give<const N: usize>(
        &self,
        commands: &str,
        orders: [Order; N],
    ) -> Result<(Option<HostInstant>, [Told; N]), QmpError> {
        let place = self.place().await?;
        let line = format!("{commands}\n");
        self.0.shared.submit(line.as_bytes(), place, |open| {
            (open.orders.going(), orders.map(|order| open.orders.add(order)))
        })
    }

    async fn hear(&self, told: Told, order: Order) -> Result<Answer, QmpError> {
        let answer = told.await.unwrap_or_else(|_| Err(self.lost()))?;
        match &answer.outcome {
            Ok(_) => Ok(answer),
            Err(refusal) => Err(QmpError::Refused {
                command: order.command().to_owned(),
                class: refusal.class.clone(),
                reason: refusal.reason.clone(),
            }),
        }
    }

    async fn in_time<T>(
        &self,
        order: Order,
        obeyed: impl Future<Output = Result<T, QmpError>>,
    ) -> Result<T, QmpError> {
        let limit = self.0.limits.reply;
        let late = |_| QmpError::Timeout { command: order.command().to_owned(), limit };
        timeout(limit, obeyed).await.map_err(late)?
    }
}

/// The command that hands a line to the human monitor.
fn monitor(line: &str) -> String {
    // As JSON, which escapes line breaks.
    let line = Value::from(line);
    format!("{{\"execute\":\"human-monitor-command\",\"arguments\":{{\"command-line\":{line}}}}}")
}

fn text(answer: Answer) -> Result<String, QmpError> {
    match answer.outcome {
        Ok(Value::String(text)) => Ok(text),
        other => Err(QmpError::Unexpected {
            command: Order::Ask.command().to_owned(),
            reason: format!("it is no text: {other:?}"),
        }),
    }
}
