//! State directories: whose they are, what is found in them, how they end. Without privilege.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use vmctl::api::targets::TargetGroup;
use vmctl::lab::{LabError, LabRecord, Labs, ProcessId, Removed};
use vmctl::scenario::{LabName, NodeName};

/// For a daemon that is expected to end when asked: no load makes it take this long.
const PATIENT: Duration = Duration::from_secs(120);

struct Place {
    root: TempDir,
    labs: Labs,
    name: LabName,
}

fn place() -> Place {
    let root = tempfile::tempdir().expect("temporary directory");
    let labs = Labs::at(root.path().join("chronotap"));
    Place { root, labs, name: LabName::new("pair").expect("a name") }
}

fn record_of(pid: u32) -> LabRecord {
    let daemon = ProcessId::of(pid).expect("/proc").expect("alive");
    LabRecord { daemon, topology: PathBuf::from("/pair.toml"), metrics: None, started_at: 7 }
}

/// A process that ends when asked, standing for a daemon (it holds no lock).
fn daemon() -> Child {
    Command::new("sleep")
        .arg("1000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sleep(1)")
}

#[test]
fn a_lab_is_claimed_by_one_and_listed_while_it_lives() {
    let Place { labs, name, root: _root } = place();
    assert!(labs.list().expect("a root that does not exist is empty").is_empty());
    let state = labs.claim(&name).expect("claimed");
    assert!(state.leftovers().is_empty());
    assert_eq!(mode(state.path()), 0o700);

    let record = LabRecord::of_this_process("/pair.toml".into()).expect("/proc");
    state.write_record(&record).expect("written");
    state.write_record(&record).expect("replaced");
    let listed = labs.list().expect("readable");
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), listed[0].alive), ("pair", true));
    assert_eq!(listed[0].record.as_ref(), Some(&record));

    let error = labs.claim(&name).expect_err("claimed already");
    let own = std::process::id();
    assert_eq!(error.to_string(), format!("lab pair is owned by process {own}"));
    let removed = state.remove().expect("removed");
    assert_eq!(removed, Removed { directory: true, ..Removed::default() });
    assert!(labs.list().expect("readable").is_empty());
}

