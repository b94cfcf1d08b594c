//! Reading the commands that a node runs: `[[node.NAME.run]]`.

use toml::de::DeValue;

use super::reader::Reader;
use super::value::describe;
use super::{Diagnostic, Diagnostics, Expect, Run, Spanned, schema};

/// The scheduled commands of a node.
pub(super) fn read(node: &mut Reader<'_, '_>) -> Vec<Run> {
    let Some(value) = node.raw("run") else { return Vec::new() };
    let DeValue::Array(runs) = value.get_ref() else {
        let label = format!("expected an array of tables, found {}", describe(value.get_ref()));
        let wrong = Diagnostic::error("scheduled commands are an array of tables");
        let help = "write `[[node.NAME.run]]`, with two brackets, before each command";
        node.found().push(wrong.at(value.span(), label).help(help));
        return Vec::new();
    };
    runs.iter().filter_map(|run| read_run(run, node.found())).collect()
}

fn read_run(value: &Spanned<DeValue<'_>>, found: &mut Diagnostics) -> Option<Run> {
    let DeValue::Table(table) = value.get_ref() else {
        let label = format!("expected a table, found {}", describe(value.get_ref()));
        found.push(Diagnostic::error("a scheduled command is a table").at(value.span(), label));
        return None;
    };
    let mut run = Reader::new(table, &schema::RUN, found);
    if run.raw("command").is_none() {
        let missing = Diagnostic::error("a scheduled command has no `command`");
        let missing = missing.at(value.span(), "this one");
        run.found().push(missing.help("write `command = [\"ping\", \"-c\", \"1\", \"bob\"]`"));
    }
    let (at, command) = (run.value("at"), run.value("command"));
    Some(Run { span: value.span(), at, command, expect: read_expect(&mut run) })
}

fn read_expect(run: &mut Reader<'_, '_>) -> Expect {
    let Some((table, _)) = run.table("expect", "expect = { exit = 0 }") else {
        return Expect::default();
    };
    let mut expect = Reader::new(table, &schema::EXPECT, run.found());
    Expect {
        exit: expect.value("exit"),
        stdout: expect.value("stdout"),
        stderr: expect.value("stderr"),
    }
}
