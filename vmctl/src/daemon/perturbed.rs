//! What the host did to a lab that no repetition of it would do at the same virtual instant.

use std::sync::Arc;

use tokio::sync::SetOnce;

use super::events::Journal;

/// The first such thing. Clones are the same cell.
#[derive(Debug, Clone, Default)]
pub struct Perturbed(Arc<SetOnce<String>>);

impl Perturbed {
    /// Writes down what happened; what was first stays. Costs nothing from then on.
    pub fn record(&self, what: impl FnOnce() -> String) {
        if self.0.get().is_none() {
            // Somebody may have been quicker: then that was first.
            let _ = self.0.set(what());
        }
    }

    /// What happened first, e.g. `exec in guest a`; `None` as long as nothing has.
    pub fn first(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Tells the journal of a lab that would be the same in each run that it is not any more.
pub async fn watch(perturbed: Perturbed, journal: Arc<Journal>) {
    let first = perturbed.0.wait().await;
    journal.record(format!("perturbed: {first}; no other run will be the same as this one"));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_first_reason_stays_and_all_see_it() {
        let perturbed = Perturbed::default();
        let same = perturbed.clone();
        assert_eq!(perturbed.first(), None);
        same.record(|| "one".to_owned());
        same.record(|| unreachable!("nobody asks for a second reason"));
        assert_eq!(perturbed.first(), Some("one"));
    }

    #[tokio::test]
    async fn it_is_told_once() {
        let (perturbed, journal) =
            (Perturbed::default(), Journal::new(Instant::now(), Duration::default));
        let journal = Arc::new(journal);
        let told = tokio::spawn(watch(perturbed.clone(), journal.clone()));
        perturbed.record(|| "exec in guest a".to_owned());
        told.await.expect("it ends");
        let events = journal.recent(9);
        assert_eq!(events.len(), 1);
        assert!(events[0].message.starts_with("perturbed: exec in guest a;"), "{events:?}");
    }
}
