//! What a lab answers from: its control socket and its metrics.

use std::{fs, sync::Arc, time::Duration};

use chronotap::datapath;
use tokio::net::UnixListener;

use crate::{
    api::{failure::Failure, targets::TargetGroup},
    daemon::{belongings::Belongings, lab::Lab, leash::Announcer, routes, status},
    lab::bind_socket,
    metrics,
    scenario::Scenario,
};

/// Where metrics will be served: as the file says, or next to it.
///
/// # Errors
/// No port is free, or the record cannot be written.
pub(super) async fn metrics_listener(
    belongings: &mut Belongings,
    scenario: &Scenario,
    announcer: &Announcer,
) -> Result<tokio::net::TcpListener, Failure> {
    let wanted = scenario.metrics;
    let failed = |error| {
        Failure::runtime(format!("cannot serve metrics on {wanted}: {error}"))
            .remedy("set another address with `[metrics] listen` in the topology file")
    };
    let listener = metrics::server::listen(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    if address != wanted {
        announcer.note(format!("metrics are on {address}: {wanted} is taken"));
    }
    belongings.record.metrics = Some(address);
    belongings.dir.write_record(&belongings.record)?;
    let mode = scenario.time.mode().word();
    belongings.dir.announce(&TargetGroup::new(scenario.name.as_str(), mode, address))?;
    Ok(listener)
}

/// Opens the control socket and answers scrapes.
///
/// # Errors
/// When there is no socket to be had.
pub(super) fn serve(
    belongings: &mut Belongings,
    lab: &Arc<Lab>,
    metrics: tokio::net::TcpListener,
) -> Result<(), Failure> {
    let path = belongings.dir.control_socket();
    let failed = |error| Failure::runtime(format!("cannot listen on {}: {error}", path.display()));
    let socket = bind_socket(&path).map_err(failed)?;
    // The directory is closed to others already; this is for who looks at the socket alone.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    let socket = UnixListener::from_std(socket).map_err(failed)?;
    belongings.tasks.spawn(routes::serve(socket, lab.clone()));
    belongings.tasks.spawn(drain_kernel_log(lab.datapath.clone()));
    let scraped = lab.clone();
    let render: metrics::server::Render = Arc::new(move || {
        let lab = scraped.clone();
        Box::pin(async move { status::metrics(&lab).await.map_err(|failure| failure.message) })
    });
    belongings.tasks.spawn(metrics::server::serve(metrics, render));
    Ok(())
}

/// Moves what the programs in the kernel have to say into the daemon's log. They are rate-limited,
/// so their buffer holds much more than comes in between.
async fn drain_kernel_log(plane: datapath::Datapath) {
    const EVERY: Duration = Duration::from_secs(2);
    loop {
        tokio::time::sleep(EVERY).await;
        plane.drain_kernel_log();
    }
}

/// What metrics belong to.
pub(super) fn names(scenario: &Scenario) -> metrics::Names {
    metrics::Names {
        lab: scenario.name.to_string(),
        guests: scenario.guests.iter().map(|guest| guest.name.to_string()).collect(),
        ports: super::tap_settings(scenario).map(|tap| tap.alias).collect(),
        links: scenario.links.iter().map(|link| link.label.clone()).collect(),
        switches: scenario.switches.iter().map(|switch| switch.name.to_string()).collect(),
    }
}
