//! What all kinds of quantity share: an exact decimal number followed by a unit.

use super::{UnitError, nearest};

/// A kind of quantity and the words it is written in.
pub(super) struct Kind {
    /// `delay`, `rate`, …
    pub name: &'static str,
    /// The base unit in the plural, for messages.
    pub base: &'static str,
    /// A good value.
    pub example: &'static str,
    /// Units to offer for a bare number.
    pub usual: &'static [&'static str],
    /// What a bare 1 is worth to those who write this kind as a fraction.
    pub fraction_of: Option<u64>,
    /// Accepted units, ascending among those of the same use.
    pub units: &'static [Unit],
    /// Units that mean different things to different people.
    pub ambiguous: &'static [Ambiguity],
    /// The greatest value, in base units.
    pub most: u64,
}

/// A unit: its name, its worth in base units, and its use.
pub(super) struct Unit(pub &'static str, pub u64, pub Use);

/// What a unit is used for besides being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Shows values, with a fraction if there is one.
    Shown,
    /// Shows values that are whole in it.
    ShownWhole,
    /// Stands in lists of the units.
    Listed,
    /// Nothing: another spelling.
    Alias,
}

/// A unit that must be asked about.
pub(super) struct Ambiguity {
    /// As written.
    pub unit: &'static str,
    /// The two meanings, in words.
    pub why: &'static str,
    /// Units that say which.
    pub instead: [&'static str; 2],
}

impl Kind {
    /// Reads a quantity, in base units.
    pub fn parse(&self, text: &str) -> Result<u64, UnitError> {
        let (number, unit) = self.split(text.trim())?;
        if unit.is_empty() {
            return Err(self.no_unit(number));
        }
        match self.units.iter().find(|Unit(name, ..)| *name == unit) {
            Some(Unit(_, worth, _)) => self.exact(number, *worth),
            None => Err(self.wrong_unit(number, unit)),
        }
    }

    /// Writes a quantity given in base units: in the largest unit that suits it.
    pub fn display(&self, value: u64) -> String {
        let suits = |unit: &&Unit| match *unit {
            Unit(_, worth, Use::Shown) => *worth <= value,
            Unit(_, worth, Use::ShownWhole) => value != 0 && value.is_multiple_of(*worth),
            _ => false,
        };
        let Unit(name, worth, _) = self.units.iter().rfind(suits).unwrap_or(&self.units[0]);
        let mut fraction = String::new();
        let mut rest = value % worth;
        while rest > 0 {
            // Ten times the rest fits: units that show fractions are worth at most 10^12.
            rest *= 10;
            fraction.push_str(&(rest / worth).to_string());
            rest %= worth;
        }
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}{name}", value / worth)
    }

    /// The units, for messages.
    fn unit_list(&self) -> String {
        let listed = self.units.iter().filter(|Unit(.., used)| *used != Use::Alias);
        let names: Vec<_> = listed.map(|Unit(name, ..)| format!("`{name}`")).collect();
        names.join(", ")
    }

    fn split<'a>(&self, text: &'a str) -> Result<(&'a str, &'a str), UnitError> {
        let Self { name: kind, example, .. } = *self;
        if text.starts_with('-') {
            return Err(UnitError::Negative { kind });
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        if well_formed(number) {
            Ok((number, unit.trim_start()))
        } else {
            Err(UnitError::NoNumber { kind, example })
        }
    }

    fn no_unit(&self, number: &str) -> UnitError {
        let shown = brief(number);
        let suggestions = self.usual.iter().map(|unit| format!("{shown}{unit}")).collect();
        let fraction = self.fraction_of.and_then(|whole| self.exact(number, whole).ok());
        UnitError::NoUnit { suggestions, fraction: fraction.map(|value| self.display(value)) }
    }

    fn wrong_unit(&self, number: &str, unit: &str) -> UnitError {
        let number = brief(number);
        if let Some(case) = self.ambiguous.iter().find(|case| case.unit == unit) {
            return UnitError::Ambiguous {
                found: unit.to_owned(),
                why: case.why,
                suggestions: case.instead.map(|instead| format!("{number}{instead}")),
            };
        }
        let near = nearest(unit, self.units.iter().map(|Unit(name, ..)| *name));
        UnitError::UnknownUnit {
            kind: self.name,
            found: brief(unit).to_owned(),
            suggestion: near.map(|near| format!("{number}{near}")),
            units: self.unit_list(),
        }
    }

    /// `number` × `worth`, if that is a whole number within the limit.
    fn exact(&self, number: &str, worth: u64) -> Result<u64, UnitError> {
        // 10^18 × 2^40 stays far below 2^128.
        const FRACTION_DIGITS: usize = 18;
        // 10^19 passes every limit, whatever the unit.
        const WHOLE_DIGITS: usize = 19;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let too_fine = UnitError::TooFine { kind: self.name, base: self.base };
        if fraction.len() > FRACTION_DIGITS {
            return Err(too_fine);
        }
        let scale = 10_u128.pow(fraction.len() as u32);
        let parts = decimal(fraction) * u128::from(worth);
        if !parts.is_multiple_of(scale) {
            return Err(too_fine);
        }
        let whole = if whole.len() > WHOLE_DIGITS { u64::MAX.into() } else { decimal(whole) };
        let total = whole * u128::from(worth) + parts / scale;
        u64::try_from(total)
            .ok()
            .filter(|&total| total <= self.most)
            .ok_or_else(|| UnitError::TooLarge { kind: self.name, most: self.display(self.most) })
    }
}

/// Digits, at most one point, and digits on both sides of it.
fn well_formed(number: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

/// The value of a few digits; 0 of none.
fn decimal(digits: &str) -> u128 {
    digits.bytes().fold(0, |value, digit| value * 10 + u128::from(digit - b'0'))
}

/// Keeps hostile texts out of messages: the first characters are enough to recognise them.
fn brief(text: &str) -> &str {
    const LONGEST: usize = 32;
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}
