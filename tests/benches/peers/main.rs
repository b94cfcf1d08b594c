//! Chronotap beside what else connects guests on one host, in one run and on equal terms.
//!
//! `cargo xtask bench peers [-- --quick]` as root
//!
//! The same fake guests write to a tap and read from another, whatever lies between. All are measured
//! in turn (A B C A B C …), so that a host that changes its pace does so to all; what counts are
//! medians and ratios. Prints Markdown. Nothing is asserted: figures stand beside their targets.

mod path;
mod peer;
mod report;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use chronotap_tests::load::{Load, drive, with_hogs};
use chronotap_tests::mischief;
use chronotap_tests::netns::in_new_netns;

use path::warm_up;
use peer::Peer;
use report::{Case, Report, Sample};

/// What those that can delay frames are told to. wirefilter takes whole milliseconds.
const DELAY: Duration = Duration::from_millis(10);

/// Chronotap's, where throughput is measured: a link like any other. Peers run at their fastest.
const SHORT_DELAY: Duration = Duration::from_millis(1);

/// How much is measured.
struct Scale {
    lengths: &'static [usize],
    repetitions: usize,
    span: Duration,
    /// No repetition begins that would end later.
    most: Duration,
}

const WHOLE: Scale = Scale {
    lengths: &[64, 1514],
    repetitions: 5,
    span: Duration::from_secs(1),
    most: Duration::from_secs(11 * 60 + 30),
};

const QUICK: Scale = Scale {
    lengths: &[64],
    repetitions: 2,
    span: Duration::from_millis(400),
    most: Duration::from_secs(110),
};

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let scale = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => WHOLE,
        ["--quick"] => QUICK,
        _ => {
            eprintln!("usage: cargo xtask bench peers [-- --quick]");
            return ExitCode::from(2);
        }
    };
    let mut report = Report::new(format!("cargo xtask bench peers -- {}", words.join(" ")));
    let peers = Peer::ALL.into_iter().filter(|peer| match peer.prepare() {
        Ok(()) => true,
        Err(why) => {
            report.leave_out(*peer, &why);
            false
        }
    });
    let peers: Vec<_> = peers.collect();
    measure(&scale, &peers, &mut report);
    print!("{report}");
    ExitCode::SUCCESS
}

fn measure(scale: &Scale, peers: &[Peer], report: &mut Report) {
    let start = Instant::now();
    for repetition in 0..scale.repetitions {
        let begun = Instant::now();
        for case in cases(scale) {
            for &peer in peers {
                report.add(case, peer, run(scale, case, peer));
            }
        }
        let took = begun.elapsed();
        eprintln!("repetition {} took {:.0} s", repetition + 1, took.as_secs_f64());
        if start.elapsed() + took > scale.most {
            break;
        }
    }
}

fn cases(scale: &Scale) -> impl Iterator<Item = Case> + '_ {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    scale.lengths.iter().flat_map(move |&len| {
        let full = Case { len, rate: None, hogs: 0 };
        let paced = [0, cores].into_iter().flat_map(move |hogs| {
            [1000, 10_000, 50_000].map(|rate| Case { rate: Some(rate), hogs, ..full })
        });
        std::iter::once(full).chain(paced)
    })
}

fn run(scale: &Scale, case: Case, peer: Peer) -> Sample {
    let delay = match (case.rate, peer) {
        (Some(_), _) => DELAY,
        (None, Peer::Chronotap | Peer::Netem) => SHORT_DELAY,
        (None, _) => Duration::ZERO,
    };
    let load = Load { len: case.len, rate: case.rate, span: scale.span };
    in_new_netns(|| {
        let path = peer.build(delay);
        warm_up(&*path);
        let before = path.cpu();
        let [from, to] = path.ends();
        let _awake = (case.hogs == 0).then(mischief::Load::that_keeps_cores_awake);
        let outcome = with_hogs(case.hogs, || drive(from, to, load));
        let expected = if peer.delays() { delay } else { Duration::ZERO };
        Sample::new(&outcome, path.cpu() - before, expected)
    })
}
