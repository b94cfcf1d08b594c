//! One table of the file: unknown keys are noted, known ones read as their types.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::schema::Table;
use super::value::{Value, describe, spanned};
use super::{Diagnostic, Diagnostics, Spanned, quote};
use crate::units::nearest;

/// Reads the keys of one table. What cannot be read is noted and counts as absent.
pub(super) struct Reader<'t, 'd> {
    table: &'t DeTable<'d>,
    found: &'t mut Diagnostics,
}

impl<'t, 'd> Reader<'t, 'd> {
    /// Notes every key that `schema` does not have.
    pub fn new(table: &'t DeTable<'d>, schema: &'static Table, found: &'t mut Diagnostics) -> Self {
        for (key, _) in in_order(table) {
            if !schema.keys.contains(&key.get_ref().as_ref()) {
                found.push(unknown_key(key.get_ref(), key.span(), schema));
            }
        }
        Self { table, found }
    }

    /// The value of `key`, if it is there and can be read.
    pub fn value<T: Value>(&mut self, key: &str) -> Option<Spanned<T>> {
        let value = self.table.get(key)?;
        match T::read(value.get_ref()) {
            Ok(read) => Some(spanned(value, read)),
            Err(refusal) => {
                let invalid = Diagnostic::error(format!("invalid value for `{key}`"))
                    .at(value.span(), refusal.label)
                    .maybe_help(refusal.help);
                self.found.push(invalid);
                None
            }
        }
    }

    /// The value of `key` before it is read, if it is there.
    pub fn raw(&self, key: &str) -> Option<&'t Spanned<DeValue<'d>>> {
        self.table.get(key)
    }

    /// The table called `key` and the place of its header, if it is there. `header` is how to
    /// write it.
    pub fn table(&mut self, key: &str, header: &str) -> Option<(&'t DeTable<'d>, Range<usize>)> {
        let value = self.raw(key)?;
        if let DeValue::Table(table) = value.get_ref() {
            return Some((table, value.span()));
        }
        let label = format!("expected a table, found {}", describe(value.get_ref()));
        let wrong = Diagnostic::error(format!("`{key}` is a table"))
            .at(value.span(), label)
            .help(format!("write `{header}`"));
        self.found.push(wrong);
        None
    }

    /// Where mistakes are noted.
    pub fn found(&mut self) -> &mut Diagnostics {
        self.found
    }
}

/// The entries of a table in the order of the file; the parser keeps them by name.
pub(super) fn in_order<'t, 'd>(
    table: &'t DeTable<'d>,
) -> Vec<(&'t Spanned<toml::de::DeString<'d>>, &'t Spanned<DeValue<'d>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn unknown_key(key: &str, span: Range<usize>, schema: &'static Table) -> Diagnostic {
    let near = nearest(key, schema.keys.iter().copied());
    let keys: Vec<_> = schema.keys.iter().map(|key| format!("`{key}`")).collect();
    let (label, help) = match near {
        Some(near) => (format!("did you mean `{near}`?"), None),
        None => (String::new(), Some(format!("the keys are {}", keys.join(", ")))),
    };
    Diagnostic::error(format!("unknown key {} {}", quote(key), schema.place()))
        .at(span, label)
        .maybe_help(help)
}
