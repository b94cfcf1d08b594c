//! What a lab says of itself.

use std::time::{Duration, SystemTime};

use chronotap::pacer::StampSource;

use super::Means;
use crate::{
    api,
    daemon::{belongings::Belongings, describe},
    qemu::ExactMachine,
    scenario::Scenario,
};

/// What the lab is; virtual zero is `epoch` as UNIX time.
pub(super) fn about(
    belongings: &Belongings,
    scenario: &Scenario,
    means: &Means,
    (stamps, epoch): (StampSource, Duration),
) -> api::status::Lab {
    api::status::Lab {
        name: scenario.name.to_string(),
        topology: belongings.record.topology.clone(),
        mode: scenario.time.mode().word().into(),
        seed: scenario.seed,
        daemon_pid: belongings.record.daemon.pid,
        version: env!("CARGO_PKG_VERSION").into(),
        accelerator: means.acceleration.accel.to_string(),
        stamp: describe::stamps(stamps).into(),
        metrics: None,
        web: None,
        web_control: false,
        epoch_seconds: epoch.as_secs(),
    }
}

/// What virtual zero is as UNIX time, in whole seconds, since RTCs show no more: what the guests'
/// show then in mode `exact`, and in the others what the host's clock did.
pub(super) fn epoch(scenario: &Scenario, since: Duration) -> Duration {
    if scenario.time.exact().is_some() {
        return ExactMachine::epoch(scenario.seed);
    }
    // A host whose clock is before 1970 has worse to think about.
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Duration::from_secs((now.saturating_sub(since) + Duration::from_millis(500)).as_secs())
}
