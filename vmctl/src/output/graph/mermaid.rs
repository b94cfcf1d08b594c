//! The graph in Mermaid's language.

use super::Graph;

/// A text that Mermaid draws.
pub fn render(graph: &Graph) -> String {
    let mut lines = vec!["graph LR".to_owned()];
    for (index, node) in graph.nodes.iter().enumerate() {
        let addresses = node.plain_addresses().map(str::to_owned);
        let label: Vec<_> = std::iter::once(node.name.clone()).chain(addresses).collect();
        let label = quoted(&label);
        lines.push(match node.kind {
            "switch" => format!("  n{index}([{label}])"),
            "router" => format!("  n{index}{{{{{label}}}}}"),
            _ => format!("  n{index}[{label}]"),
        });
    }
    for link in &graph.links {
        let [a, b] = link.nodes;
        lines.push(format!("  n{a} ---|{}| n{b}", quoted(&link.told())));
    }
    lines.join("\n")
}

/// Lines as one quoted string: Mermaid knows HTML's entities in it.
fn quoted(lines: &[String]) -> String {
    let escaped = lines.iter().map(|line| line.replace('"', "#quot;").replace('<', "#lt;"));
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("<br/>"))
}
