//! Reading the file: its tables, in the order they were written.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::reader::{Reader, in_order};
use super::value::describe;
use super::{
    Cloud, Diagnostic, Diagnostics, Interface, LinkKeys, Metrics, Node, NodeKeys, Spanned, Time,
    Topology, links, quote, routes, runs, schema,
};

impl Topology {
    /// Reads a file's text; mistakes are noted in `found`. `None` after a mistake of syntax, since
    /// what follows it may have been misunderstood.
    pub fn read(text: &str, found: &mut Diagnostics) -> Option<Self> {
        let (document, errors) = DeTable::parse_recoverable(text);
        note_syntax(text, &errors, found);
        errors.is_empty().then(|| read_file(document.get_ref(), found))
    }
}

/// Notes what the TOML parser could not read.
pub(super) fn note_syntax(text: &str, errors: &[toml::de::Error], found: &mut Diagnostics) {
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let diagnostic = match error.message() {
            "duplicate key" => {
                let name = quote(text.get(span.clone()).unwrap_or_default());
                Diagnostic::error(format!("{name} is given twice")).at(span, "given before")
            }
            message => Diagnostic::error("this is not TOML").at(span, message),
        };
        found.push(diagnostic);
    }
}

fn read_file(table: &DeTable<'_>, found: &mut Diagnostics) -> Topology {
    let mut file = Reader::new(table, &schema::FILE, found);
    let mut topology = Topology {
        version: file.value("version"),
        name: file.value("name"),
        seed: file.value("seed"),
        nodes: read_nodes(&mut file),
        links: links::read(&mut file),
        partitions: links::read_partitions(&mut file),
        ..Topology::default()
    };
    if let Some((table, _)) = file.table("time", "[time]") {
        topology.time = read_time(table, file.found());
    }
    if let Some((table, _)) = file.table("metrics", "[metrics]") {
        let listen = Reader::new(table, &schema::METRICS, file.found()).value("listen");
        topology.metrics = Metrics { listen };
    }
    if let Some((table, _)) = file.table("defaults", "[defaults.link]") {
        (topology.default_node, topology.default_link) = read_defaults(table, file.found());
    }
    topology
}

fn read_time(table: &DeTable<'_>, found: &mut Diagnostics) -> Time {
    let mut time = Reader::new(table, &schema::TIME, found);
    Time {
        mode: time.value("mode"),
        until: time.value("until"),
        tolerance: time.value("tolerance"),
        overload: time.value("overload"),
        quantum: time.value("quantum"),
        overrun_budget: time.value("overrun_budget"),
        parallel: time.value("parallel"),
        start: time.value("start"),
        strict: time.value("strict"),
        ips: time.value("ips"),
        speed: time.value("speed"),
        written: written(table),
    }
}

fn read_defaults(table: &DeTable<'_>, found: &mut Diagnostics) -> (NodeKeys, LinkKeys) {
    let mut defaults = Reader::new(table, &schema::DEFAULTS, found);
    let mut read = (NodeKeys::default(), LinkKeys::default());
    if let Some((table, _)) = defaults.table("node", "[defaults.node]") {
        read.0 = read_node_keys(&mut Reader::new(table, &schema::DEFAULT_NODE, defaults.found()));
    }
    if let Some((table, _)) = defaults.table("link", "[defaults.link]") {
        read.1 = links::read_keys(&mut Reader::new(table, &schema::DEFAULT_LINK, defaults.found()));
    }
    read
}

fn read_nodes(file: &mut Reader<'_, '_>) -> Vec<Node> {
    let Some((nodes, _)) = file.table("node", "[node.NAME]") else { return Vec::new() };
    let mut read = Vec::with_capacity(nodes.len());
    for (name, value) in in_order(nodes) {
        let name = Spanned::new(name.span(), name.get_ref().clone().into_owned());
        match value.get_ref() {
            DeValue::Table(table) => read.push(read_node(name, table, file.found())),
            other => file.found().push(not_a_node(&name, value.span(), other)),
        }
    }
    read
}

fn not_a_node(name: &Spanned<String>, span: Range<usize>, value: &DeValue<'_>) -> Diagnostic {
    Diagnostic::error(format!("node {} is a table", quote(name.get_ref())))
        .at(span, format!("expected a table, found {}", describe(value)))
        .help("each node is a table of its own, such as `[node.alice]`")
}

fn read_node(name: Spanned<String>, table: &DeTable<'_>, found: &mut Diagnostics) -> Node {
    let mut node = Reader::new(table, &schema::NODE, found);
    let keys = read_node_keys(&mut node);
    let mut interfaces = Vec::new();
    if let Some((table, _)) = node.table("interface", "[node.NAME.interface.eth0]") {
        interfaces = read_interfaces(table, node.found());
    }
    let (runs, routes) = (runs::read(&mut node), routes::read(&mut node));
    Node { name, keys, interfaces, runs, routes, written: written(table) }
}

/// The keys of a table with their places.
fn written(table: &DeTable<'_>) -> Vec<Spanned<String>> {
    let keys = in_order(table).into_iter();
    keys.map(|(key, _)| Spanned::new(key.span(), key.to_string())).collect()
}

fn read_node_keys(node: &mut Reader<'_, '_>) -> NodeKeys {
    NodeKeys {
        kind: node.value("kind"),
        kernel: node.value("kernel"),
        initrd: node.value("initrd"),
        append: node.value("append"),
        modules: node.value("modules"),
        image: node.value("image"),
        cloud: read_cloud(node),
        management: node.value("management"),
        gdb: node.value("gdb"),
        memory: node.value("memory"),
        vcpus: node.value("vcpus"),
        on_exit: node.value("on_exit"),
        forward: node.value("forward"),
        ageing: node.value("ageing"),
        table: node.value("table"),
        link_local: node.value("link_local"),
    }
}

fn read_cloud(node: &mut Reader<'_, '_>) -> Cloud {
    let Some((table, span)) = node.table("cloud", "cloud = { user = \"me\" }") else {
        return Cloud::default();
    };
    let mut cloud = Reader::new(table, &schema::CLOUD, node.found());
    Cloud {
        span: Some(span),
        user: cloud.value("user"),
        ssh_key: cloud.value("ssh_key"),
        user_data: cloud.value("user_data"),
    }
}

fn read_interfaces(table: &DeTable<'_>, found: &mut Diagnostics) -> Vec<Interface> {
    let mut read = Vec::new();
    for (name, value) in in_order(table) {
        let DeValue::Table(keys) = value.get_ref() else {
            let label = format!("expected a table, found {}", describe(value.get_ref()));
            let wrong =
                Diagnostic::error(format!("interface {} is a table", quote(name.get_ref())));
            found.push(wrong.at(value.span(), label).help("write `{ address = \"10.0.0.5/24\" }`"));
            continue;
        };
        let mut interface = Reader::new(keys, &schema::INTERFACE, found);
        read.push(Interface {
            name: Spanned::new(name.span(), name.to_string()),
            address: interface.value("address"),
            mac: interface.value("mac"),
        });
    }
    read
}
