//! Names of what is up. Whoever presses Tab gets names or nothing, at once, and never an error.

use std::{future::Future, time::Duration};

use clap_complete::engine::CompletionCandidate;

use crate::{api::status::Status, commands::target, lab::Labs};

/// How long a daemon may take to answer. Longer feels like a shell that hangs.
const PATIENCE: Duration = Duration::from_millis(500);

/// Labs of this user, whether their daemons live or not.
pub fn labs() -> Vec<CompletionCandidate> {
    let listed = Labs::of_this_user().ok().and_then(|labs| labs.list().ok()).unwrap_or_default();
    listed.iter().map(|lab| CompletionCandidate::new(lab.name.as_str())).collect()
}

/// Guests of the lab that is meant.
pub fn guests() -> Vec<CompletionCandidate> {
    let guests = status().map(|status| status.guests).unwrap_or_default();
    guests.into_iter().map(|guest| CompletionCandidate::new(guest.name)).collect()
}

/// Links of the lab that is meant.
pub fn links() -> Vec<CompletionCandidate> {
    let links = status().map(|status| status.links).unwrap_or_default();
    links.into_iter().map(|link| CompletionCandidate::new(link.name)).collect()
}

/// Guests and links of the lab that is meant.
pub fn things() -> Vec<CompletionCandidate> {
    let status = status();
    let (guests, links) = status.map(|status| (status.guests, status.links)).unwrap_or_default();
    let guests = guests.into_iter().map(|guest| guest.name);
    guests.chain(links.into_iter().map(|link| link.name)).map(CompletionCandidate::new).collect()
}

fn status() -> Option<Status> {
    let named = named(std::env::args()).or_else(|| std::env::var("VMCTL_LAB").ok());
    let client = target::find(named.as_deref()).ok()?;
    now(client.status())?.ok()
}

fn now<T>(answer: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await.ok() })
}

/// The lab that the unfinished command line names.
fn named(words: impl Iterator<Item = String>) -> Option<String> {
    let mut words = words;
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("--lab", name)) => return Some(name.to_owned()),
            None if word == "--lab" || word == "-l" => return words.next(),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_that_was_typed_is_the_one_that_is_asked() {
        let named = |line: &str| named(line.split(' ').map(str::to_owned));
        assert_eq!(named("vmctl -- vmctl --lab two exec"), Some("two".into()));
        assert_eq!(named("vmctl -- vmctl exec --lab=two a"), Some("two".into()));
        assert_eq!(named("vmctl -- vmctl -l two"), Some("two".into()));
        assert_eq!(named("vmctl -- vmctl exec"), None);
    }
}
