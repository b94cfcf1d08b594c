//! What `vmctl cp` copies from and to.

use std::path::PathBuf;

use crate::{api::failure::Failure, scenario::NodeName};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file or directory on this host.
    Here(PathBuf),
    /// One in a guest.
    There(Remote),
    /// Standard input or output.
    Stream,
}

/// A file or directory in a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The guest.
    pub node: String,
    /// Begins with a slash, and ends with none.
    pub path: String,
}

impl Place {
    /// Reads `PATH`, `NODE:/PATH` or `-`.
    ///
    /// # Errors
    /// A path in a guest that is not absolute.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Self::Stream);
        }
        let Some((node, path)) =
            text.split_once(':').filter(|(node, _)| NodeName::new(node).is_ok())
        else {
            return Ok(Self::Here(text.into()));
        };
        if !path.starts_with('/') {
            return Err(Failure::usage(format!("`{text}`: a path in a guest begins with a slash"))
                .remedy(format!(
                    "write {node}:/{path} for the guest, or ./{text} for a file here"
                )));
        }
        let trimmed = path.trim_end_matches('/');
        let path = if trimmed.is_empty() { "/" } else { trimmed };
        Ok(Self::There(Remote { node: node.to_owned(), path: path.to_owned() }))
    }
}

impl Remote {
    /// The directory that it is in, and its name there.
    ///
    /// # Errors
    /// It has no name of its own.
    pub fn split(&self) -> Result<(&str, &str), Failure> {
        let Self { node, path } = self;
        match path.rsplit_once('/') {
            Some((directory, name)) if !["", ".", ".."].contains(&name) => {
                Ok((if directory.is_empty() { "/" } else { directory }, name))
            }
            _ => Err(Failure::usage(format!("`{node}:{path}` has no name to copy it under"))
                .remedy("name what is in it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(node: &str, path: &str) -> Place {
        Place::There(Remote { node: node.to_owned(), path: path.to_owned() })
    }

    #[test]
    fn guests_are_told_from_files() {
        let table = [
            ("alice:/etc", there("alice", "/etc")),
            ("alice:/etc//", there("alice", "/etc")),
            ("alice:/a:b", there("alice", "/a:b")),
            ("alice:/", there("alice", "/")),
            ("./alice:/etc", Place::Here("./alice:/etc".into())),
            ("dir/a:b", Place::Here("dir/a:b".into())),
            ("file", Place::Here("file".into())),
            ("-", Place::Stream),
        ];
        for (text, place) in table {
            assert_eq!(Place::parse(text), Ok(place), "{text}");
        }
        let failure = Place::parse("alice:etc").expect_err("not absolute");
        assert_eq!(
            failure.remedy.as_deref(),
            Some("write alice:/etc for the guest, or ./alice:etc for a file here")
        );
    }

    #[test]
    fn names_are_of_something() {
        let split = |path: &str| {
            let remote = Remote { node: "alice".into(), path: path.into() };
            remote.split().map(|(directory, name)| (directory.to_owned(), name.to_owned()))
        };
        assert_eq!(split("/etc/hosts"), Ok(("/etc".into(), "hosts".into())));
        assert_eq!(split("/etc"), Ok(("/".into(), "etc".into())));
        for nameless in ["/", "/etc/..", "/."] {
            assert!(split(nameless).is_err(), "{nameless}");
        }
    }
}
