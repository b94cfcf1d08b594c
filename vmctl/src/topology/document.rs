//! Reading the file: its tables, in the order they were written.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::reader::{Reader, in_order};
use super::value::describe;
use super::{
    Diagnostic, Diagnostics, Interface, Link, LinkKeys, Loss, Metrics, Node, NodeKeys, Spanned,
    Time, Topology, quote, routes, runs, schema,
};
use crate::units::Ratio;

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
        links: read_links(&mut file),
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
        read.1 = read_link_keys(&mut Reader::new(table, &schema::DEFAULT_LINK, defaults.found()));
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
        memory: node.value("memory"),
        vcpus: node.value("vcpus"),
        on_exit: node.value("on_exit"),
        forward: node.value("forward"),
        ageing: node.value("ageing"),
        table: node.value("table"),
        link_local: node.value("link_local"),
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

fn read_links(file: &mut Reader<'_, '_>) -> Vec<Link> {
    let Some(value) = file.raw("link") else { return Vec::new() };
    let DeValue::Array(links) = value.get_ref() else {
        let label = format!("expected an array of tables, found {}", describe(value.get_ref()));
        let wrong = Diagnostic::error("links are an array of tables").at(value.span(), label);
        file.found().push(wrong.help("write `[[link]]`, with two brackets, before each link"));
        return Vec::new();
    };
    links.iter().filter_map(|link| read_link(link, file.found())).collect()
}

fn read_link(value: &Spanned<DeValue<'_>>, found: &mut Diagnostics) -> Option<Link> {
    let DeValue::Table(table) = value.get_ref() else {
        let label = format!("expected a table, found {}", describe(value.get_ref()));
        found.push(Diagnostic::error("a link is a table").at(value.span(), label));
        return None;
    };
    let mut link = Reader::new(table, &schema::LINK, found);
    let endpoints = read_endpoints(&mut link, value.span());
    let keys = read_link_keys(&mut link);
    let mut reverse = LinkKeys::default();
    if let Some((table, _)) = link.table("reverse", "reverse = { delay = \"12ms\" }") {
        reverse = read_link_keys(&mut Reader::new(table, &schema::REVERSE, link.found()));
    }
    Some(Link { span: value.span(), endpoints, keys, reverse })
}

const ENDPOINTS: &str = "write `endpoints = [\"alice:eth0\", \"bob:eth0\"]`";

fn read_endpoints(link: &mut Reader<'_, '_>, span: Range<usize>) -> Option<[Spanned<String>; 2]> {
    let Some(value) = link.raw("endpoints") else {
        let missing = Diagnostic::error("a link has no `endpoints`").at(span, "this link");
        link.found().push(missing.help(ENDPOINTS));
        return None;
    };
    let ends = value.get_ref().as_array().map(|ends| ends.iter().map(one_end).collect());
    match ends.and_then(|ends: Option<Vec<_>>| <[_; 2]>::try_from(ends?).ok()) {
        Some(ends) => Some(ends),
        None => {
            let wrong = Diagnostic::error("invalid value for `endpoints`");
            link.found().push(wrong.at(value.span(), "expected two strings").help(ENDPOINTS));
            None
        }
    }
}

fn one_end(value: &Spanned<DeValue<'_>>) -> Option<Spanned<String>> {
    value.get_ref().as_str().map(|text| Spanned::new(value.span(), text.to_owned()))
}

/// Reads the keys that a link, its `reverse` and `[defaults.link]` share. A key that one of them
/// may not have was noted as unknown by its reader.
fn read_link_keys(link: &mut Reader<'_, '_>) -> LinkKeys {
    LinkKeys {
        delay: link.value("delay"),
        jitter: link.value("jitter"),
        rate: link.value("rate"),
        queue: link.value("queue"),
        loss: read_loss(link),
        duplicate: link.value("duplicate"),
        corrupt: link.value("corrupt"),
        reorder: link.value("reorder"),
        overhead: link.value("overhead"),
        up: link.value("up"),
        mtu: link.value("mtu"),
    }
}

fn read_loss(link: &mut Reader<'_, '_>) -> Option<Spanned<Loss>> {
    let value = link.raw("loss")?;
    let DeValue::Table(table) = value.get_ref() else {
        let ratio = link.value::<Ratio>("loss")?;
        return Some(Spanned::new(ratio.span(), Loss::Random(*ratio.get_ref())));
    };
    let loss = read_bursts(table, value.span(), link.found())?;
    Some(Spanned::new(value.span(), loss))
}

/// Reads the parameters of a loss model.
pub(super) fn read_bursts(
    table: &DeTable<'_>,
    span: Range<usize>,
    found: &mut Diagnostics,
) -> Option<Loss> {
    let mut loss = Reader::new(table, &schema::LOSS, found);
    let model = loss.value::<String>("model");
    let [p, r] = ["p", "r"].map(|key| loss.value::<Ratio>(key));
    let [good, bad] = ["loss_good", "loss_bad"].map(|key| loss.value::<Ratio>(key));
    let absent = ["model", "p", "r"].into_iter().find(|key| loss.raw(key).is_none());
    if let Some(key) = absent {
        let missing = Diagnostic::error("invalid value for `loss`");
        let missing = missing.at(span, format!("`{key}` is missing"));
        loss.found().push(missing.help(GILBERT_ELLIOTT));
    }
    let model = model?;
    if model.get_ref() != "gilbert-elliott" {
        let unknown = Diagnostic::error("invalid value for `model`");
        let unknown = unknown.at(model.span(), "the one model is \"gilbert-elliott\"");
        loss.found().push(unknown.help("for independent losses write `loss = \"1%\"`"));
        return None;
    }
    let or = |ratio: Option<Spanned<Ratio>>, percent: u64| {
        ratio.map_or(Ratio::from_parts_per_billion(percent * 10_000_000), Spanned::into_inner)
    };
    Some(Loss::GilbertElliott {
        p: p?.into_inner(),
        r: r?.into_inner(),
        loss_good: or(good, 0),
        loss_bad: or(bad, 100),
    })
}

const GILBERT_ELLIOTT: &str =
    "write `loss = { model = \"gilbert-elliott\", p = \"1%\", r = \"30%\" }`";
