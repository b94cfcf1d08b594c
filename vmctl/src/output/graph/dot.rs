//! The graph in Graphviz' language.

use super::Graph;

/// A text that `dot -Tsvg` draws.
pub fn render(graph: &Graph) -> String {
    let mut lines = vec![
        format!("graph {} {{", quoted(std::slice::from_ref(&graph.lab))),
        "  graph [overlap=false, splines=true];".to_owned(),
        "  node [shape=box, fontname=\"sans-serif\"];".to_owned(),
        "  edge [fontname=\"sans-serif\", fontsize=10];".to_owned(),
    ];
    for (index, node) in graph.nodes.iter().enumerate() {
        let shape = match node.kind {
            "switch" => ", shape=ellipse",
            "router" => ", shape=octagon",
            _ => "",
        };
        let addresses = node.plain_addresses().map(str::to_owned);
        let label: Vec<_> = std::iter::once(node.name.clone()).chain(addresses).collect();
        lines.push(format!("  n{index} [label={}{shape}];", quoted(&label)));
    }
    for link in &graph.links {
        let ([a, b], [at_a, at_b]) = (link.nodes, link.interfaces.clone());
        lines.push(format!(
            "  n{a} -- n{b} [label={}, taillabel={}, headlabel={}];",
            quoted(&link.told()),
            quoted(&[at_a]),
            quoted(&[at_b]),
        ));
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

/// Lines as one quoted string: in it, `"` and `\` are escaped.
fn quoted(lines: &[String]) -> String {
    let escaped = lines.iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}
