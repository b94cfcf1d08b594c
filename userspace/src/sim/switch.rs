//! A learning switch: to which of its ports a frame goes on.
//!
//! Forwards at once and without queueing of its own: delay, rate and queues are properties of the
//! links. It forwards every EtherType; nothing is answered or changed.

use super::counters::{DropReason, SwitchCounters};
use super::plan::SwitchSettings;
use super::table::{Address, AddressTable};
use super::time::VirtualInstant;

/// Where a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Out of one port.
    To(u32),
    /// Out of every port except the one it came in by.
    Flood,
    Drop(DropReason),
}

#[derive(Debug)]
pub(super) struct Switch {
    table: AddressTable,
    forward_link_local: bool,
    /// The link direction that leads out of each port.
    pub(super) exits: Vec<u32>,
    /// The latest arrival that has been worked off.
    pub(super) latest: VirtualInstant,
    pub(super) counters: SwitchCounters,
}

/// Destination, source, EtherType.
const HEADER: usize = 14;
/// The bit of the first octet that marks a group address.
const GROUP: Address = 1 << 40;
/// 01:80:c2:00:00:00 to 0f (IEEE 802.1Q table 8-1).
const LINK_LOCAL: Address = 0x0180_c200_0000;

impl Switch {
    pub(super) fn new(settings: &SwitchSettings) -> Self {
        Self {
            table: AddressTable::new(settings.table, settings.ageing),
            forward_link_local: settings.forward_link_local,
            exits: Vec::new(),
            latest: VirtualInstant::ZERO,
            counters: SwitchCounters::default(),
        }
    }

    /// Takes a frame that arrives at `port`, learns from it and routes it.
    pub(super) fn route(&mut self, frame: &[u8], port: u32, at: VirtualInstant) -> Route {
        self.counters.received += 1;
        let Some((destination, source)) = addresses(frame) else {
            return Route::Drop(DropReason::Malformed);
        };
        if source != 0 && source & GROUP == 0 {
            self.counters.evicted += u64::from(self.table.learn(source, port, at));
        }
        if destination & !0xf == LINK_LOCAL && !self.forward_link_local {
            return Route::Drop(DropReason::Filtered);
        }
        let known =
            if destination & GROUP == 0 { self.table.port_of(destination, at) } else { None };
        match known {
            Some(exit) if exit == port => Route::Drop(DropReason::Filtered),
            Some(exit) => Route::To(exit),
            None if self.exits.len() < 2 => Route::Drop(DropReason::NoOtherPort),
            None => Route::Flood,
        }
    }
}

fn addresses(frame: &[u8]) -> Option<(Address, Address)> {
    let header = frame.first_chunk::<HEADER>()?;
    let address = |at: usize| {
        header[at..at + 6].iter().fold(0, |sum, &octet| sum << 8 | Address::from(octet))
    };
    Some((address(0), address(6)))
}
