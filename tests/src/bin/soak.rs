//! `cargo xtask soak`: a lab under traffic and impairments for as long as one likes. Fails when a frame
//! was unaccounted for, or the daemon grew.

use std::{process::ExitCode, time::Duration};

use chronotap_tests::soak::{Mode, Plan, run};
use clap::Parser;

/// Let a lab run under traffic, and watch whether anything gets lost or grows.
#[derive(Parser)]
#[command(name = "cargo xtask soak --")]
struct Arguments {
    /// For how long, in minutes of the host's time
    #[arg(long, default_value_t = 20.0, value_parser = minutes)]
    minutes: f64,
    /// How many guests, 2 to 64
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=64))]
    guests: u32,
    /// What holds the guests
    #[arg(long, value_enum, default_value_t = Mode::Lockstep)]
    mode: Mode,
}

fn main() -> ExitCode {
    let Arguments { minutes, guests, mode } = Arguments::parse();
    let plan = Plan { name: "soak".to_owned(), guests, mode };
    eprintln!("if this is interrupted, `vmctl --lab soak down` takes the lab away");
    let report = run(&plan, Duration::from_secs_f64(minutes * 60.0), |line| println!("{line}"));
    print!("{report}");
    if report.held() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn minutes(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.1..=100_000.0).contains(number));
    number.ok_or_else(|| "a number from 0.1 to 100000 is wanted".to_owned())
}
