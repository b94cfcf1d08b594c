//! One look at a lab for all who ask within a moment: however many pages and scrapers there are, and
//! whoever else on this host asks, the data plane is asked so often and no more.

use std::{future::Future, pin::Pin, time::Duration};

use axum::body::Bytes;
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

use crate::api::failure::Failure;

/// How long a look counts as one of now. A page looks once a second.
const FRESH: Duration = Duration::from_millis(250);

/// What looks: a text, or why there is none.
type Look =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Bytes, Failure>> + Send>> + Send + Sync>;

/// The last look, and how to take another.
pub struct Glance {
    look: Look,
    last: Mutex<Option<(Instant, Bytes)>>,
}

impl Glance {
    /// Looks with `look`, and tells what it saw in JSON.
    pub fn new<T, F>(look: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        T: Serialize + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        Self::through(look, |seen| serde_json::to_string(&seen).map_err(Failure::runtime))
    }

    /// Looks with `look`, and tells what that says.
    pub fn of_text<F>(look: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, Failure>> + Send + 'static,
    {
        Self::through(look, Ok)
    }

    fn through<T, F>(
        look: impl Fn() -> F + Send + Sync + 'static,
        write: fn(T) -> Result<String, Failure>,
    ) -> Self
    where
        T: 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let look: Look = Box::new(move || {
            let looking = look();
            Box::pin(async move { Ok(Bytes::from(write(looking.await?)?)) })
        });
        Self { look, last: Mutex::default() }
    }

    /// What was seen a moment ago, or is seen now. One look at a time: others wait for it.
    ///
    /// # Errors
    /// Those of the look.
    pub async fn look(&self) -> Result<Bytes, Failure> {
        let mut last = self.last.lock().await;
        if let Some((at, seen)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(seen.clone());
        }
        let seen = (self.look)().await?;
        *last = Some((Instant::now(), seen.clone()));
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_askers_are_one_look() {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let glance = Glance::new(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if number == 1 { Err(Failure::runtime("asleep")) } else { Ok(number) }
            }
        });
        let all = join_all((0..50).map(|_| glance.look())).await;
        assert!(all.iter().all(|seen| seen.as_deref() == Ok(b"0")), "{all:?}");
        tokio::time::sleep(FRESH).await;
        let failure = glance.look().await.expect_err("the second look fails");
        assert_eq!(failure.message, "asleep");
        assert_eq!(glance.look().await.as_deref(), Ok(b"2".as_slice()));
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }
}