#[test]
fn two_labs_live_side_by_side() {
    let Place { labs, name, root: _root } = place();
    let other = LabName::new("other").expect("a name");
    let (one, two) = (labs.claim(&name).expect("claimed"), labs.claim(&other).expect("claimed"));
    assert_ne!(one.path(), two.path());
    assert!(one.remove().is_ok() && two.path().exists());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

#[test]
fn others_find_the_metrics_of_labs_and_nothing_else_of_them() {
    let Place { labs, name, root: _root } = place();
    assert!(labs.targets().expect("none").is_empty());
    let other = LabName::new("other").expect("a name");
    let (one, two) = (labs.claim(&name).expect("claimed"), labs.claim(&other).expect("claimed"));
    let group = |lab: &LabName, port| {
        TargetGroup::new(lab.as_str(), "exact", SocketAddr::from(([127, 0, 0, 1], port)))
    };
    one.announce(&group(&name, 1)).expect("written");
    one.announce(&group(&name, 2)).expect("replaced");
    two.announce(&group(&other, 3)).expect("written");
    assert_eq!(labs.targets().expect("read"), [group(&other, 3), group(&name, 2)]);
    let pattern = labs.target_pattern();
    let directory = pattern.parent().expect("a directory");
    let file = directory.join("pair.json");
    assert_eq!(mode(labs.root()), 0o711, "to be passed through, not to be listed");
    assert_eq!((mode(directory), mode(&file), mode(one.path())), (0o755, 0o644, 0o700));
    let read: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
    let labels = serde_json::json!({"lab": "pair", "mode": "exact"});
    assert_eq!(read, serde_json::json!([{"targets": ["127.0.0.1:2"], "labels": labels}]));
    assert_eq!(labs.list().expect("readable").len(), 2, "the files are no lab");

    one.remove().expect("removed");
    assert_eq!(labs.targets().expect("read"), [group(&other, 3)]);
    // Dropping releases the lock and leaves everything, as SIGKILL does.
    drop(two);
    assert_eq!(labs.targets().expect("read").len(), 1);
    fs::write(directory.join("odd.json"), "{}").expect("written");
    let odd = labs.targets().expect_err("not a list").to_string();
    assert!(odd.contains("odd.json"), "{odd}");
    fs::remove_file(directory.join("odd.json")).expect("removed");
    labs.teardown(&other, PATIENT).expect("removed");
    assert_eq!(fs::read_dir(directory).expect("readable").count(), 0);
}

#[test]
fn what_a_dead_daemon_left_is_gone_before_the_next_one_starts() {
    let Place { labs, name, root } = place();
    let precious = root.path().join("precious");
    fs::create_dir(&precious).expect("directory");
    fs::write(precious.join("file"), "kept").expect("file");

    let state = labs.claim(&name).expect("claimed");
    let guest = state.guest(&NodeName::new("netns").expect("a name")).expect("made");
    fs::write(guest.join("qemu.log"), "old").expect("file");
    symlink(&precious, state.path().join("link")).expect("link");
    symlink(&precious, guest.join("link")).expect("link");
    fs::write(state.netns(), "not a namespace").expect("file");
    // Dropping releases the lock and leaves everything, as SIGKILL does.
    drop(state);

    let state = labs.claim(&name).expect("claimed again");
    assert_eq!(*state.leftovers(), Removed { directory: true, ..Removed::default() });
    assert_eq!(fs::read_dir(state.path()).expect("readable").count(), 0);
    assert_eq!(fs::read(precious.join("file")).expect("links are not followed"), b"kept");
}

#[test]
fn teardown_of_nothing_is_no_work() {
    let Place { labs, name, root: _root } = place();
    assert!(labs.teardown(&name, PATIENT).expect("nothing to do").is_empty());
    drop(labs.claim(&name).expect("claimed"));
    let removed = labs.teardown(&name, PATIENT).expect("removed");
    assert_eq!(removed, Removed { directory: true, ..Removed::default() });
    assert!(labs.teardown(&name, PATIENT).expect("nothing to do").is_empty());
}

#[test]
fn teardown_does_not_signal_a_process_that_only_has_the_daemons_number() {
    let Place { labs, name, root: _root } = place();
    let mut bystander = daemon();
    let state = labs.claim(&name).expect("claimed");
    let mut record = record_of(bystander.id());
    record.daemon.started -= 1;
    state.write_record(&record).expect("written");
    drop(state);
    let removed = labs.teardown(&name, PATIENT).expect("removed");
    assert_eq!(removed.daemon, None);
    assert!(bystander.try_wait().expect("waitpid").is_none(), "it lives");
    bystander.kill().expect("killed");
    bystander.wait().expect("reaped");
}

#[test]
fn a_record_that_makes_no_sense_does_not_stop_a_teardown() {
    for nonsense in ["", "{", "null", r#"{"daemon": {"pid": -1}}"#] {
        let Place { labs, name, root: _root } = place();
        let state = labs.claim(&name).expect("claimed");
        fs::write(state.path().join("lab.json"), nonsense).expect("file");
        drop(state);
        let listed = labs.list().expect("readable");
        assert_eq!((&listed[0].record, listed[0].alive), (&None, false));
        assert!(labs.teardown(&name, PATIENT).expect("removed").directory);
    }
}

#[test]
fn a_daemon_is_asked_and_then_killed() {
    // `trap` makes the second one deaf to SIGTERM. Both hold the lock as a daemon does.
    for (deafness, patience) in [("", PATIENT), ("trap '' TERM;", Duration::from_millis(1))] {
        let Place { labs, name, root: _root } = place();
        drop(labs.claim(&name).expect("claimed"));
        let directory = labs.directory(&name);
        let script = format!("{deafness} echo ready; while :; do sleep 1 9>&-; done");
        let mut daemon = Command::new("flock")
            .args(["--no-fork", "--nonblock"])
            .arg(&directory)
            .args(["sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("flock(1)");
        let mut ready = [0; 6];
        let stdout = daemon.stdout.as_mut().expect("piped");
        std::io::Read::read_exact(stdout, &mut ready).expect("it started");
        let record = serde_json::to_vec(&record_of(daemon.id())).expect("JSON");
        fs::write(directory.join("lab.json"), record).expect("file");

        let removed = labs.teardown(&name, patience).expect("removed");
        assert_eq!(removed.daemon, Some(daemon.id()));
        assert!(!directory.exists());
        daemon.wait().expect("reaped");
    }
}

#[test]
fn directories_that_others_could_have_prepared_are_refused() {
    let Place { labs, name, root } = place();
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("directory");
    let exposed = |labs: &Labs| {
        let claim = labs.claim(&name).expect_err("refused");
        let teardown = labs.teardown(&name, PATIENT);
        assert!(matches!(claim, LabError::Exposed { .. }), "{claim}");
        teardown
    };

    fs::create_dir(root.path().join("chronotap")).expect("directory");
    symlink(&elsewhere, labs.directory(&name)).expect("link");
    assert!(matches!(exposed(&labs), Err(LabError::Exposed { .. })), "a link");
    assert!(labs.list().expect("readable").is_empty(), "a link is no lab");

    fs::remove_file(labs.directory(&name)).expect("removed");
    fs::write(labs.directory(&name), "").expect("file");
    assert!(matches!(exposed(&labs), Err(LabError::Exposed { .. })), "a file");

    fs::remove_file(labs.directory(&name)).expect("removed");
    fs::create_dir(labs.directory(&name)).expect("directory");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(labs.directory(&name), open.clone()).expect("chmod");
    assert!(matches!(exposed(&labs), Err(LabError::Exposed { .. })), "writable by others");

    fs::remove_dir(labs.directory(&name)).expect("removed");
    fs::set_permissions(root.path().join("chronotap"), open).expect("chmod");
    assert!(exposed(&labs).expect("no lab there").is_empty(), "the root is writable by others");
    assert!(elsewhere.exists());
}

#[test]
fn what_is_no_lab_is_not_listed() {
    let Place { labs, name, root } = place();
    drop(labs.claim(&name).expect("claimed"));
    for stray in ["UPPER", "with space", ".hidden"] {
        fs::create_dir(root.path().join("chronotap").join(stray)).expect("directory");
    }
    fs::write(root.path().join("chronotap/file"), "").expect("file");
    let names: Vec<_> = labs.list().expect("readable").into_iter().map(|lab| lab.name).collect();
    assert_eq!(names, [name]);
}
