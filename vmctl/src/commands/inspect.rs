//! `vmctl inspect`: one guest or one link.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::sleep;

use super::target;
use crate::{
    api::{
        failure::{Failure, FailureKind},
        status::{Link, Status},
    },
    cli::{Format, Inspect},
    client::Client,
    output::{self, inspect},
    top::rates::{Rates, WayRates},
};

/// Between the two looks that rates are made of.
const BETWEEN: Duration = Duration::from_millis(500);

/// A link with what it does now.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LinkNow {
    /// The link.
    #[serde(flatten)]
    pub link: Link,
    /// From the first endpoint to the second.
    pub forward_now: Now,
    /// From the second endpoint to the first.
    pub backward_now: Now,
}

/// What one way of a link did lately, per second of virtual time; absent where the lab stands still.
#[derive(Debug, Clone, Copy, JsonSchema, Serialize)]
pub struct Now {
    /// Bits that were put on the wire, overhead included.
    pub bit_per_s: Option<f64>,
    /// Frames that came out.
    pub delivered_frames_per_s: Option<f64>,
    /// Frames that were dropped.
    pub dropped_frames_per_s: Option<f64>,
    /// Share of the rate that was used, 0 to 1; absent where the rate is unlimited.
    pub utilisation: Option<f64>,
}

impl From<WayRates> for Now {
    fn from(rates: WayRates) -> Self {
        Self {
            bit_per_s: rates.bits,
            delivered_frames_per_s: rates.delivered,
            dropped_frames_per_s: rates.dropped,
            utilisation: rates.utilisation,
        }
    }
}

/// Shows all about what is called so. Names of guests have no colon, those of links have one.
pub async fn run(args: &Inspect, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    if args.thing.contains(':') {
        let link = client.link(&args.thing).await?;
        let link = now(&client, link.name).await?;
        return output::print(format, &link, inspect::link);
    }
    let guest = client.guest(&args.thing).await.map_err(|failure| match failure.kind {
        FailureKind::NotFound => {
            let links = "links are called like alice:eth0-bob:eth0; `vmctl link show` lists them";
            let guests = failure.remedy.as_deref().map(|guests| format!("{guests}; "));
            let remedy = guests.unwrap_or_default() + links;
            failure.remedy(remedy)
        }
        _ => failure,
    })?;
    output::print(format, &guest, inspect::guest)
}

async fn now(client: &Client, name: String) -> Result<LinkNow, Failure> {
    let before = client.status().await?;
    sleep(BETWEEN).await;
    let after = client.status().await?;
    found(&before, after, &name)
        .ok_or_else(|| Failure::runtime(format!("link `{name}` is not there any more")))
}

fn found(before: &Status, mut after: Status, name: &str) -> Option<LinkNow> {
    let index = after.links.iter().position(|link| link.name == name)?;
    let [forward, backward] = *Rates::between(before, &after).links.get(index)?;
    let link = after.links.swap_remove(index);
    Some(LinkNow { link, forward_now: forward.into(), backward_now: backward.into() })
}
