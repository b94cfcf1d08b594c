//! The programs in the kernel, loaded but attached to nothing.
//!
//! Without the object or the right to load it a test panics: to skip would be to claim too much.

use std::path::PathBuf;

use aya::Ebpf;
use aya::maps::PerCpuArray;
use aya::programs::{SchedClassifier, Xdp};
use chronotap_common::counter::{Counter, PortCounters};
use chronotap_common::{ADOPT, CAPTURE, COUNTERS, GATE};

/// The directory with the built parts: `$CHRONOTAP_PARTS`, or the checkout's own.
pub fn parts() -> PathBuf {
    let own = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/chronotap"));
    std::env::var_os("CHRONOTAP_PARTS").map_or_else(own, PathBuf::from)
}

/// The octets of the built object.
pub fn object() -> Vec<u8> {
    let object = parts().join("chronotap.bpf.o");
    std::fs::read(&object).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask ebpf` builds it", object.display())
    })
}

/// Creates the maps and has the verifier check all programs.
pub fn load() -> Ebpf {
    let mut ebpf = Ebpf::load(&object()).expect("the maps are created (needs CAP_BPF)");
    capture(&mut ebpf).load().expect("the verifier accepts capture");
    adopt(&mut ebpf).load().expect("the verifier accepts adopt");
    gate(&mut ebpf).load().expect("the verifier accepts gate");
    ebpf
}

/// The XDP program that stamps.
pub fn capture(ebpf: &mut Ebpf) -> &mut Xdp {
    let program = ebpf.program_mut(CAPTURE).expect("the object holds capture");
    program.try_into().expect("capture is an XDP program")
}

/// The XDP program that takes over its sender's stamp.
pub fn adopt(ebpf: &mut Ebpf) -> &mut Xdp {
    let program = ebpf.program_mut(ADOPT).expect("the object holds adopt");
    program.try_into().expect("adopt is an XDP program")
}

/// The tc program.
pub fn gate(ebpf: &mut Ebpf) -> &mut SchedClassifier {
    let program = ebpf.program_mut(GATE).expect("the object holds gate");
    program.try_into().expect("gate is a tc program")
}

/// What the programs have counted for an interface, over all CPUs.
pub fn counts(ebpf: &Ebpf, ifindex: u32) -> PortCounters {
    let map = ebpf.map(COUNTERS).expect("the map COUNTERS");
    let counters = PerCpuArray::<_, PortCounters>::try_from(map).expect("COUNTERS' layout");
    let per_cpu = counters.get(&ifindex, 0).expect("each port has counts");
    per_cpu.iter().copied().fold(PortCounters::default(), PortCounters::plus)
}

/// How counts have grown, by name, so that a failed comparison can be read.
pub fn growth(
    before: PortCounters,
    after: PortCounters,
) -> [(&'static str, u64); Counter::ALL.len()] {
    Counter::ALL.map(|counter| (counter.name(), after.get(counter) - before.get(counter)))
}
