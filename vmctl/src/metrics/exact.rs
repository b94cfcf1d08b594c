//! The part of a scrape that tells of a run in mode `exact`: how far it is, what it costs, and what
//! tells it from another.

use std::fmt;

use chronotap::exact::ExactObservation;
use prometheus_client::encoding::DescriptorEncoder;

use super::{
    encode::{count, counter, gauge, histogram, info},
    scrape::Scrape,
};
use crate::api::status::LabState;

/// Writes the families of a lab in mode `exact`.
pub(super) fn encode(
    encoder: &mut DescriptorEncoder,
    scrape: &Scrape,
    exact: &ExactObservation,
) -> fmt::Result {
    // While frames go by, each scrape would make a series of its own, of no use to anybody.
    if exact.doubt.is_none() && scrape.state == LabState::Paused {
        let help =
            "Hash over every frame that was delivered and when; told while the lab is paused";
        let digest = format!("{:032x}", exact.digest);
        info(encoder, "exact_digest", help, &[("digest", &digest)])?;
    }
    let help = "Frames in the digest";
    count(&mut counter(encoder, "exact_frames", help, None)?, exact.frames)?;
    let help = "Barriers at which all guests stood";
    count(&mut counter(encoder, "exact_barriers", help, None)?, exact.windows)?;
    let help = "Times that a guest ran from one barrier to another";
    count(&mut counter(encoder, "exact_guest_runs", help, None)?, exact.runs)?;
    if let Some(barriers) = &scrape.observation.barriers {
        let help = "Host time from when all guests stood until those with something to do ran on";
        histogram(encoder, "exact_barrier", help, &barriers.cost)?;
    }
    let help = "Whether the run is not exact";
    let doubt = i64::from(exact.doubt.is_some());
    gauge(encoder, "exact_doubt", help, None)?.encode_gauge(&doubt)?;
    let help = "Whether anything came from outside, so that no other run is the same";
    let perturbed = i64::from(scrape.perturbed);
    gauge(encoder, "exact_perturbed", help, None)?.encode_gauge(&perturbed)
}
