//! `vmctl man`: the manual pages, made of the command line's own texts.

use std::{fs, path::Path};

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::{api::failure::Failure, cli::Cli, output};

/// Prints vmctl(1), or writes a page for it and for every command into `directory`.
pub fn run(directory: Option<&Path>) -> Result<(), Failure> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page).map_err(Failure::runtime)?;
        return output::line(&String::from_utf8_lossy(&page));
    };
    let written = fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
    written.map_err(|error| {
        Failure::runtime(format!("no manual pages in {}: {error}", directory.display()))
    })
}
