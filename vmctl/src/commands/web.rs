//! `vmctl web`: where the lab's page is.

use std::process::{Command, Stdio};

use super::target;
use crate::{
    api::{failure::Failure, web},
    cli::{Format, Web},
    output,
};

/// Opens what the desktop's settings say, and returns.
const OPENER: &str = "xdg-open";

/// Prints the page's address, and opens it if asked to.
pub async fn run(args: &Web, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let page = target::find(lab)?.web().await?;
    output::print(format, &page, |page| page.url.clone())?;
    if args.open { tokio::task::block_in_place(|| open(&page)) } else { Ok(()) }
}

/// The key is not on the command line, which every user of this host can read.
fn open(page: &web::Web) -> Result<(), Failure> {
    let mut opener = Command::new(OPENER);
    match &page.opener {
        Some(file) => opener.arg(file),
        None => opener.arg(&page.url),
    };
    let failed = |why: String| {
        Failure::runtime(format!("{OPENER} does not open the page: {why}"))
            .remedy("open the printed address in a browser yourself")
    };
    let opener = opener.stdin(Stdio::null()).stdout(Stdio::null());
    let status = opener.status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}
