//! `vmctl run`: a topology file from its first instruction to its end; or a span of a lab's time.
//!
//! * `take`: one run: up, play, down
//! * `repeat`, `journal`: the same several times, and where runs went apart
//! * `sweep`: with one seed after the other
//! * `hold`: standing still before a command, for somebody who looks around
//! * `interrupt`: Ctrl-C, for as many takes as there are

mod hold;
mod interrupt;
mod journal;
mod repeat;
mod sweep;
mod take;

use crate::{
    api::failure::Failure,
    cli::{Format, Run},
    commands::{NOT_AS_ASKED, advance, privilege, topology},
    lab::Labs,
    output::{self, play, progress::Steps},
};
use hold::Hold;
use interrupt::Interrupt;
pub use repeat::Repeated;
pub use sweep::Sweep;
use take::Take;

/// Runs a file, or lets a span of time pass in a lab that is up.
pub async fn run(args: &Run, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    match (&args.file, args.span) {
        (_, Some(span)) => advance::run(span, lab, format).await,
        (Some(file), None) => run_file(args, file, lab, format).await,
        (None, None) => Err(Failure::usage("neither a file nor a span is given")),
    }
}

async fn run_file(
    args: &Run,
    file: &std::path::Path,
    lab: Option<&str>,
    format: Format,
) -> Result<u8, Failure> {
    topology::check_rereadable(file)?;
    let scenario = topology::load(file, lab)?;
    let hold =
        args.pause_before.as_deref().map(|text| Hold::before(text, &scenario)).transpose()?;
    let take = Take {
        labs: &Labs::of_this_user()?,
        file,
        name: &scenario.name,
        until: take::end_of(&scenario)?,
        timeout: args.timeout,
        seed: args.seed,
        journal: None,
        capture: args.capture.as_deref(),
        hold: hold.as_ref(),
    };
    privilege::check()?;
    let interrupt = Interrupt::listen()?;
    if let Some(times) = args.repeat {
        return repeat::run(&take, &scenario, times, &interrupt, format).await;
    }
    if let Some(seeds) = &args.seeds {
        let jobs = args.jobs.unwrap_or_else(|| sweep::room(&scenario));
        return sweep::run(&take, seeds, jobs, &interrupt, format).await;
    }
    once(&take, &interrupt, format).await
}

async fn once(take: &Take<'_>, interrupt: &Interrupt, format: Format) -> Result<u8, Failure> {
    let mut steps = Steps::new();
    let played = take.perform(interrupt, &mut steps).await;
    steps.clear();
    let Some(played) = played? else { return Ok(interrupt.code()) };
    output::print(format, &played, play::played)?;
    Ok(if played.held { 0 } else { NOT_AS_ASKED })
}
