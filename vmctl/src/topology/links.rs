//! Reading links, and what happens to them: `[[link]]`, `[[partition]]`.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::reader::Reader;
use super::value::describe;
use super::{
    Diagnostic, Diagnostics, Distribution, Event, Fault, Link, LinkKeys, Loss, Match, Partition,
    Shape, Spanned, schema,
};
use crate::units::Ratio;

/// The links of the file.
pub(super) fn read(file: &mut Reader<'_, '_>) -> Vec<Link> {
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
    let keys = read_keys(&mut link);
    let mut reverse = LinkKeys::default();
    if let Some((table, _)) = link.table("reverse", "reverse = { delay = \"12ms\" }") {
        reverse = read_keys(&mut Reader::new(table, &schema::REVERSE, link.found()));
    }
    let events = happenings("event", &mut link, read_event);
    let faults = happenings("fault", &mut link, read_fault);
    Some(Link { span: value.span(), endpoints, keys, reverse, events, faults })
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
pub(super) fn read_keys(link: &mut Reader<'_, '_>) -> LinkKeys {
    let is_table = link.raw("rate").is_some_and(|rate| rate.get_ref().is_table());
    LinkKeys {
        delay: link.value("delay"),
        jitter: link.value("jitter"),
        distribution: read_distribution(link),
        rate: if is_table { None } else { link.value("rate") },
        trace: if is_table { read_trace(link) } else { None },
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

const TRACE: &str = "write `rate = { trace = \"lte.mahi\" }`";

fn read_trace(link: &mut Reader<'_, '_>) -> Option<Spanned<String>> {
    let (table, span) = link.table("rate", TRACE)?;
    let path = Reader::new(table, &schema::RATE, link.found()).value("trace");
    if table.get("trace").is_none() {
        let missing = Diagnostic::error("invalid value for `rate`").at(span, "`trace` is missing");
        link.found().push(missing.help(TRACE));
    }
    path
}

fn read_distribution(link: &mut Reader<'_, '_>) -> Option<Spanned<Distribution>> {
    let value = link.raw("distribution")?;
    let DeValue::Table(table) = value.get_ref() else {
        let shape = link.value::<Shape>("distribution")?;
        return Some(Spanned::new(shape.span(), Distribution::Shape(*shape.get_ref())));
    };
    let path = Reader::new(table, &schema::DISTRIBUTION, link.found()).value::<String>("table");
    if table.get("table").is_none() {
        let missing = Diagnostic::error("invalid value for `distribution`");
        let missing = missing.at(value.span(), "`table` is missing");
        let help = "write `distribution = { table = \"wifi.dist\" }`";
        link.found().push(missing.help(help));
    }
    let path = path?;
    Some(Spanned::new(path.span(), Distribution::Table(path.into_inner())))
}

/// An array of tables called `key`, each read by `read`.
fn happenings<T>(
    key: &str,
    of: &mut Reader<'_, '_>,
    read: impl Fn(Range<usize>, &DeTable<'_>, &mut Diagnostics) -> T,
) -> Vec<T> {
    let Some(value) = of.raw(key) else { return Vec::new() };
    let wrong = |value: &Spanned<DeValue<'_>>| {
        let label = format!("expected an array of tables, found {}", describe(value.get_ref()));
        Diagnostic::error(format!("`{key}` is an array of tables")).at(value.span(), label)
    };
    let DeValue::Array(items) = value.get_ref() else {
        of.found().push(wrong(value).help("write its name in two brackets before each"));
        return Vec::new();
    };
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        match item.get_ref() {
            DeValue::Table(table) => all.push(read(item.span(), table, of.found())),
            _ => of.found().push(wrong(item)),
        }
    }
    all
}

/// Notes a key that has to be there.
fn require(what: &str, key: &str, help: &str, span: &Range<usize>, of: &mut Reader<'_, '_>) {
    if of.raw(key).is_none() {
        let missing = Diagnostic::error(format!("{what} has no `{key}`"));
        of.found().push(missing.at(span.clone(), "this one").help(help));
    }
}

fn read_event(span: Range<usize>, table: &DeTable<'_>, found: &mut Diagnostics) -> Event {
    let mut event = Reader::new(table, &schema::EVENT, found);
    require("an event", "at", "write `at = \"5s\"`", &span, &mut event);
    require("an event", "set", "write `set = { delay = \"50ms\" }`", &span, &mut event);
    let mut set = LinkKeys::default();
    if let Some((table, _)) = event.table("set", "set = { delay = \"50ms\" }") {
        set = read_keys(&mut Reader::new(table, &schema::SET, event.found()));
    }
    let (at, lasts) = (event.value("at"), event.value("for"));
    Event { span, at, lasts, direction: event.value("direction"), set }
}

fn read_fault(span: Range<usize>, table: &DeTable<'_>, found: &mut Diagnostics) -> Fault {
    let mut fault = Reader::new(table, &schema::FAULT, found);
    require("a fault", "action", "write `action = \"drop\"`", &span, &mut fault);
    let mut matches = Match::default();
    if let Some((table, _)) = fault.table("match", "match = { protocol = \"udp\", port = 53 }") {
        let mut written = Reader::new(table, &schema::MATCH, fault.found());
        matches = Match {
            ethertype: written.value("ethertype"),
            protocol: written.value("protocol"),
            port: written.value("port"),
            source_port: written.value("source_port"),
            destination_port: written.value("destination_port"),
        };
    }
    Fault {
        span,
        action: fault.value("action"),
        direction: fault.value("direction"),
        matches,
        share: fault.value("share"),
        nth: fault.value("nth"),
        count: fault.value("count"),
        from: fault.value("from"),
        until: fault.value("until"),
    }
}

const BETWEEN: &str = "write `between = [[\"alice\", \"bob\"], [\"carol\"]]`";

/// The partitions of the file.
pub(super) fn read_partitions(file: &mut Reader<'_, '_>) -> Vec<Partition> {
    happenings("partition", file, |span, table, found| {
        let mut partition = Reader::new(table, &schema::PARTITION, found);
        require("a partition", "at", "write `at = \"5s\"`", &span, &mut partition);
        require("a partition", "between", BETWEEN, &span, &mut partition);
        let between = read_sets(&mut partition);
        let (at, lasts) = (partition.value("at"), partition.value("for"));
        Partition { span, at, lasts, between }
    })
}

fn read_sets(partition: &mut Reader<'_, '_>) -> Option<Spanned<Vec<Vec<Spanned<String>>>>> {
    let value = partition.raw("between")?;
    let set = |set: &Spanned<DeValue<'_>>| -> Option<Vec<_>> {
        set.get_ref().as_array()?.iter().map(one_end).collect()
    };
    let sets: Option<Vec<_>> =
        value.get_ref().as_array().and_then(|sets| sets.iter().map(set).collect());
    let sets = sets.filter(|sets| sets.len() > 1 && sets.iter().all(|set| !set.is_empty()));
    if sets.is_none() {
        let wrong = Diagnostic::error("invalid value for `between`");
        let wrong = wrong.at(value.span(), "expected two or more arrays of nodes' names");
        partition.found().push(wrong.help(BETWEEN));
    }
    Some(Spanned::new(value.span(), sets?))
}
