//! Where a capture goes: a file, a pipe, or lines for people and programs.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::blocks::Whole;
use crate::{api::failure::Failure, cli::Format, output::capture};

/// Takes whole blocks.
pub enum Sink {
    /// Their octets, into a file.
    File(File, PathBuf),
    /// Their octets, to standard output.
    Pipe,
    /// Their frames, a line each.
    Lines(Format),
}

impl Sink {
    /// Opens it. A file that is there is overwritten.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn open(write: Option<&Path>, format: Format) -> Result<Self, Failure> {
        match write {
            None => Ok(Self::Lines(format)),
            Some(path) if path == Path::new("-") => Ok(Self::Pipe),
            Some(path) => match File::create(path) {
                Ok(file) => Ok(Self::File(file, path.to_owned())),
                Err(error) => Err(failed(&path.display().to_string(), &error)),
            },
        }
    }

    /// Takes blocks, and passes them on before it returns; false when nobody reads any more.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn take(&mut self, blocks: Whole<'_>) -> Result<bool, Failure> {
        let Self::File(file, path) = self else { return self.print(&blocks) };
        let written = file.write_all(blocks.octets);
        written.map(|()| true).map_err(|error| failed(&path.display().to_string(), &error))
    }

    fn print(&self, blocks: &Whole<'_>) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        let written = match self {
            Self::Lines(format) => blocks.frames.iter().try_for_each(|frame| {
                let line = match format {
                    Format::Table => capture::line(frame),
                    Format::Json => serde_json::to_string(frame)?,
                };
                writeln!(out, "{line}")
            }),
            Self::Pipe | Self::File(..) => out.write_all(blocks.octets),
        };
        match written.and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            // `vmctl capture | head -3`: whoever read has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(failed("to standard output", &error)),
        }
    }
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::runtime(format!("cannot write {what}: {error}"))
}
