//! What the host did to a lab that no repetition of it would do at the same virtual instant.

use std::sync::{Arc, OnceLock};

/// The first such thing. Clones are the same cell.
#[derive(Debug, Clone, Default)]
pub struct Perturbed(Arc<OnceLock<String>>);

impl Perturbed {
    /// Writes down what happened; what was first stays. Costs nothing from then on.
    pub fn record(&self, what: impl FnOnce() -> String) {
        self.0.get_or_init(what);
    }

    /// What happened first, e.g. `exec in guest a`; `None` as long as nothing has.
    pub fn first(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
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
}
