//! A topology file as written: its keys and values with their places in the text.
//!
//! Parse first, understand second: a [`Topology`] says what was written, with every unit read
//! and every key known, but names nothing that need exist. `scenario` checks it as a whole.
//! Reading does not stop at the first mistake: each is a [`Diagnostic`], and what is sound is
//! kept.
//!
//! ```text
//! source      the text: bounded, UTF-8
//! schema      which keys each table has
//! reader      one table: known keys, typed values, mistakes noted
//! value       one value: strings with units, numbers
//! word        one value: words
//! written     what a file can say
//! document    reading the file: tables and their order
//! runs        the same for scheduled commands
//! links       the same for links, and what happens to them
//! routes      the same for routes
//! diagnostic  what is wrong and where
//! report      many of those, rendered as rustc does
//! ```

mod diagnostic;
mod document;
mod links;
mod reader;
mod report;
mod routes;
mod runs;
pub mod schema;
mod source;
mod value;
mod word;
mod written;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity, quote};
pub use report::Report;
pub use source::Source;
pub use value::{Choice, Distribution, EtherType, Loss, Protocol};
pub use word::{Action, Direction, Kind, Mode, OnExit, Overload, Shape, Speed, Start};
pub use written::{
    Cloud, Event, Expect, Fault, Interface, Link, LinkKeys, Match, Metrics, Node, NodeKeys,
    Partition, Run, Time, Topology,
};

pub(crate) use value::parse_bursts;

/// A value and where it was written, as a range of bytes of the file.
pub use toml::Spanned;
