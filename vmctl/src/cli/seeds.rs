//! Ranges of seeds as they are typed.

use std::{fmt, ops::RangeInclusive, str::FromStr};

/// `1..20` or `1..=20`: both ends belong to it, as nobody who explores means 19 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(pub RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a range of seeds, as in 1..20 (both are included)");
        let (first, last) = text.split_once("..").ok_or_else(wrong)?;
        let last = last.strip_prefix('=').unwrap_or(last);
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("`{text}` has no seed in it: {first} is greater than {last}"));
        }
        Ok(Self(first..=last))
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start(), self.0.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        for text in ["3..5", "3..=5", "3 .. 5"] {
            assert_eq!(text.parse(), Ok(Seeds(3..=5)), "{text}");
        }
        assert_eq!("7..7".parse::<Seeds>().map(|seeds| seeds.to_string()), Ok("7..7".into()));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "5", "5..", "..5", "5..3", "a..b", "-1..3", "1...3"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }
}
