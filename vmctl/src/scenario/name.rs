//! Names that may stand in host names, directories, labels and `/etc/hosts`.

use std::fmt;

use serde::Serialize;

/// Most characters in the name of a lab or node.
pub const MAX_NAME: usize = 40;
/// Most characters in an interface name: the kernel's IFNAMSIZ less the final NUL.
pub const MAX_INTERFACE: usize = 15;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Checks the name.
            ///
            /// # Errors
            /// What is wrong with it, as a clause that follows the name in a sentence.
            pub fn new(name: &str) -> Result<Self, Misnamed> {
                $check(name)?;
                Ok(Self(name.to_owned()))
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }
    };
}

name! {
    /// Name of a lab: its state directory and network namespace are called that.
    LabName, check_lab
}
name! {
    /// Name of a guest or switch, fit to be a host name.
    NodeName, check_node
}
name! {
    /// Name of a network interface inside a guest, or of a switch's port.
    IfName, check_interface
}

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misnamed {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It is longer than the limit.
    #[error("has {length} characters; at most {limit} are allowed")]
    TooLong {
        /// Characters in the name.
        length: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// It contains a character outside the alphabet.
    #[error("contains {found:?}; only {alphabet} are allowed")]
    Character {
        /// The first such character.
        found: char,
        /// What may be used, in words.
        alphabet: &'static str,
    },
    /// It starts with the wrong kind of character.
    #[error("must start with {start}")]
    Start {
        /// What it may start with, in words.
        start: &'static str,
    },
    /// It ends in `-` or `_`.
    #[error("must end in a letter or digit")]
    End,
    /// It means something else already.
    #[error("is reserved")]
    Reserved,
}

fn check_lab(name: &str) -> Result<(), Misnamed> {
    check_host(name)?;
    starts(name, |c| c.is_ascii_alphanumeric(), "a lower-case letter or a digit")
}

fn check_node(name: &str) -> Result<(), Misnamed> {
    check_host(name)?;
    // A name such as `1` or `0x7f` would be read as an IPv4 address by inet_aton(3).
    starts(name, |c| c.is_ascii_lowercase(), "a lower-case letter")?;
    if name == "localhost" { Err(Misnamed::Reserved) } else { Ok(()) }
}

fn check_interface(name: &str) -> Result<(), Misnamed> {
    // No `-`: it separates the two ends in a link's label.
    spelt(
        name,
        MAX_INTERFACE,
        |c| c.is_ascii_alphanumeric() || c == '_',
        "letters, digits and `_`",
    )?;
    starts(name, |c| c.is_ascii_alphabetic(), "a letter")?;
    if name == "lo" { Err(Misnamed::Reserved) } else { Ok(()) }
}

fn check_host(name: &str) -> Result<(), Misnamed> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    spelt(name, MAX_NAME, allowed, "lower-case letters, digits, `-` and `_`")?;
    if name.ends_with(['-', '_']) { Err(Misnamed::End) } else { Ok(()) }
}

fn spelt(
    name: &str,
    limit: usize,
    allowed: impl Fn(char) -> bool,
    alphabet: &'static str,
) -> Result<(), Misnamed> {
    if name.is_empty() {
        return Err(Misnamed::Empty);
    }
    if let Some(found) = name.chars().find(|&c| !allowed(c)) {
        return Err(Misnamed::Character { found, alphabet });
    }
    let length = name.len();
    if length > limit { Err(Misnamed::TooLong { length, limit }) } else { Ok(()) }
}

fn starts(name: &str, allowed: impl Fn(char) -> bool, start: &'static str) -> Result<(), Misnamed> {
    if name.starts_with(allowed) { Ok(()) } else { Err(Misnamed::Start { start }) }
}
