//! What guests are told, as a reviewer reads it.

use std::io::Read as _;

use super::*;
use crate::scenario::Scenario;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJWbHL0qLM4kVtWWz6+RYUkMlwrQsUqFE3cEp2i7MjzR me";

fn scenario(more: &str) -> Scenario {
    let text = format!(
        "[node.web]\nimage = 'd.img'\nmanagement = true\n{more}\n[node.mgmt]\n[node.sw]\nkind = 'switch'\n
         [node.web.interface.eth1]\naddress = 'none'\n
         [[link]]\nendpoints = ['web:eth0', 'mgmt:eth0']\nmtu = 9000\ndelay = '1ms'\n
         [[link]]\nendpoints = ['web:eth1', 'sw:p0']\n
         [[link]]\nendpoints = ['web:mgmt0', 'sw:p1']\n"
    );
    Scenario::parse(&text, Path::new("/t/lab.toml")).unwrap_or_else(|why| panic!("{why}"))
}

fn files(more: &str, additions: &Additions) -> Vec<(&'static str, Vec<u8>)> {
    let scenario = scenario(more);
    let guest = &scenario.guests[0];
    let hosts = scenario.hosts_of(guest);
    let seed = Seed { lab: &scenario.name, guest, hosts: &hosts, lab_key: KEY, additions };
    seed.files().into()
}

/// Each file, JSON with line breaks.
fn shown(files: &[(&str, Vec<u8>)]) -> String {
    let show = |(name, content): &(&str, Vec<u8>)| {
        let text = String::from_utf8_lossy(content);
        let (head, json) = match text.strip_prefix(CLOUD_CONFIG) {
            Some(json) => (CLOUD_CONFIG, json),
            None => ("", &*text),
        };
        let json: Value = serde_json::from_str(json).expect("JSON");
        format!("{name}:\n{head}{}\n", serde_json::to_string_pretty(&json).expect("JSON"))
    };
    files.iter().map(show).collect()
}

#[test]
fn a_guest_is_told_its_name_its_network_and_who_may_log_in() {
    insta::assert_snapshot!(shown(&files("", &Additions::default())));
}

#[test]
fn a_file_of_the_users_is_handed_on_as_it_is() {
    let user_data = b"#!/bin/sh\nexit 0\n\xff".to_vec();
    let additions = Additions { user_data: Some(user_data.clone()), ssh_key: Some("KEY".into()) };
    let files = files("cloud = { user = 'root' }", &additions);
    assert_eq!(files[3], ("user-data", user_data));
    let vendor = shown(&files[2..3]);
    for part in ["\"disable_root\": false", "\"KEY\"", "\"name\": \"root\""] {
        assert!(vendor.contains(part), "{part} is missing in {vendor}");
    }
    assert!(!vendor.contains("sudo"), "{vendor}");
}

#[test]
fn a_seed_is_a_file_system_that_others_read() {
    let long = vec![b'x'; 1 << 20];
    let additions = Additions { user_data: Some(long.clone()), ssh_key: None };
    let image = fat::image(&files("", &additions)).expect("an image");
    assert_eq!(image, fat::image(&files("", &additions)).expect("another"), "nothing of the host");
    let volume = fatfs::FileSystem::new(io::Cursor::new(image), fatfs::FsOptions::new());
    let volume = volume.expect("a file system");
    assert_eq!(volume.volume_label(), "CIDATA");
    let mut read = Vec::new();
    let mut file = volume.root_dir().open_file("user-data").expect("it is there");
    file.read_to_end(&mut read).expect("readable");
    assert!(read == long, "as it was written");
    let names: Vec<_> =
        volume.root_dir().iter().map(|entry| entry.expect("an entry").file_name()).collect();
    for name in ["meta-data", "network-config", "vendor-data", "user-data"] {
        assert!(names.iter().any(|found| found == name), "no {name} among {names:?}");
    }
}

#[test]
fn keys_are_public_and_one_line() {
    let read = |text: &str| key::public(text.as_bytes()).map_err(|error| error.to_string());
    assert_eq!(read(&format!("{KEY}\n")), Ok(KEY.to_owned()));
    assert!(read("-----BEGIN OPENSSH PRIVATE KEY-----\n").is_err_and(|why| why.contains(".pub")));
    for wrong in ["", "hello", &format!("{KEY}\n{KEY}"), "ssh-ed25519 AAAA"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let named = |name: &str, content: Option<&[u8]>| {
        let path = directory.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).expect("written");
        }
        Some(NamedFile { path, place: 0..1 })
    };
    let none = Cloud::default();
    let cases = [
        Cloud { ssh_key: named("no key", Some(b"hello")), ..none.clone() },
        Cloud { ssh_key: named("missing", None), ..none.clone() },
        Cloud { user_data: named("long", Some(&vec![0; (1 << 20) + 1])), ..none.clone() },
        Cloud { user_data: Some(NamedFile { path: "/dev/zero".into(), place: 0..1 }), ..none },
    ];
    for cloud in cases {
        let (file, error) = Additions::read(&cloud).expect_err("refused");
        assert!(error.to_string().starts_with("it "), "{}: {error}", file.path.display());
    }
}
