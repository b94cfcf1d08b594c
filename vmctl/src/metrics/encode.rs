//! How families of metrics are written, whatever they tell of.

use std::{fmt, time::Duration};

use chronotap::{
    histogram::Histogram,
    sim::{DropReason, Drops},
};
use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
        NoLabelSet,
    },
    metrics::{MetricType, exemplar::Exemplar},
    registry::Unit,
};

/// Seconds, virtual or the host's as the help says.
pub(super) const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

/// Octets.
pub(super) const BYTES: Option<&Unit> = Some(&Unit::Bytes);

/// A label and its value.
pub(super) type Label<'a> = (&'a str, &'a str);

/// Drops by reason: always those that are usual in this place, zeros included, so that rates can be
/// computed from the start; others only when there are any.
pub fn told(drops: &Drops, usual: &[DropReason]) -> impl Iterator<Item = (DropReason, u64)> {
    drops.iter().filter(|(reason, count)| *count > 0 || usual.contains(reason))
}

/// Begins a family of counters, or a single one.
pub(super) fn counter<'a>(
    encoder: &'a mut DescriptorEncoder,
    name: &'a str,
    help: &str,
    unit: Option<&'a Unit>,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Counter)
}

/// Begins a family of gauges, or a single one.
pub(super) fn gauge<'a>(
    encoder: &'a mut DescriptorEncoder,
    name: &'a str,
    help: &str,
    unit: Option<&'a Unit>,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)
}

/// Writes what is known once and for all, or for long.
pub(super) fn info(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    labels: &[Label],
) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&labels)
}

/// Writes the count of a counter that is begun.
pub(super) fn count(metric: &mut MetricEncoder, value: impl EncodeCounterValue) -> fmt::Result {
    metric.encode_counter(&value, None::<&Exemplar<NoLabelSet, f64>>)
}

/// Adds a counter to a family.
pub(super) fn put(
    family: &mut MetricEncoder,
    labels: &impl EncodeLabelSet,
    value: impl EncodeCounterValue,
) -> fmt::Result {
    count(&mut family.encode_family(labels)?, value)
}

/// Adds a gauge to a family.
pub(super) fn show(
    family: &mut MetricEncoder,
    labels: &impl EncodeLabelSet,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    family.encode_family(labels)?.encode_gauge(&value)
}

/// Adds one of several states to a family: 1 for the one that holds, 0 for the others.
pub(super) fn states<const N: usize>(
    family: &mut MetricEncoder,
    of: &[Label],
    all: [&str; N],
    present: &str,
) -> fmt::Result {
    for state in all {
        let labels: Vec<_> = of.iter().copied().chain([("state", state)]).collect();
        show(family, &labels, i64::from(state == present))?;
    }
    Ok(())
}

/// Adds drops by reason to a family.
pub(super) fn reasons(
    family: &mut MetricEncoder,
    of: &[Label],
    drops: &Drops,
    usual: &[DropReason],
) -> fmt::Result {
    for (reason, count) in told(drops, usual) {
        let labels: Vec<_> = of.iter().copied().chain([("reason", reason.name())]).collect();
        put(family, &labels, count)?;
    }
    Ok(())
}

/// Writes spans of time.
pub(super) fn histogram(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    spans: &Histogram,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, SECONDS, MetricType::Histogram)?;
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
