//! One scrape: a copy of all counts, rendered as OpenMetrics.

use std::{fmt, sync::Arc, time::Duration};

use chronotap::{observation::Observation, synchronizer::Windows};
use chronotap_common::counter::PortCounters;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::Registry,
};

use super::{
    encode::{SECONDS, count, counter, gauge, histogram, info, put, states},
    exact,
    guests::{self, GuestTally},
    links::{self, Setting},
    ports, switches, windows,
};
use crate::api::status::{Lab, LabState};

/// What the numbers belong to, in the order of the plan.
#[derive(Debug)]
pub struct Names {
    /// The lab.
    pub lab: String,
    /// Every guest.
    pub guests: Vec<String>,
    /// Every port as `guest:interface`.
    pub ports: Vec<String>,
    /// Every link.
    pub links: Vec<String>,
    /// Every switch.
    pub switches: Vec<String>,
}

/// All that one scrape tells.
#[derive(Debug)]
pub struct Scrape {
    /// What the numbers belong to.
    pub names: Arc<Names>,
    /// How the lab runs.
    pub about: Lab,
    /// What it is doing.
    pub state: LabState,
    /// The data plane's counts.
    pub observation: Observation,
    /// The kernel's counts, by port.
    pub kernel: Vec<PortCounters>,
    /// What each link direction is like now: forward before backward, link by link.
    pub settings: Vec<Setting>,
    /// By guest.
    pub guests: Vec<GuestTally>,
    /// Times that the host fell behind.
    pub overloads: u64,
    /// Pauses that a user asked for.
    pub user_pauses: u64,
    /// Pauses because the host fell behind.
    pub overload_pauses: u64,
    /// Virtual time so far.
    pub virtual_time: Duration,
    /// Host time since virtual time began.
    pub wall_time: Duration,
    /// What windows were like, where the lab runs in windows.
    pub windows: Option<Windows>,
    /// Whether anything came to the guests from outside.
    pub perturbed: bool,
}

impl Scrape {
    /// The text of the answer.
    ///
    /// # Errors
    /// Never in practice: a `String` takes all text.
    pub fn render(self) -> Result<String, fmt::Error> {
        let lab = ("lab".into(), self.names.lab.clone().into());
        let mut registry = Registry::with_prefix_and_labels("chronotap", [lab].into_iter());
        registry.register_collector(Box::new(self));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        self.lab(encoder)?;
        self.time(encoder)?;
        guests::encode(encoder, self)?;
        ports::encode(encoder, self)?;
        links::encode(encoder, self)?;
        switches::encode(encoder, self)?;
        if let Some(windows) = &self.windows {
            windows::encode(encoder, windows)?;
        }
        let exact = self.observation.exact.as_ref();
        exact.map_or(Ok(()), |observed| exact::encode(encoder, self, observed))
    }
}

/// Every family fails only as its writer does.
impl Scrape {
    fn lab(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        info(encoder, "build", "What serves these metrics", &version)?;
        let Lab { mode, accelerator, seed, .. } = &self.about;
        let seed = seed.to_string();
        let labels = [("mode", mode.as_str()), ("accelerator", accelerator), ("seed", &seed)];
        info(encoder, "lab", "How the lab runs", &labels)?;
        let all = LabState::ALL.map(LabState::word);
        let help = "1 for the state that the lab is in, 0 for the others";
        states(&mut gauge(encoder, "lab_state", help, None)?, &[], all, self.state.word())
    }

    fn time(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Time that passed for the network and the guests";
        count(&mut counter(encoder, "virtual", help, SECONDS)?, self.virtual_time.as_secs_f64())?;
        let help = "Time that passed on the host since virtual time began";
        count(&mut counter(encoder, "wall", help, SECONDS)?, self.wall_time.as_secs_f64())?;
        let help = "Virtual seconds for each of the host's; in lockstep since windows began, pauses \
                    aside, else since virtual time began";
        gauge(encoder, "virtual_wall_ratio", help, None)?.encode_gauge(&self.ratio())?;
        let mut family = counter(encoder, "pauses", "Pauses of all guests", None)?;
        put(&mut family, &[("reason", "user")], self.user_pauses)?;
        put(&mut family, &[("reason", "overload")], self.overload_pauses)?;
        let help = "Times that the host fell behind";
        count(&mut counter(encoder, "overloads", help, None)?, self.overloads)?;
        let help = "Time from a frame's due instant to its release";
        histogram(encoder, "release_lateness", help, &self.observation.lateness)?;
        let help = "Frames between their sender and their receiver";
        gauge(encoder, "in_flight_frames", help, None)?.encode_gauge(&self.observation.in_flight)
    }

    /// Zero while there is nothing to divide.
    fn ratio(&self) -> f64 {
        let (passed, wall) = (self.virtual_time.as_secs_f64(), self.wall_time.as_secs_f64());
        let overall = if wall > 0.0 { passed / wall } else { 0.0 };
        self.windows.as_ref().and_then(Windows::ratio).unwrap_or(overall)
    }
}

#[cfg(test)]
mod tests;
