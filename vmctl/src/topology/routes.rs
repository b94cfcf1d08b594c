//! Reading the routes of a node: `routes = ["10.9.0.0/16 via 10.0.0.1"]`.

use toml::de::DeValue;

use super::reader::Reader;
use super::value::describe;
use super::{Diagnostic, Spanned};

/// The routes of a node, each with its place.
pub(super) fn read(node: &mut Reader<'_, '_>) -> Vec<Spanned<String>> {
    let Some(value) = node.raw("routes") else { return Vec::new() };
    let (span, label) = match value.get_ref() {
        DeValue::Array(routes) => {
            match routes.iter().find(|route| route.get_ref().as_str().is_none()) {
                None => return routes.iter().filter_map(route).collect(),
                Some(other) => (other.span(), other.get_ref()),
            }
        }
        other => (value.span(), other),
    };
    let wrong = Diagnostic::error("invalid value for `routes`");
    let wrong = wrong.at(span, format!("expected strings in an array, found {}", describe(label)));
    node.found().push(wrong.help("write `routes = [\"10.9.0.0/16 via 10.0.0.1\"]`"));
    Vec::new()
}

fn route(value: &Spanned<DeValue<'_>>) -> Option<Spanned<String>> {
    value.get_ref().as_str().map(|text| Spanned::new(value.span(), text.to_owned()))
}
