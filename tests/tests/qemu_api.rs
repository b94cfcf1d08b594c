//! The control API as scripts use it, and the published schema held against a running lab.

use std::process::Command;

use chronotap_tests::lab::{Lab, told, vmctl};
use serde_json::{Value, json};

/// In mode `exact`, with guests that boot quickly and then idle.
const QUIET_PAIR: &str = "
[time]
mode = 'exact'
ips = '62.5MHz'
[node.alice]
[node.bob]
[[link]]
endpoints = ['alice:eth0', 'bob:eth0']
delay = '10ms'
rate = '100Mbit'
";

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn scripts_drive_a_lab_and_get_what_the_schema_says() {
    let lab = Lab::up("t-api", QUIET_PAIR);
    a_guest_that_has_idled_is_in_the_present_when_it_is_talked_to(&lab);
    schema_holds(&lab);
    a_script_drives_it(&lab);
}

/// Long after anything happened, a command's first frame leaves at the lab's time and not at the
/// one that the guest fell asleep at.
fn a_guest_that_has_idled_is_in_the_present_when_it_is_talked_to(lab: &Lab) {
    for span in ["60s", "3s"] {
        lab.vmctl(&["run", "--for", span]);
        lab.vmctl(&["resume"]);
        let ping = lab.ping("alice", "-c 3 -i 0.1 bob");
        assert_eq!(ping.received, 3);
        assert!((20.0..21.0).contains(&ping.min_ms()), "{ping:?}");
        assert!(ping.max_ms() < 42.0, "a resolution of the address may come first: {ping:?}");
    }
    let status = lab.status();
    assert!(status["exact"]["digest"].is_string(), "{}", status["exact"]);
}

fn a_script_drives_it(lab: &Lab) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/drive.py");
    let output = Command::new("python3").args([script, lab.name()]).output().expect("python3");
    assert!(output.status.success(), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(": 20.") && said.contains("with 50 ms each way 100."), "{said}");
}

fn schema_holds(lab: &Lab) {
    let printed = vmctl(["schema"]);
    let schema: Value = serde_json::from_slice(&printed.stdout).expect("the schema is JSON");
    let commands: [(&str, &[&str]); 7] = [
        ("ps", &["ps"]),
        ("status", &["status"]),
        ("clock", &["clock"]),
        ("link show", &["link", "show"]),
        ("link set", &["link", "set", "alice:eth0", "loss=0%"]),
        ("pause", &["pause"]),
        ("resume", &["resume"]),
    ];
    for (command, args) in commands {
        let said = lab.vmctl(&[&["-o", "json"], args].concat());
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_valid(&schema, &schema["commands"][command], &said);
    }
    for path in
        ["/v1/lab", "/v1/status", "/v1/links", "/v1/links/bob:eth0", "/v1/clock", "/v1/runs"]
    {
        let request = match path.strip_prefix("/v1/links/") {
            Some(_) => "GET /v1/links/{link}".to_owned(),
            None => format!("GET {path}"),
        };
        assert_valid(&schema, &schema["requests"][request]["answer"], &curl(lab, path, &[]));
    }
    let ran =
        curl(lab, "/v1/guests/bob/exec", &["-d", r#"{"argv": ["sh", "-c", "echo hi; exit 3"]}"#]);
    assert_valid(&schema, &schema["requests"]["POST /v1/guests/{node}/exec"]["answer"], &ran);
    assert_eq!(ran, json!({ "outcome": { "exited": 3 }, "stdout": "hi\n", "stderr": "" }));
    let refused = curl(lab, "/v1/guests/carol/exec", &["-d", r#"{"argv": ["true"]}"#]);
    assert_valid(&schema, &schema["failure"], &refused);
    assert_eq!(refused["kind"], "not_found");
    let failed = lab.try_vmctl(&["-o", "json", "link", "show", "no:such"]);
    let failed: Value = serde_json::from_slice(&failed.stderr).expect("JSON");
    assert_valid(&schema, &schema["failure"], &failed["error"]);
}

fn curl(lab: &Lab, path: &str, args: &[&str]) -> Value {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--unix-socket"])
        .arg(lab.state_dir().join("control.sock"))
        .args(args)
        .arg(format!("http://lab{path}"))
        .output()
        .expect("curl runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{path}: {}", told(&output)))
}

fn assert_valid(schema: &Value, part: &Value, instance: &Value) {
    assert!(part.is_object(), "the schema has no such part");
    // Without `additionalProperties` a schema lets anything more pass: what is there and not
    // documented is found here.
    let mut strict = json!({ "allOf": [part], "$defs": schema["$defs"] });
    close(&mut strict["$defs"]);
    let errors: Vec<_> = jsonschema::validator_for(&strict)
        .expect("a schema")
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\nin {instance:#}");
}

/// Refuses properties that are not listed, wherever properties are.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let is_closed = object.contains_key("additionalProperties");
            if object.get("properties").is_some_and(Value::is_object) && !is_closed {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}
