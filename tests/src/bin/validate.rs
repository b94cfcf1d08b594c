//! `cargo xtask validate`: what labs are asked for beside what real guests find, as a page. Fails when
//! something is not as it was asked for.

use std::{path::PathBuf, process::ExitCode};

use chronotap_tests::validate::{Mode, Plan, Subject, run};
use clap::{Parser, ValueEnum as _};

/// Measure delay, jitter, loss, order, rate, queues and sharing with real guests, and write a report.
#[derive(Parser)]
#[command(name = "cargo xtask validate --")]
struct Arguments {
    /// Only these modes
    #[arg(long, value_enum, value_delimiter = ',')]
    modes: Vec<Mode>,
    /// Only these subjects
    #[arg(long, value_enum, value_delimiter = ',')]
    subjects: Vec<Subject>,
    /// Few samples: whether the measurement itself works
    #[arg(long)]
    short: bool,
    /// Where the report goes, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Arguments { modes, subjects, short, output } = Arguments::parse();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let command = match words.as_slice() {
        // What the command without arguments says by itself.
        [] => "cargo xtask validate".to_owned(),
        [flag, _] if flag == "--output" => "cargo xtask validate".to_owned(),
        words => format!("cargo xtask validate -- {}", words.join(" ")),
    };
    let plan = Plan {
        modes: if modes.is_empty() { Mode::value_variants().to_vec() } else { modes },
        subjects: if subjects.is_empty() { Subject::value_variants().to_vec() } else { subjects },
        is_short: short,
    };
    let report = run(&plan, &command, |row| eprintln!("{row}"));
    let text = report.to_string();
    let written = match &output {
        Some(file) => std::fs::write(file, &text).map_err(|error| (file, error)),
        None => {
            print!("{text}");
            Ok(())
        }
    };
    if let Err((file, error)) = written {
        // What took so long is not lost.
        print!("{text}");
        eprintln!("error: {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    if report.held() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
