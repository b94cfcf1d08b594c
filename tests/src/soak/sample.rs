//! One look at a lab: what was carried so far, what its daemon holds, how late frames were.

use std::{fmt, time::Duration};

use vmctl::api::status::Status;

use super::proc::Held;
use crate::lab::Lab;

/// What was seen at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Host time since the traffic began.
    pub wall: Duration,
    /// Virtual time of the lab, in seconds.
    pub virtual_seconds: f64,
    /// Frames that guests sent so far.
    pub sent: u64,
    /// Frames that guests were handed so far.
    pub received: u64,
    /// Frames that links dropped so far.
    pub dropped: u64,
    /// Frames under way.
    pub in_flight: u64,
    /// What the daemon holds.
    pub held: Held,
    /// How late frames were so far.
    pub lateness: Buckets,
}

/// A histogram that only grows: how many were at most so late, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets(pub Vec<(f64, u64)>);

impl Sample {
    /// Asks for what `status` does not tell.
    ///
    /// # Panics
    /// When the daemon is gone.
    pub fn take(lab: &Lab, status: &Status, wall: Duration) -> Self {
        let dropped = status.links.iter().flat_map(|link| [&link.forward, &link.backward]);
        let traffic = || status.guests.iter().map(|guest| guest.traffic);
        Self {
            wall,
            virtual_seconds: status.time.virtual_seconds,
            sent: traffic().map(|traffic| traffic.sent_frames).sum(),
            received: traffic().map(|traffic| traffic.received_frames).sum(),
            dropped: dropped.flat_map(|way| way.dropped.values()).sum(),
            in_flight: status.in_flight,
            held: Held::by(lab.daemon_pid()),
            lateness: Buckets::parse(&lab.vmctl(&["metrics"])),
        }
    }
}

impl Buckets {
    /// Of `chronotap_release_lateness_seconds_bucket{lab="x",le="0.000004095"} 7` and so on.
    pub fn parse(metrics: &str) -> Self {
        let wanted = "chronotap_release_lateness_seconds_bucket{";
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(wanted));
        let bucket = |line: &str| {
            let (_, rest) = line.split_once("le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.trim().parse().ok()?))
        };
        Self(lines.filter_map(bucket).collect())
    }

    /// What came between `earlier` and this: the bound that so large a share did not exceed, in
    /// seconds; `None` if nothing came.
    pub fn quantile_since(&self, earlier: &Self, share: f64) -> Option<f64> {
        let before = |bound: f64| {
            let same = earlier.0.iter().find(|(other, _)| *other == bound);
            same.map_or(0, |(_, count)| *count)
        };
        let grown: Vec<_> =
            self.0.iter().map(|&(bound, count)| (bound, count - before(bound))).collect();
        let all = grown.last().map(|(_, count)| *count).filter(|count| *count > 0)?;
        let rank = (share * all as f64).ceil() as u64;
        grown.into_iter().find(|(_, count)| *count >= rank).map(|(bound, _)| bound)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { rss_kib, threads, descriptors } = self.held;
        write!(
            f,
            "{:>6.0} s  virtual {:>7.1} s  sent {:>9}  received {:>9}  dropped {:>7}  in flight {:>4}  \
             RSS {:>6.1} MiB  fds {descriptors}  threads {threads}",
            self.wall.as_secs_f64(),
            self.virtual_seconds,
            self.sent,
            self.received,
            self.dropped,
            self.in_flight,
            rss_kib as f64 / 1024.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_came_between_two_looks() {
        let line = |bound: &str, count: u64| {
            format!(
                "chronotap_release_lateness_seconds_bucket{{lab=\"x\",le=\"{bound}\"}} {count}\n"
            )
        };
        let text = |counts: [u64; 3]| -> String {
            ["0.001", "0.002", "+Inf"].iter().zip(counts).map(|(le, n)| line(le, n)).collect()
        };
        let earlier = Buckets::parse(&text([100, 100, 100]));
        let later = Buckets::parse(&format!("# HELP x\n{}x 5\n", text([150, 199, 200])));
        assert_eq!(later.0.len(), 3);
        assert_eq!(later.quantile_since(&earlier, 0.5), Some(0.001));
        assert_eq!(later.quantile_since(&earlier, 0.99), Some(0.002));
        assert_eq!(later.quantile_since(&earlier, 1.0), Some(f64::INFINITY));
        assert_eq!(later.quantile_since(&Buckets::default(), 0.75), Some(0.001));
        assert_eq!(earlier.quantile_since(&earlier, 0.5), None);
    }
}
