//! Transfers by iperf3, as the guest saw them that received. Pure but for [`Trial::transfer`].

use serde_json::Value;

use super::trial::{Result, Trial};

/// How much came, while neither a beginning nor an end was in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goodput {
    /// Payload, in bit/s.
    pub bit_per_s: f64,
    /// Intervals that it was measured in, of about a second.
    pub intervals: usize,
}

/// Seconds at the beginning that do not count: queues fill up, TCP looks for its rate.
const BEGINNING: usize = 2;

impl Trial {
    /// Lets alice send to bob, or with `-R` bob to alice, with these arguments on top.
    ///
    /// # Errors
    /// When iperf3 fails, or nothing came.
    pub fn transfer(&self, arguments: &str) -> Result<Goodput> {
        let server = "iperf3 -s -1 -J >/tmp/iperf </dev/null 2>&1 & sleep 0.5";
        self.sh("bob", server)?;
        let client = self.sh("alice", &format!("iperf3 -c bob -J {arguments}"))?;
        let receives = if arguments.contains("-R") {
            client
        } else {
            self.sh("bob", "while pidof iperf3 >/dev/null; do sleep 0.1; done; cat /tmp/iperf")?
        };
        Goodput::of(&receives)
    }
}

impl Goodput {
    /// Of iperf3's JSON.
    fn of(report: &str) -> Result<Self> {
        let parsed: Value =
            serde_json::from_str(report).map_err(|error| format!("iperf3: {error}"))?;
        if let Some(why) = parsed["error"].as_str() {
            return Err(format!("iperf3: {why}"));
        }
        let intervals = parsed["intervals"].as_array().map(Vec::as_slice).unwrap_or_default();
        let number = |interval: &Value, key: &str| interval["sum"][key].as_f64().unwrap_or(0.0);
        let last = intervals.len().saturating_sub(1);
        let steady = intervals.get(BEGINNING..last).unwrap_or_default();
        let sum = |key| steady.iter().map(|interval| number(interval, key)).sum::<f64>();
        let (bytes, seconds) = (sum("bytes"), sum("seconds"));
        if seconds <= 0.0 {
            return Err(format!("iperf3 measured {} intervals only", intervals.len()));
        }
        Ok(Self { bit_per_s: bytes * 8.0 / seconds, intervals: steady.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_do_not_count() {
        let interval = |bytes: u32| format!(r#"{{"sum": {{"bytes": {bytes}, "seconds": 1.0}}}}"#);
        let report = |bytes: &[u32]| {
            let intervals: Vec<_> = bytes.iter().map(|bytes| interval(*bytes)).collect();
            format!(r#"{{"intervals": [{}]}}"#, intervals.join(","))
        };
        let goodput = Goodput::of(&report(&[9, 9, 100, 200, 9])).expect("measured");
        assert_eq!(goodput, Goodput { bit_per_s: 1200.0, intervals: 2 });
        assert!(Goodput::of(&report(&[9, 9, 9])).is_err());
        assert!(
            Goodput::of(r#"{"error": "unable to connect"}"#)
                .is_err_and(|why| why.contains("connect"))
        );
        assert!(Goodput::of("").is_err());
    }
}
