//! One value of the file: strings with units, whole numbers, lists of strings.

use toml::de::{DeInteger, DeValue};

use super::{Diagnostics, Spanned};
use crate::units::{Delay, Frequency, QueueSize, RateLimit, Ratio, Size, UnitError};

/// A type that a value of the file can be read as.
pub(super) trait Value: Sized {
    /// Reads it.
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal>;
}

/// Why a value is not what its key asks for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What is wrong with it.
    pub label: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Refusal {
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), help: None }
    }

    fn with_help(label: impl Into<String>, help: impl Into<String>) -> Self {
        Self { label: label.into(), help: Some(help.into()) }
    }
}

impl From<UnitError> for Refusal {
    fn from(error: UnitError) -> Self {
        Self { help: error.help(), label: error.to_string() }
    }
}

/// A value that vmctl can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice<T> {
    /// `"auto"`: vmctl chooses.
    #[default]
    Auto,
    /// As written.
    Given(T),
}

/// `loss`: which frames are lost on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Each frame by itself, with this probability.
    Random(Ratio),
    /// In bursts: a two-state Markov chain stepped once a frame (Gilbert 1960, Elliott 1963).
    GilbertElliott {
        /// From the good state to the bad.
        p: Ratio,
        /// From the bad state to the good.
        r: Ratio,
        /// Loss in the good state.
        loss_good: Ratio,
        /// Loss in the bad state.
        loss_bad: Ratio,
    },
}

/// `distribution`: what jitter is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// By its word.
    Shape(super::Shape),
    /// Path of a file that lists it.
    Table(String),
}

/// `ethertype`: a word or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

/// `protocol`: a word or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(pub u8);

impl Value for EtherType {
    /// Numbers of the IEEE, from 0x0600: what is less is a length.
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        const NAMES: [(&str, u64); 4] =
            [("arp", 0x0806), ("ipv4", 0x0800), ("ipv6", 0x86dd), ("lldp", 0x88cc)];
        let number = named(value, &NAMES, 0x0600..=0xffff)?;
        Ok(Self(u16::try_from(number).unwrap_or(u16::MAX)))
    }
}

impl Value for Protocol {
    /// Numbers of the IANA.
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        const NAMES: [(&str, u64); 5] =
            [("icmp", 1), ("tcp", 6), ("udp", 17), ("icmpv6", 58), ("sctp", 132)];
        let number = named(value, &NAMES, 0..=0xff)?;
        Ok(Self(u8::try_from(number).unwrap_or(u8::MAX)))
    }
}

/// A word for a number, or the number.
fn named(
    value: &DeValue<'_>,
    names: &[(&str, u64)],
    limits: std::ops::RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    let number = match value {
        DeValue::Integer(integer) => whole(integer).filter(|number| limits.contains(number)),
        DeValue::String(text) => {
            names.iter().find(|(name, _)| name == text).map(|(_, number)| *number)
        }
        _ => None,
    };
    number.ok_or_else(|| {
        let words: Vec<_> = names.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let (least, most) = limits.into_inner();
        Refusal::new(format!("expected {}, or a number from {least} to {most}", words.join(", ")))
    })
}

/// Reads the parameters of a loss model from an inline table, for live changes.
pub(crate) fn parse_bursts(text: &str) -> Result<Loss, Diagnostics> {
    let (value, errors) = DeValue::parse_recoverable(text);
    let mut found = Diagnostics::default();
    super::document::note_syntax(text, &errors, &mut found);
    let table = value.get_ref().as_table().filter(|_| errors.is_empty());
    let loss = table.and_then(|table| super::links::read_bursts(table, value.span(), &mut found));
    loss.filter(|_| found.errors() == 0).ok_or(found)
}

impl<T: Value> Value for Choice<T> {
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        if value.as_str().is_some_and(|text| text.trim() == "auto") {
            return Ok(Self::Auto);
        }
        let given = T::read(value).map(Self::Given);
        given.map_err(|refusal| Refusal {
            help: refusal.help.or(Some("\"auto\" leaves the choice to vmctl".to_owned())),
            ..refusal
        })
    }
}

impl Value for String {
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        match value {
            DeValue::String(text) => Ok(text.clone().into_owned()),
            other => Err(Refusal::new(format!("expected a string, found {}", describe(other)))),
        }
    }
}

impl Value for u64 {
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        match value {
            DeValue::Integer(integer) => whole(integer).ok_or_else(|| {
                Refusal::new(format!("expected a whole number from 0 to {}", u64::MAX))
            }),
            DeValue::String(text) if text.parse::<u64>().is_ok() => {
                Err(Refusal::with_help("expected a number, found a string", "leave out the quotes"))
            }
            other => {
                Err(Refusal::new(format!("expected a whole number, found {}", describe(other))))
            }
        }
    }
}

fn whole(integer: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

impl Value for Vec<String> {
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        let strings = value.as_array().and_then(|array| array.iter().map(string).collect());
        strings.ok_or_else(|| {
            let label = match value {
                DeValue::Array(_) => "expected strings only".to_owned(),
                other => format!("expected an array of strings, found {}", describe(other)),
            };
            Refusal::with_help(label, "write `[\"sh\", \"-c\", \"…\"]` for a shell's command line")
        })
    }
}

fn string(value: &toml::Spanned<DeValue<'_>>) -> Option<String> {
    value.get_ref().as_str().map(str::to_owned)
}

impl Value for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        value.as_bool().ok_or_else(|| {
            Refusal::new(format!("expected `true` or `false`, found {}", describe(value)))
        })
    }
}

macro_rules! in_units {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
                quantity(value)
            }
        }
    )*};
}

in_units!(Delay, Frequency, RateLimit, Size, Ratio, QueueSize);

/// A quantity is a string. A bare number is read as one without a unit, so that the same message
/// says what to write.
fn quantity<T: std::str::FromStr<Err = UnitError>>(value: &DeValue<'_>) -> Result<T, Refusal> {
    match value {
        DeValue::String(text) => Ok(text.parse()?),
        DeValue::Integer(number) if number.radix() == 10 => bare(number.as_str()),
        DeValue::Float(number) => bare(number.as_str()),
        other => {
            Err(Refusal::new(format!("expected a string with a unit, found {}", describe(other))))
        }
    }
}

fn bare<T: std::str::FromStr<Err = UnitError>>(number: &str) -> Result<T, Refusal> {
    match number.parse::<T>() {
        Err(error) => Err(quoted(error).into()),
        // No quantity is valid without a unit.
        Ok(_) => Err(Refusal::new("expected a string with a unit")),
    }
}

/// A value written without quotes needs them as well as the unit.
fn quoted(error: UnitError) -> UnitError {
    match error {
        UnitError::NoUnit { suggestions, fraction } => UnitError::NoUnit {
            suggestions: suggestions.iter().map(|text| format!("\"{text}\"")).collect(),
            fraction: fraction.map(|text| format!("\"{text}\"")),
        },
        other => other,
    }
}

/// The type of a value, with its article.
pub(super) fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A value with its place.
pub(super) fn spanned<T>(value: &toml::Spanned<DeValue<'_>>, read: T) -> Spanned<T> {
    Spanned::new(value.span(), read)
}
