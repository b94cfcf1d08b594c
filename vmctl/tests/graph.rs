//! Drawings of networks: readable as text, and sound in the languages of other programs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use vmctl::output::graph::{self, Graph};
use vmctl::scenario::Scenario;

fn example(name: &str) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    let scenario = Scenario::load(&path).unwrap_or_else(|rejected| panic!("{rejected}"));
    Graph::of_scenario(&scenario)
}

/// A lab with all that a drawing can show.
fn all() -> Graph {
    let text = r#"
        name = "all"
        [node.a]
        [node.b.interface.eth0]
        address = "none"
        [node.lone]
        [node.r]
        forward = true
        [node.s]
        kind = "switch"
        [[link]]
        endpoints = ["a:eth0", "s:p1"]
        delay = "2ms"
        jitter = "1ms"
        loss = "1%"
        [[link]]
        endpoints = ["s:p2", "b:eth0"]
        delay = "1ms"
        reverse = { delay = "3ms", rate = "1Mbit" }
        [[link]]
        endpoints = ["r:eth0", "s:p3"]
        up = false
        [[link]]
        endpoints = ["r:eth1", "a:eth1"]
        [[link]]
        endpoints = ["r:eth2", "a:eth2"]
    "#;
    let scenario = Scenario::parse(text, Path::new("all.toml"));
    Graph::of_scenario(&scenario.unwrap_or_else(|rejected| panic!("{rejected}")))
}

#[test]
fn terminals_get_a_tree() {
    insta::assert_snapshot!(graph::text(&example("ring.toml")));
    insta::assert_snapshot!(graph::text(&all()));
}

#[test]
fn every_link_is_drawn_once() {
    for name in ["ring.toml", "wan.toml", "datacentre.toml", "lossy.toml", "pair.toml"] {
        let drawn = example(name);
        let texts = [graph::text, graph::dot, graph::mermaid].map(|draw| draw(&drawn));
        for (text, mark) in texts.into_iter().zip([" ── ", " -- ", " ---|"]) {
            let lines = text.lines().filter(|line| line.contains(mark)).count();
            assert_eq!(lines, drawn.links.len(), "{name}:\n{text}");
        }
    }
}

#[test]
fn dot_and_mermaid_quote_what_they_are_told() {
    insta::assert_snapshot!(graph::dot(&all()));
    insta::assert_snapshot!(graph::mermaid(&all()));
    let mut hostile = all();
    hostile.nodes[0].name = "\"]; evil [label=\"<b>\\".to_owned();
    let dot = graph::dot(&hostile);
    assert!(dot.contains(r#"label="\"]; evil [label=\"<b>\\\n10.0.0"#), "{dot}");
    assert!(graph::mermaid(&hostile).contains("#quot;]; evil [label=#quot;#lt;b>"));
    for line in dot.lines() {
        let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert_eq!(quotes % 2, 0, "{line}");
    }
    // Where Graphviz is installed, it has the last word.
    if let Ok(mut drawing) =
        Command::new("dot").arg("-Tsvg").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    {
        let mut stdin = drawing.stdin.take().expect("piped");
        stdin.write_all(dot.as_bytes()).expect("dot reads");
        drop(stdin);
        let svg = drawing.wait_with_output().expect("dot ends");
        assert!(svg.status.success() && svg.stdout.ends_with(b"</svg>\n"));
    }
}
