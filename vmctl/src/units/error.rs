//! Why a text is not a quantity, and what would be.

/// The text is not a quantity of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
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
        /// The number with the usual units.
        suggestions: Vec<String>,
        /// What it would be as a fraction of the whole.
        fraction: Option<String>,
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
        suggestions: [String; 2],
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
    #[error("the greatest {kind} is {most}")]
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
            Self::NoUnit { suggestions, fraction } => {
                let fraction = fraction.as_ref();
                let otherwise = fraction.map(|text| format!("; if a fraction was meant, `{text}`"));
                Some(format!("write {}{}", either(suggestions), otherwise.unwrap_or_default()))
            }
            Self::UnknownUnit { suggestion: Some(suggestion), .. } => {
                Some(format!("did you mean `{suggestion}`?"))
            }
            Self::UnknownUnit { units, .. } => Some(format!("the units are {units}")),
            Self::Ambiguous { suggestions, .. } => Some(format!("write {}", either(suggestions))),
            _ => None,
        }
    }
}

fn either(choices: &[String]) -> String {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => String::new(),
    }
}
