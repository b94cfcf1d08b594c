//! Spans of virtual time as they are typed: in the notation of the topology file.

use std::time::Duration;

use crate::{api::time::Advance, units::Delay};

/// `10ms`, `250us`, `1.5s`; from 1 ns to a year.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let delay: Delay =
        text.parse().map_err(|error: crate::units::UnitError| match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        })?;
    Advance { virtual_ns: delay.as_nanos() }.span().map_err(|failure| failure.message)
}

/// How often something is done, in seconds: `2`, `0.5`; from a tenth of a second to an hour.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| (0.1..=3600.0).contains(seconds));
    let seconds = seconds.ok_or("a number of seconds from 0.1 to 3600 would be right, as in 2")?;
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_bounds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("3600"), Ok(Duration::from_hours(1)));
        for wrong in ["0", "-1", "3601", "NaN", "inf", "2s", ""] {
            assert!(seconds(wrong).is_err_and(|why| why.contains("0.1 to 3600")), "{wrong}");
        }
    }

    #[test]
    fn spans_are_written_as_in_a_topology_file() {
        assert_eq!(parse("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("8760h"), Ok(Duration::from_hours(8760)));
        let wrong = ["10", "10m", "0s", "8761h", "soon"].map(|text| parse(text).expect_err(text));
        insta::assert_snapshot!(wrong.join("\n"));
    }
}
