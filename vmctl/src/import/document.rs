//! An XML text: bounded, never fetched from elsewhere, with the lines of its elements.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use roxmltree::{Node, ParsingOptions};

use super::warnings::Warnings;
use crate::topology::{Diagnostic, Diagnostics, Report, Source, quote};

/// Elements, attributes and texts of a document: some times what the largest platforms have.
const NODES: u32 = 2_000_000;
/// How deep elements may lie in each other.
const DEPTH: usize = 64;

/// A file to import.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it is, for messages.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

impl Input {
    /// Longest file: the largest platforms that SimGrid comes with have 1 MiB.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is longer than [`Self::MAX_BYTES`], or is not UTF-8.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut octets = Vec::new();
        File::open(path)?.take(Self::MAX_BYTES + 1).read_to_end(&mut octets)?;
        if octets.len() as u64 > Self::MAX_BYTES {
            return Err(io::Error::other("it is longer than 16 MiB"));
        }
        let text = String::from_utf8(octets)
            .map_err(|error| io::Error::other(format!("it is not UTF-8: {error}")))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// Its path, for messages.
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }
}

/// Why a file cannot be imported.
#[derive(Clone, Debug)]
pub(super) struct Refused(pub Box<Diagnostic>);

impl Refused {
    /// Joined to the text it is in.
    pub fn report(self, input: &Input) -> Box<Report> {
        let mut found = Diagnostics::default();
        found.push(*self.0);
        let source = Source { path: input.path.clone(), text: input.text.clone() };
        Box::new(Report::new(source, found))
    }

    /// Says what would be right.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.0.help = Some(text.into());
        self
    }
}

/// A parsed file.
pub(super) struct Document<'i> {
    pub path: String,
    pub xml: roxmltree::Document<'i>,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl<'i> Document<'i> {
    /// Parses a file. Entities that it defines itself are expanded, within bounds; nothing that it
    /// names elsewhere is looked at.
    pub fn parse(input: &'i Input) -> Result<Self, Refused> {
        let text = input.text.as_str();
        let starts: Vec<_> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES, ..Default::default() };
        let xml = roxmltree::Document::parse_with_options(text, options).map_err(|error| {
            let at = error.pos();
            let line = starts.get((at.row as usize).saturating_sub(1)).copied().unwrap_or(0);
            let rest = text.get(line..).unwrap_or_default();
            let ahead = rest.chars().take((at.col as usize).saturating_sub(1));
            let at = line + ahead.map(char::len_utf8).sum::<usize>();
            let wrong = Diagnostic::error("this is not XML").at(at..at, error.to_string());
            Refused(Box::new(wrong))
        })?;
        let document = Self { path: input.shown(), xml, starts };
        let root = document.xml.root_element();
        if let Some(deep) = root.descendants().find(|node| node.ancestors().count() > DEPTH) {
            return Err(refuse(deep, "elements lie too deep in each other", "this one"));
        }
        document.check_root(root)?;
        Ok(document)
    }

    fn check_root(&self, root: Node<'_, '_>) -> Result<(), Refused> {
        if root.tag_name().name() != "platform" {
            let title = "this is no file of SimGrid's";
            return Err(refuse(root, title, "expected the root element `platform`"));
        }
        let version = root.attribute("version").unwrap_or("none");
        if !matches!(version, "4" | "4.0" | "4.1") {
            let title = format!("the file has version {}", quote(version));
            let help =
                "versions 4 and 4.1 are read; SimGrid's `simgrid_update_xml` mends older files";
            return Err(refuse(root, title, "written for another SimGrid").help(help));
        }
        Ok(())
    }

    /// The line that an element begins in, from 1.
    pub fn line(&self, node: Node<'_, '_>) -> usize {
        self.starts.partition_point(|start| *start <= node.range().start)
    }

    /// Warns about an element.
    pub fn warn(&self, node: Node<'_, '_>, message: String, warnings: &mut Warnings) {
        warnings.push(&self.path, self.line(node), message);
    }

    /// Warns about each attribute that is not among the `known`.
    pub fn only(&self, node: Node<'_, '_>, known: &[&str], warnings: &mut Warnings) {
        for attribute in node.attributes().filter(|found| !known.contains(&found.name())) {
            let line = self.starts.partition_point(|start| *start <= attribute.range().start);
            let (name, element) = (quote(attribute.name()), node.tag_name().name());
            let why = why(attribute.name());
            warnings.push(&self.path, line, format!("{name} of <{element}> {why}"));
        }
    }

    /// Warns about an element that means nothing here.
    pub fn foreign(&self, node: Node<'_, '_>, warnings: &mut Warnings) {
        let name = node.tag_name().name();
        let message = match (name, node.attribute("id")) {
            ("prop", Some(id)) => format!("property {} has no counterpart", quote(id)),
            ("trace" | "trace_connect", _) => {
                format!("<{name}>: values that change with time are not imported")
            }
            _ => format!("<{}> has no counterpart", name.escape_debug()),
        };
        self.warn(node, message, warnings);
    }
}

fn why(attribute: &str) -> &'static str {
    match attribute {
        "speed" | "pstate" | "core" | "power" => {
            "has no counterpart: the lab's mode says how fast guests are, `vcpus` how wide"
        }
        "bandwidth_file" | "latency_file" | "state_file" | "speed_file" | "availability_file" => {
            "is not imported: the value does not change with time here"
        }
        "loopback_bw" | "loopback_lat" => {
            "has no counterpart: what a guest sends to itself never leaves it"
        }
        "start_time" | "kill_time" | "on_failure" => {
            "has no counterpart: guests boot with the lab; see `[[node.NAME.run]]` and `on_exit`"
        }
        _ => "has no counterpart",
    }
}

/// The child elements.
pub(super) fn children<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// Refuses an element.
pub(super) fn refuse(
    node: Node<'_, '_>,
    title: impl Into<String>,
    label: impl Into<String>,
) -> Refused {
    refuse_at(head(node), title, label)
}

/// Refuses what stands somewhere.
pub(super) fn refuse_at(
    span: Range<usize>,
    title: impl Into<String>,
    label: impl Into<String>,
) -> Refused {
    Refused(Box::new(Diagnostic::error(title).at(span, label)))
}

/// The place of an element's name, without what is in it.
pub(super) fn head(node: Node<'_, '_>) -> Range<usize> {
    let start = node.range().start;
    start..start + 1 + node.tag_name().name().len()
}

/// The value of an attribute that must be there.
pub(super) fn required<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, Refused> {
    node.attribute(name).ok_or_else(|| {
        let element = node.tag_name().name();
        refuse(node, format!("<{element}> without `{name}`"), format!("`{name}` is missing"))
    })
}

/// Refuses an attribute's value.
pub(super) fn refuse_value(node: Node<'_, '_>, name: &str, label: impl Into<String>) -> Refused {
    let place = node.attribute_node(name).map_or_else(|| head(node), |found| found.range());
    refuse_at(place, format!("invalid value for `{name}`"), label)
}
