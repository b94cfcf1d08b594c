//! The text of a topology file: read whole, bounded, UTF-8.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Diagnostic, Diagnostics, Report};

/// A file's text and where it came from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Path as the user gave it.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Most bytes in a file: several times what a lab at all limits takes.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is longer than [`Self::MAX_BYTES`], or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Box<Report>> {
        let octets = octets(path).map_err(|error| unreadable(path, &error))?;
        Self::from_octets(path, octets)
    }

    /// Takes a file's content.
    ///
    /// # Errors
    /// If it is longer than [`Self::MAX_BYTES`] or not UTF-8.
    pub fn from_octets(path: &Path, octets: Vec<u8>) -> Result<Self, Box<Report>> {
        if octets.len() as u64 > Self::MAX_BYTES {
            return Err(refuse(path, String::new(), too_long()));
        }
        match String::from_utf8(octets) {
            Ok(text) => Ok(Self { path: path.to_owned(), text }),
            Err(error) => Err(not_text(path, &error)),
        }
    }
}

fn octets(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(path)?.take(Source::MAX_BYTES + 1).read_to_end(&mut octets)?;
    Ok(octets)
}

fn unreadable(path: &Path, error: &io::Error) -> Box<Report> {
    let title = format!("cannot read the topology file: {}", reason(error));
    let help = match error.kind() {
        io::ErrorKind::NotFound => {
            Some("give the path of a topology file, such as examples/pair.toml")
        }
        io::ErrorKind::IsADirectory => Some("name the topology file inside it"),
        _ => None,
    };
    let diagnostic = Diagnostic::error(title).maybe_help(help.map(str::to_owned));
    refuse(path, String::new(), diagnostic)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn too_long() -> Diagnostic {
    Diagnostic::error("the file is too long to be a topology file")
        .note(format!("a topology file has at most {} KiB", Source::MAX_BYTES >> 10))
}

fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Box<Report> {
    let at = error.utf8_error().valid_up_to();
    // Lossy decoding keeps everything up to `at`, where it puts U+FFFD.
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    let diagnostic = Diagnostic::error("the file is not UTF-8 text")
        .at(at..end, format!("byte 0x{:02x} begins no character", error.as_bytes()[at]));
    refuse(path, text, diagnostic)
}

fn refuse(path: &Path, text: String, diagnostic: Diagnostic) -> Box<Report> {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(diagnostic);
    Box::new(Report::new(Source { path: path.to_owned(), text }, diagnostics))
}
