//! What a lab answers from: its control socket, its metrics and its page.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use chronotap::datapath;
use tokio::net::{TcpListener, UnixListener};

use super::Orders;
use crate::{
    api::{failure::Failure, status::Lab, targets::TargetGroup, web::Web},
    daemon::{
        belongings::Belongings,
        glance::Glance,
        lab::Lab as Running,
        leash::Announcer,
        routes,
        status::{self, Pace},
    },
    lab::bind_socket,
    metrics::{self, server},
    scenario::Scenario,
    web::{self, Token},
};

/// What the lab will be reached by over TCP.
pub(super) struct Doors {
    metrics: TcpListener,
    /// Where metrics are not on loopback, the page has a listener of its own that is.
    apart: Option<TcpListener>,
    /// Where metrics are.
    address: SocketAddr,
    /// Where the page is.
    pub(super) page: Web,
    token: Option<Token>,
}

impl Doors {
    /// What the lab is, with where it is reached.
    pub(super) fn told(&self, about: Lab) -> Lab {
        let (metrics, web) = (Some(self.address), Some(self.page.address));
        Lab { metrics, web, web_control: self.page.control, ..about }
    }
}

/// Where metrics and the page will be served: as the file says, or next to it.
///
/// # Errors
/// No port is free, or the record cannot be written.
pub(super) async fn open_doors(
    belongings: &mut Belongings,
    scenario: &Scenario,
    orders: &Orders,
    announcer: &Announcer,
) -> Result<Doors, Failure> {
    let wanted = scenario.metrics;
    let failed = |error| {
        Failure::runtime(format!("cannot serve metrics on {wanted}: {error}"))
            .remedy("set another address with `[metrics] listen` in the topology file")
    };
    let metrics = server::listen(wanted).await.map_err(failed)?;
    let address = metrics.local_addr().map_err(failed)?;
    if address != wanted {
        announcer.note(format!("metrics are on {address}: {wanted} is taken"));
    }
    belongings.record.metrics = Some(address);
    belongings.dir.write_record(&belongings.record)?;
    let mode = scenario.time.mode().word();
    belongings.dir.announce(&TargetGroup::new(scenario.name.as_str(), mode, address))?;
    let apart = if address.ip().is_loopback() {
        None
    } else {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        Some(server::listen(local).await.map_err(failed)?)
    };
    let page = apart.as_ref().map_or(Ok(address), TcpListener::local_addr).map_err(failed)?;
    let token = orders.web_control.then(Token::new).transpose();
    let token = token.map_err(|error| Failure::runtime(format!("no key for the page: {error}")))?;
    let page = page_at(page, token.as_ref(), belongings.dir.path())?;
    Ok(Doors { metrics, apart, address, page, token })
}

/// What leads to the page; with a key, also a file that only this user can read.
fn page_at(address: SocketAddr, token: Option<&Token>, dir: &Path) -> Result<Web, Failure> {
    let url = format!("http://{address}/");
    let Some(token) = token else {
        return Ok(Web { address, url, control: false, opener: None });
    };
    let url = format!("{url}#token={}", token.reveal());
    let opener = dir.join("page.html");
    let text = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>chronotap</title>\n\
         <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n"
    );
    let mut file = fs::File::options();
    let file = file.write(true).create_new(true).mode(0o600).open(&opener);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::runtime(format!("cannot write {}: {error}", opener.display())))?;
    Ok(Web { address, url, control: true, opener: Some(opener) })
}

/// Opens the control socket, answers scrapes and shows the page.
///
/// # Errors
/// When there is no socket to be had.
pub(super) fn serve(
    belongings: &mut Belongings,
    lab: &Arc<Running>,
    doors: Doors,
) -> Result<(), Failure> {
    let path = belongings.dir.control_socket();
    let failed = |error| Failure::runtime(format!("cannot listen on {}: {error}", path.display()));
    let socket = bind_socket(&path).map_err(failed)?;
    // The directory is closed to others already; this is for who looks at the socket alone.
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    let socket = UnixListener::from_std(socket).map_err(failed)?;
    let pace = Arc::new(Pace::default());
    belongings.tasks.spawn(routes::serve(socket, lab.clone(), pace.clone()));
    belongings.tasks.spawn(drain_kernel_log(lab.datapath.clone()));
    let scraped = lab.clone();
    let metrics = server::router(Glance::of_text(move || {
        let lab = scraped.clone();
        async move { status::metrics(&lab).await }
    }));
    let page = page(lab, pace, doors.token, doors.page.address);
    match doors.apart {
        None => drop(belongings.tasks.spawn(server::serve(doors.metrics, metrics.merge(page)))),
        Some(apart) => {
            belongings.tasks.spawn(server::serve(doors.metrics, metrics));
            belongings.tasks.spawn(server::serve(apart, page));
        }
    }
    Ok(())
}

/// The page of a lab.
fn page(lab: &Arc<Running>, pace: Arc<Pace>, token: Option<Token>, address: SocketAddr) -> Router {
    let (seen, timed) = (lab.clone(), lab.clone());
    let steering = || routes::steering().with_state(lab.clone());
    let sources = web::Sources {
        status: Glance::new(move || {
            let lab = seen.clone();
            async move { status::status(&lab).await }
        }),
        clock: Glance::new(move || {
            let (lab, pace) = (timed.clone(), pace.clone());
            async move { status::time::clock(&lab, &pace).await }
        }),
        steering: token.map(|token| (steering(), token)),
    };
    web::router(sources, address)
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
