//! `vmctl step` and `vmctl run`: a span of virtual time passes, then the lab holds.

use std::{future::Future, pin::pin, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::target;
use crate::{
    api::{
        failure::Failure,
        time::{Advance, Advanced, Clock},
    },
    cli::Format,
    client::Client,
    daemon::signals::Ending,
    output::{self, progress::Steps, time},
};

/// What `step` lets pass in a lab that has no windows.
const STEP: Duration = Duration::from_millis(10);

/// How often the clock is looked at meanwhile, and how many times in a row it may be missed.
const LOOK: Duration = Duration::from_millis(250);
const MISSES: u32 = 3;

/// How long an interrupted span has to end before it is interrupted again, and how often it is.
const INTERRUPTION: Duration = Duration::from_secs(1);
const INTERRUPTIONS: u32 = 5;

/// Lets `span` pass, or a window.
pub async fn step(
    span: Option<Duration>,
    lab: Option<&str>,
    format: Format,
) -> Result<u8, Failure> {
    let client = target::find(lab)?;
    let before = client.clock().await?;
    let window = before.quantum_ns.map_or(STEP, Duration::from_nanos);
    Passage::new(&client, before, span.unwrap_or(window)).go(format).await
}

/// Lets `span` pass.
pub async fn run(span: Duration, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    let client = target::find(lab)?;
    let before = client.clock().await?;
    Passage::new(&client, before, span).go(format).await
}

/// A span that passes.
struct Passage<'a> {
    client: &'a Client,
    asked: Advance,
    /// The clock when it began, or a moment earlier.
    before: Clock,
    begun: Instant,
    missed: u32,
}

impl<'a> Passage<'a> {
    fn new(client: &'a Client, before: Clock, span: Duration) -> Self {
        Self { client, asked: span.into(), before, begun: Instant::now(), missed: 0 }
    }

    /// Waits for its end, and tells.
    async fn go(mut self, format: Format) -> Result<u8, Failure> {
        let mut ending = Ending::listen()?;
        let mut passing = pin!(self.client.advance(self.asked));
        let mut steps = Steps::new();
        loop {
            tokio::select! {
                advanced = &mut passing => {
                    steps.clear();
                    return self.tell(format, &advanced?);
                }
                signal = ending.next() => {
                    steps.clear();
                    let code = 128 + signal;
                    return tokio::select! {
                        held = self.hold(passing, code, format) => held,
                        _ = ending.next() => Ok(code),
                    };
                }
                clock = look(self.client) => steps.tick(self.progress(clock)?),
            }
        }
    }

    fn tell(&self, format: Format, advanced: &Advanced) -> Result<u8, Failure> {
        let (lab, asked) = (self.client.lab_name(), self.asked.virtual_ns);
        output::print(format, advanced, |advanced| time::advanced(lab, asked, advanced))?;
        Ok(0)
    }

    /// What to show; a daemon that keeps silent ends the wait.
    fn progress(&mut self, clock: Result<Clock, Failure>) -> Result<String, Failure> {
        let clock = match clock {
            Ok(clock) => clock,
            Err(failure) if self.missed == MISSES => return Err(failure),
            Err(failure) => {
                self.missed += 1;
                return Ok(failure.message);
            }
        };
        self.missed = 0;
        let passed = self.passed(&clock);
        let so_far = passed as f64 / self.begun.elapsed().as_nanos() as f64;
        let ratio = clock.recent_ratio.unwrap_or(so_far);
        Ok(time::progress(passed, self.asked.virtual_ns, ratio))
    }

    fn passed(&self, clock: &Clock) -> u64 {
        clock.virtual_ns.saturating_sub(self.before.virtual_ns)
    }

    /// Pauses the lab where it is. If the daemon takes up the order to advance only now, once more.
    async fn hold(
        &self,
        mut passing: impl Future<Output = Result<Advanced, Failure>> + Unpin,
        code: u8,
        format: Format,
    ) -> Result<u8, Failure> {
        for _ in 0..INTERRUPTIONS {
            self.client.pause().await?;
            match timeout(INTERRUPTION, &mut passing).await {
                Ok(Ok(advanced)) => return self.tell(format, &advanced),
                Ok(Err(_interrupted)) => break,
                Err(_) => {}
            }
        }
        let clock = self.client.clock().await?;
        let (passed, asked) = (self.passed(&clock), self.asked.virtual_ns);
        output::note(&time::interrupted(self.client.lab_name(), &clock, passed, asked));
        Ok(code)
    }
}

async fn look(client: &Client) -> Result<Clock, Failure> {
    sleep(LOOK).await;
    client.clock().await
}
