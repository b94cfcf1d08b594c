//! Pings are written down for who measures the lab.

use std::sync::atomic::Ordering;

use chronotap::{pings, sim::PortId};

use super::{Lab, order_failed};
use crate::api::{
    failure::Failure,
    pings::{Pings, Sighting, Watch},
};

impl Lab {
    /// Has pings written down from now on.
    ///
    /// # Errors
    /// When the data plane has stopped or does not answer.
    pub async fn watch_pings(&self) -> Result<Watch, Failure> {
        let watch = self.watches.fetch_add(1, Ordering::Relaxed) + 1;
        self.datapath.watch_pings(Some(Box::default())).await.map_err(order_failed)?;
        Ok(Watch { watch })
    }

    /// Ends that, and tells what was seen.
    ///
    /// # Errors
    /// Not found when it is not this watch that is under way; when the data plane has stopped or
    /// does not answer.
    pub async fn take_pings(&self, watch: u64) -> Result<Pings, Failure> {
        let gone = || {
            Failure::not_found(format!("the watch {watch} has ended"))
                .remedy("another one has begun meanwhile: only one `vmctl verify` at a time")
        };
        if self.watches.load(Ordering::Relaxed) != watch {
            return Err(gone());
        }
        let watch =
            self.datapath.watch_pings(None).await.map_err(order_failed)?.ok_or_else(gone)?;
        let (seen, unseen) = watch.into_account();
        let names = self.ports();
        let sightings = seen.into_iter().map(|seen| sighting(seen, &names)).collect();
        Ok(Pings { sightings, unseen })
    }

    /// `alice:eth0` and so on, by port.
    fn ports(&self) -> Vec<(PortId, String)> {
        let scenario = self.scenario();
        let guests = scenario.guests.iter();
        guests
            .flat_map(|guest| {
                guest.nics.iter().map(|nic| (nic.port, format!("{}:{}", guest.name, nic.name)))
            })
            .collect()
    }
}

fn sighting(seen: pings::Sighting, names: &[(PortId, String)]) -> Sighting {
    let name = names.iter().find(|(port, _)| *port == seen.port);
    Sighting {
        at: name.map(|(_, name)| name.clone()).unwrap_or_default(),
        entered: seen.entered,
        reply: seen.echo.is_reply,
        id: seen.echo.id,
        seq: seen.echo.seq,
        bytes: seen.octets,
        host_ns: Some(seen.host.as_nanos()).filter(|ns| *ns > 0),
        virtual_ns: seen.at.as_nanos(),
    }
}
