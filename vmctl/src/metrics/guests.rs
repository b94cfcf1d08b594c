//! The part of a scrape that tells of guests.

use std::{fmt, time::Duration};

use chronotap::sim::VirtualInstant;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue};

use super::{
    encode::{SECONDS, counter, gauge, put, show, states},
    scrape::Scrape,
};
use crate::api::status::GuestState;

/// What a guest did on its host.
#[derive(Debug, Clone, Copy)]
pub struct GuestTally {
    /// Where it is in its life.
    pub state: GuestState,
    /// How often it has rebooted.
    pub reboots: u64,
    /// Host time in which it was let run.
    pub ran: Duration,
    /// Host time in which it was held since then.
    pub held: Duration,
    /// Host time that its processors took; `None` when it has ended.
    pub vcpus: Option<Duration>,
}

/// Writes the families of guests.
pub(super) fn encode(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    lives(encoder, scrape)?;
    clocks(encoder, scrape)?;
    let help = "Host time in which the guest was let run";
    times(encoder, scrape, "guest_run", help, |guest| Some(guest.ran))?;
    let help = "Host time in which the guest was held, since it was first let run";
    times(encoder, scrape, "guest_paused", help, |guest| Some(guest.held))?;
    let help = "Processor time of the threads that run the guest's processors";
    times(encoder, scrape, "guest_vcpu", help, |guest| guest.vcpus)?;
    overruns(encoder, scrape)
}

fn lives(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let mut family = gauge(encoder, "guest_up", "Whether the guest's QEMU lives", None)?;
    for (name, guest) in named(scrape) {
        show(&mut family, &[("guest", name)], i64::from(guest.state != GuestState::Dead))?;
    }
    let help = "1 for the state that the guest is in, 0 for the others";
    let mut family = gauge(encoder, "guest_state", help, None)?;
    let all = GuestState::ALL.map(GuestState::word);
    for (name, guest) in named(scrape) {
        states(&mut family, &[("guest", name)], all, guest.state.word())?;
    }
    let help = "Times that the guest has rebooted";
    let mut family = counter(encoder, "guest_reboots", help, None)?;
    for (name, guest) in named(scrape) {
        put(&mut family, &[("guest", name)], guest.reboots)?;
    }
    Ok(())
}

/// A guest that has ended has no clock any more. Outside of windows there is one for all.
fn clocks(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let help = "The guest's virtual clock; in lockstep its own at its last stop";
    let mut family = gauge(encoder, "guest_clock", help, SECONDS)?;
    for (index, (name, guest)) in named(scrape).enumerate() {
        let own = scrape.windows.as_ref().and_then(|windows| windows.guests.get(index));
        let is_gone = guest.state == GuestState::Dead || own.is_some_and(|own| own.departed);
        if !is_gone {
            let clock = own.map(|own| own.clock.saturating_since(VirtualInstant::ZERO));
            let clock = clock.unwrap_or(scrape.virtual_time);
            show(&mut family, &[("guest", name)], clock.as_secs_f64())?;
        }
    }
    Ok(())
}

fn times(
    encoder: &mut DescriptorEncoder,
    scrape: &Scrape,
    name: &str,
    help: &str,
    of: impl Fn(&GuestTally) -> Option<Duration>,
) -> fmt::Result {
    let mut family = counter(encoder, name, help, SECONDS)?;
    for (name, guest) in named(scrape) {
        if let Some(time) = of(guest) {
            put(&mut family, &[("guest", name)], time.as_secs_f64())?;
        }
    }
    Ok(())
}

fn overruns(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let Some(windows) = &scrape.windows else { return Ok(()) };
    let guests = || scrape.names.guests.iter().map(String::as_str).zip(&windows.guests);
    let overrun = guests().map(|(name, guest)| (name, guest.overrun.as_secs_f64()));
    let help = "Virtual time that the guest ran past the ends of windows";
    by_guest(encoder, ("guest_overrun", help, SECONDS), overrun)?;
    let times = guests().map(|(name, guest)| (name, guest.over_budget));
    let help = "Runs in which the guest overran the window by more than the budget";
    by_guest(encoder, ("guest_overruns", help, None), times)
}

fn by_guest<'a>(
    encoder: &mut DescriptorEncoder,
    (name, help, unit): (&str, &str, Option<&prometheus_client::registry::Unit>),
    values: impl Iterator<Item = (&'a str, impl EncodeCounterValue)>,
) -> fmt::Result {
    let mut family = counter(encoder, name, help, unit)?;
    for (guest, value) in values {
        put(&mut family, &[("guest", guest)], value)?;
    }
    Ok(())
}

fn named(scrape: &Scrape) -> impl Iterator<Item = (&str, &GuestTally)> {
    scrape.names.guests.iter().map(String::as_str).zip(&scrape.guests)
}
