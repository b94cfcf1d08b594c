//! Every map. Names, keys and values are part of the ABI in `chronotap-common`.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{PerCpuArray, XskMap};
use chronotap_common::counter::PortCounters;
use chronotap_common::diagnostic::Diagnostic;
use chronotap_common::port::MAX_IFINDEX;

/// Port key → the AF_XDP socket bound to that tap.
#[map]
pub static SOCKETS: XskMap = XskMap::with_max_entries(MAX_IFINDEX, 0);

/// Port key → what happened on that port, per CPU. Zero at load.
#[map]
pub static COUNTERS: PerCpuArray<PortCounters> = PerCpuArray::with_max_entries(MAX_IFINDEX, 0);

/// Diagnostic → when it was last logged on this CPU, CLOCK_MONOTONIC nanoseconds, 0 for never.
#[map]
pub static LOGGED: PerCpuArray<u64> = PerCpuArray::with_max_entries(Diagnostic::COUNT, 0);
