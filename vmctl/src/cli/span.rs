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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_as_in_a_topology_file() {
        assert_eq!(parse("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("8760h"), Ok(Duration::from_hours(8760)));
        let wrong = ["10", "10m", "0s", "8761h", "soon"].map(|text| parse(text).expect_err(text));
        insta::assert_snapshot!(wrong.join("\n"));
    }
}
