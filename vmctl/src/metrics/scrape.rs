//! One scrape: a copy of all counts, rendered as OpenMetrics.
//!
//! Frames are counted at their port as `ingress` (the guest sent them) and `egress` (the guest was
//! to receive them); link directions are `forward` and `backward` as the link's name has its ends.

use std::{fmt, sync::Arc, time::Duration};

use chronotap::{
    histogram::Histogram,
    observation::{Observation, PortObservation},
    sim::{DropReason, Drops, SwitchCounters},
    synchronizer::Windows,
};
use chronotap_common::counter::PortCounters;
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeLabelSet, MetricEncoder, NoLabelSet, text,
    },
    metrics::{MetricType, exemplar::Exemplar},
    registry::{Registry, Unit},
};

use super::{exact, windows};

/// Reasons for which a port drops what its guest sends.
const AT_INGRESS: [DropReason; 4] =
    [DropReason::NoBuffer, DropReason::Oversize, DropReason::Malformed, DropReason::NotConnected];

/// Reasons for which a port drops what its guest is to receive.
const AT_EGRESS: [DropReason; 4] =
    [DropReason::NoBuffer, DropReason::Oversize, DropReason::TapQueueFull, DropReason::GuestGone];

/// Reasons for which a link direction drops frames.
pub const ON_LINKS: [DropReason; 5] = [
    DropReason::QueueFull,
    DropReason::Loss,
    DropReason::LinkDown,
    DropReason::NoBuffer,
    DropReason::Fault,
];

/// Reasons for which a switch drops frames.
const IN_SWITCHES: [DropReason; 3] =
    [DropReason::Filtered, DropReason::NoOtherPort, DropReason::NoBuffer];

/// Drops by reason: always those that are usual in this place, zeros included, so that rates can be
/// computed from the start; others only when there are any.
pub fn told(drops: &Drops, usual: &[DropReason]) -> impl Iterator<Item = (DropReason, u64)> {
    drops.iter().filter(|(reason, count)| *count > 0 || usual.contains(reason))
}

/// What the numbers belong to, in the order of the plan.
#[derive(Debug)]
pub struct Names {
    /// The lab.
    pub lab: String,
    /// Every guest.
    pub guests: Vec<String>,
    /// Every port as `guest:interface`.
    pub ports: Vec<String>,
    /// Every link.
    pub links: Vec<String>,
    /// Every switch.
    pub switches: Vec<String>,
}

/// All that one scrape tells.
#[derive(Debug)]
pub struct Scrape {
    /// What the numbers belong to.
    pub names: Arc<Names>,
    /// The data plane's counts.
    pub observation: Observation,
    /// The kernel's counts, by port.
    pub kernel: Vec<PortCounters>,
    /// Pauses that a user asked for.
    pub user_pauses: u64,
    /// Pauses because the host fell behind.
    pub overload_pauses: u64,
    /// Virtual time so far.
    pub virtual_time: Duration,
    /// Host time since virtual time began.
    pub wall_time: Duration,
    /// What windows were like, where the lab runs in windows.
    pub windows: Option<Windows>,
    /// Whether anything came to the guests from outside.
    pub perturbed: bool,
}

impl Scrape {
    /// The text of the answer.
    ///
    /// # Errors
    /// Never in practice: a `String` takes all text.
    pub fn render(self) -> Result<String, fmt::Error> {
        let lab = ("lab".into(), self.names.lab.clone().into());
        let mut registry = Registry::with_prefix_and_labels("chronotap", [lab].into_iter());
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.build(&mut encoder)?;
        self.ports(&mut encoder)?;
        self.kernel(&mut encoder)?;
        self.links(&mut encoder)?;
        self.switches(&mut encoder)?;
        self.lateness(&mut encoder)?;
        self.time(&mut encoder)?;
        if let Some(exact) = &self.observation.exact {
            exact::encode(&mut encoder, exact, self.perturbed)?;
        }
        self.windows
            .as_ref()
            .map_or(Ok(()), |windows| windows::encode(&mut encoder, windows, &self.names.guests))
    }
}

