//! How long until a lab can be worked with, beside QEMU's own boot of the same guests.
//!
//! `cargo xtask bench boot [-- [--guests 2,16] [--rounds 3]]`
//!
//! Of each number of guests, in turn, so that a host that changes its pace does so to both:
//!
//! * `bare`: so many QEMUs with the built-in guest and nothing else, started at once, until the
//!   agent in each has answered;
//! * `up`: from the start of `vmctl up` to the end of `ping -c 1` between the first two guests, in a
//!   realtime lab; `down`: from the start of `vmctl down` to its end.

mod bare;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use chronotap_tests::{figures::Figures, lab::Lab};

const USAGE: &str = "usage: cargo xtask bench boot [-- [--guests 2,16] [--rounds 3]]";

/// Each guest's boot is some seconds of a core.
const PATIENCE: &str = "10m";

struct Arguments {
    guests: Vec<u32>,
    rounds: usize,
}

fn main() -> ExitCode {
    let Some(Arguments { guests, rounds }) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("guests  what            least    median  greatest  median of bare = 1");
    for guests in guests {
        let taken: Vec<Round> = (0..rounds).map(|_| round(guests)).collect();
        let figures = |of: fn(&Round) -> Duration| {
            Figures::of(taken.iter().map(|round| of(round).as_secs_f64()))
        };
        let bare = figures(|round| round.bare);
        let rows = [
            ("bare", &bare),
            ("up, first ping", &figures(|round| round.up)),
            ("down", &figures(|round| round.down)),
        ];
        for (what, figures) in rows {
            let (least, median, most) = (figures.min(), figures.quantile(0.5), figures.max());
            let share = median / bare.quantile(0.5);
            println!(
                "{guests:>6}  {what:<14}{least:>6.2} s  {median:>6.2} s  {most:>6.2} s  {share:.2}"
            );
        }
    }
    ExitCode::SUCCESS
}

fn arguments() -> Option<Arguments> {
    let mut arguments = Arguments { guests: vec![2, 16], rounds: 3 };
    // Cargo adds `--bench`.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--guests" => {
                let numbers = value.split(',').map(|number| number.parse().ok());
                arguments.guests = numbers.collect::<Option<_>>()?;
            }
            "--rounds" => arguments.rounds = value.parse().ok()?,
            _ => return None,
        }
    }
    let sane = arguments.guests.iter().all(|guests| (2..=64).contains(guests));
    (sane && arguments.rounds > 0).then_some(arguments)
}

struct Round {
    bare: Duration,
    up: Duration,
    down: Duration,
}

fn round(guests: u32) -> Round {
    let bare = bare::boot(guests);
    let start = Instant::now();
    let lab = Lab::up_with("bench-boot", &topology(guests), &["--timeout", PATIENCE]);
    lab.sh("g0", "ping -q -c 1 g1");
    let up = start.elapsed();
    let start = Instant::now();
    // `vmctl down`, which must succeed.
    drop(lab);
    Round { bare, up, down: start.elapsed() }
}

fn topology(guests: u32) -> String {
    let mut text = "[defaults.link]\ndelay = '1ms'\n[node.hub]\nkind = 'switch'\n".to_owned();
    for guest in 0..guests {
        text.push_str(&format!("[node.g{guest}]\n"));
    }
    for guest in 0..guests {
        text.push_str(&format!("[[link]]\nendpoints = ['g{guest}:eth0', 'hub:p{guest}']\n"));
    }
    text
}
