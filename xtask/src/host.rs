//! What this machine is: its distribution, its programs, this user's rights.

use std::path::{Path, PathBuf};

/// What `/etc/os-release` says, as far as packages depend on it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`, for example `debian`.
    pub id: String,
    /// `VERSION_ID`, for example `12`.
    pub version: String,
    /// `VERSION_CODENAME`, for example `bookworm`.
    pub codename: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
}

impl Distribution {
    /// This machine's distribution; all empty where there is no `/etc/os-release`.
    pub fn detect() -> Self {
        Self::parse(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            let found = pairs.find(|(name, _)| *name == key);
            found.map(|(_, value)| value.trim_matches('"').to_owned()).unwrap_or_default()
        };
        Self {
            id: value("ID"),
            version: value("VERSION_ID"),
            codename: value("VERSION_CODENAME"),
            name: value("PRETTY_NAME"),
        }
    }
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether nobody is there to answer a question.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// The first program of that name in `PATH` or the places that only root's has.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|directory| directory.join(name))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_values_may_be_quoted_and_in_any_order() {
        let text = "VERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n\
                    VERSION_CODENAME=bookworm\nID=debian\n";
        let parsed = Distribution::parse(text);
        assert_eq!((parsed.id.as_str(), parsed.version.as_str()), ("debian", "12"));
        assert_eq!(parsed.codename, "bookworm");
        assert_eq!(parsed.name, "Debian GNU/Linux 12 (bookworm)");
    }

    #[test]
    fn an_unknown_system_has_no_names() {
        assert_eq!(Distribution::parse(""), Distribution::default());
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(program("sh").is_some());
        assert_eq!(program("chronotap-no-such-program"), None);
    }
}
