//! `vmctl schema`: what `-o json` prints and the control API speaks, as JSON Schema.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use super::{
    cp::Copied,
    doctor::{Diagnosis, Everything, Host},
    exec::RanInGuest,
    import::Answer,
    inspect::LinkNow,
    run::{Repeated, Sweep},
    time::Orphans,
    verify::Verification,
};
use crate::{
    api::{
        access::{Gdb, Ssh},
        capture::{Captured, Tally},
        exec,
        failure::Failure,
        inspect,
        link::{LinkChange, LinksChange},
        pings::{Pings, Watch},
        play::{Play, Played},
        runs::Runs,
        status::{Barrier, Event, Lab, Link, Listed, Status},
        targets::TargetGroup,
        time::{Advance, Advanced, Clock},
    },
    output::{self, graph::Graph},
    scenario::Description,
};

/// Prints the document.
pub fn run() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&document()).map_err(Failure::runtime)?;
    output::line(&text)
}

/// Every command's output under `commands`, every request's body and answer under `requests`, and
/// the types that they refer to under `$defs`.
pub fn document() -> Value {
    let mut types = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let commands = commands(&mut types);
    let requests = requests(&mut types);
    let failure = of::<Failure>(&mut types);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Chronotap: `vmctl -o json` and version 1 of the control API",
        "commands": commands,
        "requests": requests,
        "failure": {
            "description": "On standard error as `{\"error\": …}`, in the API as the body of any \
                            answer of 400 and more",
            "allOf": [failure],
        },
        "$defs": types.take_definitions(true),
    })
}

/// By command, as it is typed.
fn commands(types: &mut SchemaGenerator) -> Value {
    let printed = [
        ("check", of::<Description>(types)),
        ("up", of::<Status>(types)),
        ("ps", of::<Vec<Listed>>(types)),
        ("status", of::<Status>(types)),
        ("doctor", of::<Host>(types)),
        ("doctor NODE", of::<Diagnosis>(types)),
        ("doctor --all", of::<Everything>(types)),
        ("pause", of::<Barrier>(types)),
        ("resume", any([of::<Barrier>(types), of::<Orphans>(types)])),
        ("step", of::<Advanced>(types)),
        ("run FILE", of::<Played>(types)),
        ("run FILE --repeat", of::<Repeated>(types)),
        ("run FILE --seeds", of::<Sweep>(types)),
        ("run --for", of::<Advanced>(types)),
        ("clock", of::<Clock>(types)),
        ("link show", of::<Vec<Link>>(types)),
        ("link set", of::<Vec<Link>>(types)),
        ("link down", of::<Vec<Link>>(types)),
        ("link up", of::<Vec<Link>>(types)),
        ("link reset", of::<Vec<Link>>(types)),
        ("events, by line", of::<Event>(types)),
        ("inspect NODE", of::<inspect::Guest>(types)),
        ("inspect LINK", of::<LinkNow>(types)),
        ("verify", of::<Verification>(types)),
        ("capture, by line", of::<Captured>(types)),
        ("capture -w FILE", of::<Tally>(types)),
        ("graph", of::<Graph>(types)),
        ("import simgrid", of::<Answer<'_>>(types)),
        ("exec --all", of::<Vec<RanInGuest>>(types)),
        ("cp", of::<Copied>(types)),
        ("ssh-config", of::<Vec<Ssh>>(types)),
        ("gdb", of::<Gdb>(types)),
        ("metrics targets", of::<Vec<TargetGroup>>(types)),
    ];
    printed.into_iter().map(|(command, schema)| (command.to_owned(), schema.to_value())).collect()
}

/// By method and path. WebSockets carry more than JSON; `docs/api.md` describes them.
fn requests(types: &mut SchemaGenerator) -> Value {
    let requests = [
        ("GET /v1/lab", None, of::<Lab>(types)),
        ("GET /v1/status", None, of::<Status>(types)),
        ("GET /v1/links", None, of::<Vec<Link>>(types)),
        ("GET /v1/links/{link}", None, of::<Link>(types)),
        ("PATCH /v1/links/{link}", Some(of::<LinkChange>(types)), of::<Link>(types)),
        ("PATCH /v1/links", Some(of::<LinksChange>(types)), of::<Vec<Link>>(types)),
        ("POST /v1/pause", None, of::<Barrier>(types)),
        ("POST /v1/resume", None, of::<Barrier>(types)),
        ("POST /v1/advance", Some(of::<Advance>(types)), of::<Advanced>(types)),
        ("POST /v1/play", Some(of::<Play>(types)), of::<Played>(types)),
        ("POST /v1/shutdown", None, of::<()>(types)),
        ("GET /v1/clock", None, of::<Clock>(types)),
        ("GET /v1/runs", None, of::<Runs>(types)),
        ("GET /v1/events, by line", None, of::<Event>(types)),
        ("POST /v1/pings", None, of::<Watch>(types)),
        ("DELETE /v1/pings/{watch}", None, of::<Pings>(types)),
        ("DELETE /v1/captures/{id}", None, of::<()>(types)),
        ("GET /v1/guests/{node}", None, of::<inspect::Guest>(types)),
        ("GET /v1/guests/{node}/ssh", None, of::<Ssh>(types)),
        ("GET /v1/guests/{node}/gdb", None, of::<Gdb>(types)),
        ("POST /v1/guests/{node}/exec", Some(of::<exec::Request>(types)), of::<exec::Ran>(types)),
    ];
    let entry = |(request, body, answer): (&str, Option<Schema>, Schema)| {
        let entry = match body {
            Some(body) => json!({ "body": body, "answer": answer }),
            None => json!({ "answer": answer }),
        };
        (request.to_owned(), entry)
    };
    requests.into_iter().map(entry).collect()
}

fn of<T: JsonSchema>(types: &mut SchemaGenerator) -> Schema {
    types.subschema_for::<T>()
}

fn any(schemas: [Schema; 2]) -> Schema {
    json_schema!({ "anyOf": schemas })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refreshed with `vmctl schema > docs/schema.json`.
    #[test]
    fn the_published_schema_is_that_of_this_version() {
        let published = include_str!("../../../docs/schema.json");
        let published: Value = serde_json::from_str(published).expect("JSON");
        assert!(published == document(), "run `vmctl schema > docs/schema.json`");
    }

    #[test]
    fn no_type_has_a_number_for_a_name() {
        let document = document();
        let names = document["$defs"].as_object().expect("definitions").keys();
        let doubled: Vec<_> = names.filter(|name| name.ends_with(char::is_numeric)).collect();
        assert!(doubled.is_empty(), "two types are called the same: {doubled:?}");
    }
}