/// Every family fails only as its writer does.
impl Scrape {
    fn build(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        encoder
            .encode_descriptor("build", "What serves these metrics", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn ports(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Frames that guests sent (ingress) and that were handed to guests (egress)";
        self.both_ways(encoder, "frames", help, |port| [port.received, port.transmitted])?;
        let help = "Octets of frames that entered the network and that left it";
        let bytes = |port: &PortObservation| [port.received_bytes, port.handed_bytes];
        self.both_ways(encoder, "bytes", help, bytes)?;
        let help = "Frames dropped at a port";
        let mut family = counter(encoder, "port_drops", help, None)?;
        for (name, port) in self.named_ports() {
            let ways =
                [("ingress", &port.ingress, &AT_INGRESS[..]), ("egress", &port.egress, &AT_EGRESS)];
            for (direction, drops, usual) in ways {
                reasons(&mut family, [("port", name), ("direction", direction)], drops, usual)?;
            }
        }
        Ok(())
    }

    fn both_ways(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        of: impl Fn(&PortObservation) -> [u64; 2],
    ) -> fmt::Result {
        let mut family = counter(encoder, name, help, None)?;
        for (name, port) in self.named_ports() {
            for (direction, value) in ["ingress", "egress"].into_iter().zip(of(port)) {
                put(&mut family, &[("port", name), ("direction", direction)], value)?;
            }
        }
        Ok(())
    }

    fn kernel(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let ports = || self.names.ports.iter().zip(&self.kernel);
        let help = "Frames of the host's own stack that were kept from guests";
        let mut family = counter(encoder, "foreign_frames", help, None)?;
        for (name, kernel) in ports() {
            put(&mut family, &[("port", name.as_str())], kernel.foreign)?;
        }
        let help = "Frames that the kernel dropped before the scheduler saw them";
        let mut family = counter(encoder, "kernel_drops", help, None)?;
        for ((name, kernel), port) in ports().zip(&self.observation.ports) {
            let reasons = [
                ("runt", kernel.runt),
                ("unmarked", kernel.unmarked),
                ("no_socket", kernel.no_socket),
                ("missed", port.missed),
            ];
            for (reason, value) in reasons {
                put(&mut family, &[("port", name.as_str()), ("reason", reason)], value)?;
            }
        }
        Ok(())
    }

    fn links(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let mut family = counter(encoder, "link_frames", "Frames put on a link direction", None)?;
        for (labels, way) in self.named_ways() {
            put(&mut family, &labels, way.counters.sent)?;
        }
        let mut family = counter(encoder, "drops", "Frames dropped by a link direction", None)?;
        for (labels, way) in self.named_ways() {
            reasons(&mut family, labels, &way.counters.dropped, &ON_LINKS)?;
        }
        let help = "Frames between their sender and their receiver";
        gauge(encoder, "in_flight_frames", help, None)?.encode_gauge(&self.observation.in_flight)
    }

    fn switches(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let switches = || self.names.switches.iter().zip(&self.observation.switches);
        let mut family = counter(encoder, "switch_frames", "Frames that reached a switch", None)?;
        for (name, SwitchCounters { received, .. }) in switches() {
            put(&mut family, &[("switch", name.as_str())], *received)?;
        }
        let mut family = counter(encoder, "switch_drops", "Frames dropped by a switch", None)?;
        for (name, switch) in switches() {
            reasons(&mut family, [("switch", name.as_str())], &switch.dropped, &IN_SWITCHES)?;
        }
        Ok(())
    }

    fn lateness(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Time from a frame's due instant to its release";
        histogram(encoder, "release_lateness", help, &self.observation.lateness)
    }

    fn time(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let mut family = counter(encoder, "pauses", "Pauses of all guests", None)?;
        put(&mut family, &[("reason", "user")], self.user_pauses)?;
        put(&mut family, &[("reason", "overload")], self.overload_pauses)?;
        let help = "Time that passed for the network and the guests";
        let seconds = Some(&Unit::Seconds);
        plain(&mut counter(encoder, "virtual", help, seconds)?, self.virtual_time.as_secs_f64())?;
        let help = "Time that passed on the host since virtual time began";
        plain(&mut counter(encoder, "wall", help, seconds)?, self.wall_time.as_secs_f64())
    }

    fn named_ports(&self) -> impl Iterator<Item = (&str, &PortObservation)> {
        self.names.ports.iter().map(String::as_str).zip(&self.observation.ports)
    }

    fn named_ways(
        &self,
    ) -> impl Iterator<Item = ([(&str, &str); 2], &chronotap::observation::DirectionObservation)>
    {
        let links = self.names.links.iter().flat_map(|link| {
            ["forward", "backward"].map(|way| [("link", link.as_str()), ("direction", way)])
        });
        links.zip(&self.observation.directions)
    }
}

pub(super) fn counter<'a>(
    encoder: &'a mut DescriptorEncoder,
    name: &'a str,
    help: &str,
    unit: Option<&'a Unit>,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Counter)
}

pub(super) fn gauge<'a>(
    encoder: &'a mut DescriptorEncoder,
    name: &'a str,
    help: &str,
    unit: Option<&'a Unit>,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)
}

