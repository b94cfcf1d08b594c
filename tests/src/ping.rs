//! Reading what `ping` prints.

/// The closing lines of iputils' `ping`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ping {
    /// Requests that left.
    pub transmitted: u64,
    /// Replies that came back.
    pub received: u64,
    /// Least round-trip time in milliseconds; absent when nothing came back.
    pub min_ms: Option<f64>,
    /// Greatest round-trip time in milliseconds; absent as the least.
    pub max_ms: Option<f64>,
}

impl Ping {
    /// Parses the statistics at the end of `output`; panics, with the output, when there are none.
    pub fn parse(output: &str) -> Self {
        let counts = line_with(output, " packets transmitted, ");
        let mut numbers = counts.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
        let mut next = || numbers.next().and_then(|n| n.parse().ok());
        let (transmitted, received) = (next(), next());
        let rtt = output.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "));
        let time = |nth: usize| rtt.and_then(|times| times.split('/').nth(nth)?.parse().ok());
        Self {
            transmitted: transmitted.expect("a count of requests"),
            received: received.expect("a count of replies"),
            min_ms: time(0),
            max_ms: time(2),
        }
    }

    /// The least round-trip time; panics when nothing came back.
    pub fn min_ms(&self) -> f64 {
        self.min_ms.expect("at least one reply")
    }

    /// The greatest round-trip time; panics when nothing came back.
    pub fn max_ms(&self) -> f64 {
        self.max_ms.expect("at least one reply")
    }
}

fn line_with<'a>(output: &'a str, part: &str) -> &'a str {
    let line = output.lines().find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("no line with `{part}` in: {output}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read() {
        let output = "--- bob ping statistics ---\n\
            3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms\n\
            rtt min/avg/max/mdev = 20.512/20.900/21.400/0.300 ms\n";
        let (min_ms, max_ms) = (Some(20.512), Some(21.4));
        let expected = Ping { transmitted: 3, received: 2, min_ms, max_ms };
        assert_eq!(Ping::parse(output), expected);
    }

    #[test]
    fn nothing_came_back() {
        let output = "2 packets transmitted, 0 received, 100% packet loss, time 1003ms\n";
        let expected = Ping { transmitted: 2, received: 0, min_ms: None, max_ms: None };
        assert_eq!(Ping::parse(output), expected);
    }
}
