//! `vmctl import`: other tools' files as topology files.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::failure::Failure,
    cli::{Format, ImportCommand, ImportSimgrid},
    import::{self, Input, Warning},
    output,
};

/// What came of it, for programs.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Imported")]
pub struct Answer<'a> {
    /// The file that was written; null if none was asked for.
    file: Option<&'a PathBuf>,
    /// The topology's text.
    topology: &'a str,
    warnings: &'a [Warning],
}

/// Runs an `import` command.
pub fn run(command: &ImportCommand, format: Format) -> Result<(), Failure> {
    match command {
        ImportCommand::Simgrid(args) => simgrid(args, format),
    }
}

fn simgrid(args: &ImportSimgrid, format: Format) -> Result<(), Failure> {
    let [platform, deployment] = [&args.platform, &args.deployment].map(|path| read(path));
    let imported = import::simgrid(&platform?, &deployment?)
        .map_err(|report| Failure::usage(report.render(output::text::colours()).trim_end()))?;
    if let Some(file) = &args.write {
        write(file, &imported.topology, args.force)?;
    }
    for warning in &imported.warnings {
        output::note(&format!("{}{warning}", output::text::paint("warning: ", "1;33")));
    }
    let answer = Answer {
        file: args.write.as_ref(),
        topology: &imported.topology,
        warnings: &imported.warnings,
    };
    match (format, &args.write) {
        (Format::Table, Some(file)) => {
            output::note(&format!("written to {}", file.display()));
            Ok(())
        }
        _ => output::print(format, &answer, |answer| answer.topology.to_owned()),
    }
}

fn read(path: &Path) -> Result<Input, Failure> {
    Input::read(path).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", path.display()))
            .remedy("give a platform and a deployment, as SimGrid's XML files")
    })
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{} is there already", file.display()))
                .remedy("--force replaces it")
        }
        _ => Failure::runtime(format!("cannot write {}: {error}", file.display())),
    })
}
