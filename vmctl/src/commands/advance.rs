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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{
        Json, Router,
        http::StatusCode,
        routing::{get, post},
    };
    use tokio::{net::UnixListener, sync::Semaphore};

    use super::*;
    use crate::api::status::{Barrier, LabState};

    fn clock() -> Clock {
        Clock {
            state: LabState::Paused,
            mode: "realtime".into(),
            virtual_ns: 2_000_000_000,
            wall_ns: 0,
            ratio: None,
            recent_ratio: None,
            quantum_ns: None,
            skew_ns: None,
            guests: Vec::new(),
        }
    }

    /// A daemon that takes up orders to advance so slowly that the first pause comes before them.
    fn slow_daemon(pauses: Arc<Semaphore>) -> Router {
        let barrier = Barrier { state: LabState::Paused, skew_ns: None, virtual_seconds: 2.0 };
        let counted = pauses.clone();
        let advance = async move || {
            let _both = counted.acquire_many(2).await.expect("never closed");
            (StatusCode::INTERNAL_SERVER_ERROR, Json(Failure::runtime("paused")))
        };
        let pause = async move || {
            pauses.add_permits(1);
            Json(barrier.clone())
        };
        Router::new()
            .route("/v1/advance", post(advance))
            .route("/v1/pause", post(pause))
            .route("/v1/clock", get(async || Json(clock())))
    }

    #[tokio::test]
    async fn an_interrupt_that_overtakes_its_order_is_given_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("control.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let pauses = Arc::new(Semaphore::new(0));
        let daemon = slow_daemon(pauses.clone());
        let daemon = tokio::spawn(axum::serve(listener, daemon).into_future());
        let client = Client::new("lab", path);
        let passage = Passage::new(&client, clock(), Duration::from_secs(10));
        let passing = pin!(client.advance(passage.asked));
        let code = passage.hold(passing, 130, Format::Table).await;
        assert_eq!(code.expect("the lab stands still"), 130);
        assert_eq!(pauses.available_permits(), 2, "pauses until the lab obeyed");
        daemon.abort();
    }

    #[test]
    fn a_clock_that_is_missed_too_often_ends_the_wait() {
        let client = Client::new("lab", "nowhere");
        let mut passage = Passage::new(&client, clock(), Duration::from_secs(10));
        let silent = || Err(Failure::timeout("silent"));
        for _ in 0..2 {
            (0..MISSES).for_each(|_| assert!(passage.progress(silent()).is_ok()));
            assert!(passage.progress(Ok(clock())).is_ok(), "and starts anew");
        }
        (0..MISSES).for_each(|_| assert!(passage.progress(silent()).is_ok()));
        assert_eq!(passage.progress(silent()), Err(Failure::timeout("silent")));
    }
}
