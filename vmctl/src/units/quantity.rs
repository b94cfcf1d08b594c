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
    /// The unit to suggest for a bare number.
    pub usual: &'static str,
    /// Accepted units and their worth in base units. The first few, ascending, are those that
    /// values are displayed in.
    pub units: &'static [(&'static str, u64)],
    /// How many of `units` are used for display.
    pub displayed: usize,
    /// Units that mean different things to different people: unit, why, and a unit for each meaning.
    pub ambiguous: &'static [Ambiguity],
    /// The greatest value, in base units.
    pub most: u64,
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
        let worth = self.units.iter().find(|(name, _)| *name == unit).map(|&(_, worth)| worth);
        self.exact(number, worth.ok_or_else(|| self.wrong_unit(number, unit))?)
    }

    /// Writes a quantity given in base units: in the largest unit that is not greater than it.
    pub fn display(&self, value: u64) -> String {
        let units = &self.units[..self.displayed];
        let (name, worth) =
            units.iter().rev().find(|(_, worth)| *worth <= value).unwrap_or(&units[0]);
        let mut fraction = String::new();
        let mut rest = value % worth;
        while rest > 0 {
            // 10 × rest may pass 2⁶⁴ for the largest units.
            let tenfold = u128::from(rest) * 10;
            fraction.push_str(&(tenfold / u128::from(*worth)).to_string());
            rest = (tenfold % u128::from(*worth)) as u64;
        }
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{}{point}{fraction}{name}", value / worth)
    }

    /// Every accepted unit, for messages.
    fn unit_list(&self) -> String {
        let names: Vec<_> = self.units.iter().map(|(name, _)| format!("`{name}`")).collect();
        names.join(", ")
    }

    fn split<'a>(&self, text: &'a str) -> Result<(&'a str, &'a str), UnitError> {
        let Self { name: kind, example, .. } = *self;
        if text.is_empty() {
            return Err(UnitError::Empty { kind, example });
        }
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
        UnitError::NoUnit {
            suggestion: format!("{}{}", brief(number), self.usual),
            units: self.unit_list(),
        }
    }

    fn wrong_unit(&self, number: &str, unit: &str) -> UnitError {
        let number = brief(number);
        if let Some(case) = self.ambiguous.iter().find(|case| case.unit == unit) {
            let [a, b] = case.instead;
            return UnitError::Ambiguous {
                found: unit.to_owned(),
                why: case.why,
                suggestion: format!("`{number}{a}` or `{number}{b}`"),
            };
        }
        let near = nearest(unit, self.units.iter().map(|(name, _)| *name));
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
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let too_fine = UnitError::TooFine { kind: self.name, base: self.base };
        if fraction.len() > FRACTION_DIGITS {
            return Err(too_fine);
        }
        let scale = 10_u128.pow(fraction.len() as u32);
        let parts = decimal(fraction) * u128::from(worth);
        if parts % scale != 0 {
            return Err(too_fine);
        }
        // Nineteen digits fit in 64 bits; with more, the value exceeds any limit anyway.
        let whole = if whole.len() > 19 { u128::from(u64::MAX) } else { decimal(whole) };
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

/// The value of at most 19 digits; 0 of none.
fn decimal(digits: &str) -> u128 {
    digits.bytes().fold(0, |value, digit| value * 10 + u128::from(digit - b'0'))
}

/// Keeps hostile texts out of messages: the first characters are enough to recognise them.
fn brief(text: &str) -> &str {
    const LONGEST: usize = 32;
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}
