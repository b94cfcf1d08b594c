//! The part of a scrape that tells of a run in mode `exact`: how far it is, and what tells it from
//! another.

use std::fmt;

use chronotap::exact::ExactObservation;
use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};

use super::scrape::{counter, gauge, plain};

/// Writes the families of a lab in mode `exact`; `perturbed` says whether anything came from outside.
pub(super) fn encode(
    encoder: &mut DescriptorEncoder,
    exact: &ExactObservation,
    perturbed: bool,
) -> fmt::Result {
    if exact.doubt.is_none() {
        let help = "Hash over every frame that was delivered and when";
        let digest = format!("{:032x}", exact.digest);
        encoder
            .encode_descriptor("exact_run", help, None, MetricType::Info)?
            .encode_info(&[("digest", digest.as_str())])?;
    }
    let help = "Frames in the digest";
    plain(&mut counter(encoder, "exact_frames", help, None)?, exact.frames)?;
    let help = "Barriers at which all guests stood";
    plain(&mut counter(encoder, "exact_barriers", help, None)?, exact.windows)?;
    let help = "Times that a guest ran from one barrier to another";
    plain(&mut counter(encoder, "exact_guest_runs", help, None)?, exact.runs)?;
    let help = "Whether the run is not exact";
    let doubt = i64::from(exact.doubt.is_some());
    gauge(encoder, "exact_doubt", help, None)?.encode_gauge(&doubt)?;
    let help = "Whether anything came from outside, so that no other run is the same";
    gauge(encoder, "exact_perturbed", help, None)?.encode_gauge(&i64::from(perturbed))
}