fn put(family: &mut MetricEncoder, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    plain(&mut family.encode_family(labels)?, value)
}

pub(super) fn plain(metric: &mut MetricEncoder, value: impl EncodeCounterValue) -> fmt::Result {
    metric.encode_counter(&value, None::<&Exemplar<NoLabelSet, f64>>)
}

fn reasons<const N: usize>(
    family: &mut MetricEncoder,
    labels: [(&str, &str); N],
    drops: &Drops,
    usual: &[DropReason],
) -> fmt::Result {
    for (reason, count) in told(drops, usual) {
        let labels: Vec<_> = labels.into_iter().chain([("reason", reason.name())]).collect();
        put(family, &labels, count)?;
    }
    Ok(())
}

/// Spans of time.
pub(super) fn histogram(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    spans: &Histogram,
) -> fmt::Result {
    let seconds = Some(&Unit::Seconds);
    let mut metric = encoder.encode_descriptor(name, help, seconds, MetricType::Histogram)?;
    let buckets = buckets(spans.cumulative());
    metric.encode_histogram::<NoLabelSet>(spans.sum().as_secs_f64(), spans.count(), &buckets, None)
}

/// One bucket per power of two from about 1 µs to about 1 s, out of the finer histogram; counts are
/// per bucket, as the encoder wants them.
fn buckets(cumulative: impl Iterator<Item = (Duration, u64)>) -> Vec<(f64, u64)> {
    const FROM: Duration = Duration::from_nanos(1 << 10);
    const TO: Duration = Duration::from_nanos(1 << 30);
    let one = Duration::from_nanos(1);
    let (mut buckets, mut before, mut all) = (Vec::new(), 0, 0);
    for (bound, count) in cumulative {
        all = count;
        let edge = bound + one;
        if edge.as_nanos().is_power_of_two() && (FROM..=TO).contains(&edge) {
            buckets.push((bound.as_secs_f64(), count - before));
            before = count;
        }
    }
    buckets.push((f64::INFINITY, all - before));
    buckets
}

#[cfg(test)]
mod tests {
    use chronotap::{
        exact::ExactObservation, observation::DirectionObservation, sim::SwitchCounters,
    };

    use super::*;

    fn scrape() -> Scrape {
        let names = Names {
            lab: "pair".into(),
            guests: vec!["alice".into(), "bob".into()],
            ports: vec!["alice:eth0".into()],
            links: vec!["alice:eth0-hub:p1".into()],
            switches: vec!["hub".into()],
        };
        let mut observation = Observation::default();
        observation.ports.push(PortObservation { received: 3, ..PortObservation::default() });
        observation.directions = vec![DirectionObservation::default(); 2];
        observation.directions[1].counters.dropped.count(DropReason::Loss);
        observation.switches.push(SwitchCounters { received: 2, ..SwitchCounters::default() });
        observation.lateness.record(Duration::from_micros(3));
        Scrape {
            names: Arc::new(names),
            observation,
            kernel: vec![PortCounters { foreign: 5, ..PortCounters::default() }],
            user_pauses: 1,
            overload_pauses: 0,
            virtual_time: Duration::from_millis(1500),
            wall_time: Duration::from_secs(2),
            windows: None,
            perturbed: false,
        }
    }

    #[test]
    fn a_scrape_reads_like_this() {
        let text = scrape().render().expect("renders");
        let lines = text.lines().filter(|line| !line.ends_with(" 0"));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn a_run_in_mode_exact_comes_on_top() {
        let without = scrape().render().expect("renders");
        let mut scrape = Scrape { perturbed: true, ..scrape() };
        let (frames, windows, runs) = (7, 20, 30);
        let exact = ExactObservation { digest: 0xabc, frames, windows, runs, doubt: None };
        scrape.observation.exact = Some(exact);
        let with = scrape.render().expect("renders");
        let own = with.lines().filter(|line| !without.contains(line) && !line.starts_with('#'));
        insta::assert_snapshot!(own.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn windows_come_on_top() {
        let without = scrape().render().expect("renders");
        let windows = windows::tests::two_windows();
        let with = Scrape { windows: Some(windows), ..scrape() }.render().expect("renders");
        let own = with.lines().filter(|line| !without.contains(line));
        // Histograms have the buckets of all others.
        let short = own.filter(|line| !line.contains("_bucket{") || line.contains("+Inf"));
        insta::assert_snapshot!(short.collect::<Vec<_>>().join("\n"));
    }
}
