//! Links by the names people type.

use chronotap::sim::{LinkId, Way};

use super::Scenario;
use crate::topology::quote;
use crate::units::nearest;

/// A link, and which of its ways the name calls forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundLink {
    /// The link.
    pub id: LinkId,
    /// The way from the end that was named first.
    pub forward: Way,
}

/// No link is called so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NoSuchLink {
    /// As typed.
    pub name: String,
    /// The label that looks most like it.
    pub nearest: Option<String>,
}

impl std::fmt::Display for NoSuchLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no link {}", quote(&self.name))?;
        match &self.nearest {
            Some(label) => write!(f, "; did you mean `{label}`?"),
            None => Ok(()),
        }
    }
}

impl Scenario {
    /// Finds a link by its label with the ends in either order, or by one of its ends. Forward is
    /// from the end that is named, or named first.
    ///
    /// # Errors
    /// If no link is called so; with the most similar label, if one is similar.
    pub fn find_link(&self, name: &str) -> Result<FoundLink, NoSuchLink> {
        for (link, id) in self.links.iter().zip((0..).map(LinkId)) {
            let [a, b] = link.ends.each_ref().map(ToString::to_string);
            if name == link.label || name == a {
                return Ok(FoundLink { id, forward: Way::Forward });
            }
            if name == b || name == format!("{b}-{a}") {
                return Ok(FoundLink { id, forward: Way::Backward });
            }
        }
        let labels = self.links.iter().map(|link| link.label.as_str());
        let nearest = nearest(name, labels).map(str::to_owned);
        Err(NoSuchLink { name: name.to_owned(), nearest })
    }
}
