//! `cargo xtask bench NAME`: the benchmarks, in release form.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::{build, ebpf, host, process, setup};

/// Measure this checkout on this machine.
#[derive(Args)]
pub struct Arguments {
    name: Bench,
    #[command(flatten)]
    consent: setup::Consent,
    /// More arguments for the benchmark.
    #[arg(last = true)]
    rest: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Until a lab can be worked with, beside QEMU's own boot; needs root.
    Boot,
    /// Frames from tap to tap through the whole scheduler; needs root.
    Datapath,
    /// The same beside bridge, netem, VDE, ns-3 and a forwarder; needs root. Installs VDE and ns-3
    /// where they are missing (asks first). `-- --quick` takes two minutes instead of twelve.
    Peers,
    /// The simulated network alone.
    Sim,
    /// Windows of `lockstep` with real guests; needs root.
    Windows,
    /// Barriers of `exact` with real guests, beside windows of `lockstep`; needs root.
    Exact,
}

impl Bench {
    /// The package that holds it, and its target there.
    fn target(self) -> [&'static str; 2] {
        match self {
            Self::Boot => ["chronotap-tests", "boot"],
            Self::Datapath => ["chronotap-tests", "datapath"],
            Self::Peers => ["chronotap-tests", "peers"],
            Self::Sim => ["chronotap", "sim"],
            Self::Windows => ["chronotap-tests", "windows"],
            Self::Exact => ["chronotap-tests", "exact"],
        }
    }
}

/// The verb.
///
/// # Errors
/// If a part or a right is missing, or the benchmark fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    let name = arguments.name;
    if name != Bench::Sim {
        ensure!(host::is_root(), "this benchmark makes taps and loads programs: run it as root");
    }
    match name {
        Bench::Datapath => drop(ebpf::build()?),
        Bench::Peers => {
            setup::ensure_peers(arguments.consent)?;
            ebpf::build()?;
        }
        Bench::Boot | Bench::Windows | Bench::Exact => build::run()?,
        Bench::Sim => {}
    }
    let [package, target] = name.target();
    let mut command = process::cargo();
    command.args(["bench", "--package", package, "--bench", target, "--"]).args(&arguments.rest);
    process::run(&mut command)
}
