//! `vmctl ps`: every lab of this user.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    api::{failure::Failure, status::Listed},
    cli::Format,
    client::Client,
    lab::{self, Labs},
    output::{self, labs},
};

/// How long a daemon may take to say how it is before it counts as hung.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Lists the labs.
pub async fn run(format: Format) -> Result<(), Failure> {
    let place = Labs::of_this_user()?;
    let listed = place.list()?;
    let described = join_all(listed.iter().map(|lab| describe(&place, lab))).await;
    output::print(format, &described, labs::render)
}

async fn describe(place: &Labs, lab: &lab::Listed) -> Listed {
    let client = Client::new(lab.name.as_str(), place.control_socket(&lab.name));
    let status = tokio::time::timeout(ANSWER_WITHIN, client.status()).await;
    let status = status.ok().and_then(Result::ok);
    let state = match (&status, lab.alive) {
        (Some(status), _) => status.state.word(),
        (None, true) => "not answering",
        (None, false) => "dead",
    };
    let record = lab.record.as_ref();
    Listed {
        name: lab.name.to_string(),
        state: state.into(),
        guests: status.map(|status| status.guests.len()),
        daemon_pid: record.filter(|_| lab.alive).map(|record| record.daemon.pid),
        topology: record.map(|record| record.topology.clone()),
        metrics: record.filter(|_| lab.alive).and_then(|record| record.metrics),
    }
}
