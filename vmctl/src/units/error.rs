//! Why a text is not a quantity, and what would be.

/// The text is not a quantity of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// There is no text.
    #[error("expected a {kind}, such as `{example}`")]
    Empty {
        /// `delay`, `rate`, …
        kind: &'static str,
        /// A good value.
        example: &'static str,
    },
    /// It does not start with a decimal number.
    #[error("expected a {kind}, such as `{example}`")]
    NoNumber {
        /// `delay`, `rate`, …
        kind: &'static str,
        /// A good value.
        example: &'static str,
    },
    /// It starts with a minus sign.
    #[error("a {kind} cannot be negative")]
    Negative {
        /// `delay`, `rate`, …
        kind: &'static str,
    },
    /// It is a bare number.
    #[error("the unit is missing")]
    NoUnit {
        /// The number with the most likely unit.
        suggestion: String,
        /// All units of the kind.
        units: String,
    },
    /// Its unit is none of this kind's.
    #[error("`{found}` is not a unit of a {kind}")]
    UnknownUnit {
        /// `delay`, `rate`, …
        kind: &'static str,
        /// The unit as written.
        found: String,
        /// The number with a unit that looks alike.
        suggestion: Option<String>,
        /// All units of the kind.
        units: String,
    },
    /// Its unit means different things to different tools.
    #[error("`{found}` is ambiguous: {why}")]
    Ambiguous {
        /// The unit as written.
        found: String,
        /// The two meanings.
        why: &'static str,
        /// How to write either.
        suggestion: String,
    },
    /// It is not a whole number of base units.
    #[error("a {kind} is a whole number of {base}")]
    TooFine {
        /// `delay`, `rate`, …
        kind: &'static str,
        /// The base unit, in the plural.
        base: &'static str,
    },
    /// It exceeds what the type holds.
    #[error("the greatest {kind} is `{most}`")]
    TooLarge {
        /// `delay`, `rate`, …
        kind: &'static str,
        /// The greatest value.
        most: String,
    },
}

impl UnitError {
    /// What to write instead, as a sentence without a full stop.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoUnit { suggestion, units } => {
                Some(format!("write `{suggestion}`; the units are {units}"))
            }
            Self::UnknownUnit { suggestion: Some(suggestion), units, .. } => {
                Some(format!("did you mean `{suggestion}`? The units are {units}"))
            }
            Self::UnknownUnit { units, .. } => Some(format!("the units are {units}")),
            Self::Ambiguous { suggestion, .. } => Some(format!("write {suggestion}")),
            _ => None,
        }
    }
}
