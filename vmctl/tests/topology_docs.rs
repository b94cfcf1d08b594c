//! What users read is true: every key is documented, every example is a good file.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use vmctl::scenario::Scenario;
use vmctl::topology::schema;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sections of the page by their headings.
fn sections(page: &str) -> Vec<(&str, &str)> {
    let parts = page.split("\n## ").skip(1);
    parts.filter_map(|part| part.split_once('\n')).collect()
}

/// The keys in a section's table: the first column, in backquotes.
fn documented(section: &str) -> Vec<&str> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(key, _)| key).collect()
}

#[test]
fn every_key_is_documented_in_order() {
    let page = read_to_string(root().join("docs/topology.md")).expect("the page is there");
    let sections = sections(&page);
    for table in schema::TABLES {
        let section = sections.iter().find(|(heading, _)| *heading == table.header);
        let (_, section) = section.unwrap_or_else(|| panic!("no section `{}`", table.header));
        let mut keys = table.keys.to_vec();
        let mut documented = documented(section);
        keys.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, keys, "keys of {}", table.header);
    }
}

/// Each block of TOML on the page, with the nodes that it leaves out.
#[test]
fn every_block_of_the_page_is_read() {
    let page = read_to_string(root().join("docs/topology.md")).expect("the page is there");
    let blocks: Vec<_> = page.split("```toml\n").skip(1).collect();
    assert!(blocks.len() >= schema::TABLES.len() - 1, "{} blocks", blocks.len());
    for block in blocks {
        let block = block.split("```").next().unwrap_or_default();
        let text = with_nodes(block);
        if let Err(rejected) = Scenario::parse(&text, Path::new("docs.toml")) {
            panic!("{text}\n{rejected}");
        }
    }
}

/// A block by itself lacks the ends of its links, or links to its interfaces.
fn with_nodes(block: &str) -> String {
    let mut text = block.to_owned();
    let ends = block.split('"').filter_map(|word| word.split_once(":eth")).map(|(node, _)| node);
    for node in ends {
        let header = format!("[node.{node}]");
        if !text.contains(&header) {
            text += &format!("\n{header}\n");
        }
    }
    if block.contains("[node.web.interface") {
        text += "[node.peer]\n";
        for nic in ["eth0", "eth1"] {
            text += &format!("[[link]]\nendpoints = [\"web:{nic}\", \"peer:{nic}\"]\n");
        }
    } else if !text.contains("[node.") {
        text += "\n[node.alice]\n";
    }
    text
}

#[test]
fn every_example_is_accepted_without_a_warning() {
    let directory = root().join("examples").read_dir().expect("the examples are there");
    let mut seen = Vec::new();
    for entry in directory {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario = Scenario::load(&path).unwrap_or_else(|rejected| panic!("{rejected}"));
        assert_eq!(scenario.warnings.to_string(), "", "{}", path.display());
        assert_eq!(scenario.plan().check(), Ok(()), "{}", path.display());
        let text = read_to_string(&path).expect("readable");
        assert!(text.starts_with("# "), "{} does not say what it is", path.display());
        assert_eq!(path.file_stem(), Some(scenario.name.as_str().as_ref()), "named as its file");
        seen.push(scenario.name.to_string());
    }
    seen.sort();
    for name in ["asymmetric", "exact", "lockstep", "lossy", "pair", "star"] {
        assert!(seen.iter().any(|seen| seen == name), "no example {name} among {seen:?}");
    }
}
