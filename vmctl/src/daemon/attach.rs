//! What a guest is started with besides kernel and taps: disks, ways in.

use std::{path::Path, sync::Arc};

use super::{belongings::Belongings, lab::Lab, management::Relay, seat::Ways};
use crate::{
    api::{
        access::{Gdb, Ssh},
        failure::Failure,
    },
    cloud::{Additions, Keys, Seed},
    lab::raise_loopback,
    parts::Parts,
    qemu::{Disks, GDB, Images, Management, RunAs},
    scenario::{Boot, Guest, Scenario},
};

/// What each guest boots; guests that boot the same share it.
///
/// # Errors
/// Something is missing, or cannot be used.
pub fn open_images(
    scenario: &Scenario,
    parts: &Parts,
    user: &RunAs,
) -> Result<Vec<Arc<Images>>, Failure> {
    let mut opened: Vec<(&Boot, Arc<Images>)> = Vec::new();
    for Guest { boot, .. } in &scenario.guests {
        let images = match opened.iter().find(|(known, _)| *known == boot) {
            Some((_, images)) => images.clone(),
            None => Arc::new(tokio::task::block_in_place(|| Images::open(boot, parts, user))?),
        };
        opened.push((boot, images));
    }
    Ok(opened.into_iter().map(|(_, images)| images).collect())
}

/// What the lab makes once for all guests that need it.
///
/// # Errors
/// No keys, or no loopback interface.
pub fn prepare(belongings: &Belongings, scenario: &Scenario) -> Result<Option<Keys>, Failure> {
    let guests = &scenario.guests;
    if guests.iter().any(|guest| guest.access.management.is_some())
        && let Some(netns) = &belongings.netns
    {
        netns.run(raise_loopback)?.map_err(|error| {
            Failure::runtime(format!("no loopback interface in the lab's namespace: {error}"))
        })?;
    }
    let images = guests.iter().any(|guest| matches!(guest.boot, Boot::Image(_)));
    Ok(images.then(|| Keys::make(&belongings.dir.keys())).transpose()?)
}

/// Serves what leads to the guests' management networks, in the guests' order.
pub fn serve(belongings: &mut Belongings, lab: &Lab, relays: Vec<Option<Relay>>) {
    for (relay, seat) in relays.into_iter().zip(&lab.seats) {
        if let Some(relay) = relay {
            belongings.tasks.spawn(relay.serve(seat.clone(), lab.journal.clone()));
        }
    }
}

/// A guest's attachments.
pub struct Attachments {
    /// Its disks, if it boots one.
    pub disks: Option<Disks>,
    /// Its card in the management network.
    pub management: Option<Management>,
    /// What leads there.
    pub relay: Option<Relay>,
    /// How users get in.
    pub ways: Ways,
}

impl Attachments {
    /// Those of the guest with this index; what is in files goes into `directory`.
    ///
    /// # Errors
    /// A file that the topology names cannot be used, or something cannot be made.
    pub async fn of(
        index: usize,
        scenario: &Scenario,
        keys: Option<&Keys>,
        belongings: &Belongings,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let guest = &scenario.guests[index];
        let management = guest.access.management.map(|mac| Management::new(index, mac));
        let relay = match (&management, &belongings.netns) {
            (Some(management), Some(netns)) => Some(Relay::listen(netns, management).await?),
            _ => None,
        };
        let disks = match (&guest.boot, keys) {
            (Boot::Image(image), Some(keys)) => {
                let seed = directory.join("seed.img");
                write_seed(scenario, guest, keys, &seed)?;
                let name = guest.name.as_str();
                Some(tokio::task::block_in_place(|| Disks::open(name, &image.path, &seed))?)
            }
            _ => None,
        };
        let ssh = relay.as_ref().zip(keys).map(|(relay, keys)| Ssh {
            alias: format!("{}.{}", guest.name, scenario.name),
            address: relay.address(),
            user: guest.access.cloud.user.clone(),
            identity: keys.identity(),
            known_hosts: keys.known_hosts(),
        });
        let gdb = guest
            .access
            .gdb
            .then(|| Gdb { socket: directory.join(GDB), nokaslr: has_no_kaslr(&guest.boot) });
        Ok(Self { disks, management, relay, ways: Ways { ssh, gdb } })
    }
}

/// Whether the kernel's command line says so. That of a disk image is its own.
fn has_no_kaslr(boot: &Boot) -> bool {
    match boot {
        Boot::BuiltIn => true,
        Boot::Kernel { append, .. } => append.split_whitespace().any(|word| word == "nokaslr"),
        Boot::Image(_) => false,
    }
}

fn write_seed(scenario: &Scenario, guest: &Guest, keys: &Keys, path: &Path) -> Result<(), Failure> {
    let additions = Additions::read(&guest.access.cloud).map_err(|(file, error)| {
        // It was looked at when the topology was read.
        Failure::usage(format!("{} of guest `{}`: {error}", file.path.display(), guest.name))
    })?;
    let hosts = scenario.hosts_of(guest);
    let lab_key = keys.public();
    let seed = Seed { lab: &scenario.name, guest, hosts: &hosts, lab_key, additions: &additions };
    Ok(seed.write(path)?)
}
