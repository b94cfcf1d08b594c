//! Disk images, kernels with modules, and debuggers in a topology file: what they are, which modes they
//! leave, and what is said of images that cannot be used.

use std::fs;
use std::path::{Path, PathBuf};

use vmctl::inspect;
use vmctl::scenario::{Boot, Initrd, Mode, NamedFile, Scenario};

fn accept(text: &str) -> Scenario {
    let parsed = Scenario::parse(text, Path::new("/labs/test.toml"));
    parsed.unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn linked(nodes: &str, delay: &str) -> Scenario {
    let link = format!("[[link]]\nendpoints = ['a:eth0', 'b:eth0']\ndelay = '{delay}'\n");
    accept(&format!("{nodes}\n{link}"))
}

/// The mode on a host that could do all, and the reason that is told.
fn settled(mut scenario: Scenario) -> (Mode, String) {
    assert!(!scenario.may_be_exact(), "there is no need to try the agent");
    let shown = scenario.describe().time;
    let told = scenario.settle(Ok(())).expect("no mode is asked for").expect("a choice is told");
    assert_eq!(scenario.describe().time, shown, "`check` shows what `up` does");
    (scenario.time.mode(), told)
}

#[test]
fn images_and_debuggers_leave_some_modes() {
    let image = "[node.a]\nimage = 'd.img'\n[node.b]";
    let (mode, why) = settled(linked(image, "1ms"));
    assert_eq!(mode, Mode::Lockstep);
    assert!(why.starts_with("mode lockstep: disks finish their work in the host's time"), "{why}");
    let (mode, why) = settled(linked(image, "10us"));
    assert_eq!(mode, Mode::Realtime);
    assert!(why.ends_with("lockstep needs 100us between any two guests"), "{why}");
    let (mode, why) = settled(linked(&format!("{image}\ngdb = true"), "1ms"));
    assert_eq!(mode, Mode::Realtime);
    assert!(why.starts_with("mode realtime: a debugger halts its guest"), "{why}");
}

#[test]
fn what_a_node_says_counts_more_than_the_defaults() {
    let scenario = accept(
        r#"
        [defaults.node]
        image = "images/d.qcow2"
        management = true
        [defaults.node.cloud]
        user = "me"
        ssh_key = "me.pub"
        [node.a]
        cloud = { user = "you" }
        [node.b]
        kernel = "bzImage"
        initrd = "built-in"
        modules = "/lib/modules/6.1.0"
        gdb = true
        memory = "512MiB"
        run = [{ command = ["true"] }]
        [node.c]
        kernel = "built-in"
        "#,
    );
    let [a, b, c] = scenario.guests.as_slice() else { panic!("three guests") };
    let path = |file: &NamedFile| file.path.clone();
    let Boot::Image(image) = &a.boot else { panic!("{:?}", a.boot) };
    assert_eq!(path(image), PathBuf::from("/labs/images/d.qcow2"));
    assert_eq!(a.memory, 1 << 30, "images need more than the built-in guest");
    assert!(a.access.management.is_some_and(|mac| mac.is_station()), "{:?}", a.access);
    assert_eq!(a.access.cloud.user, "you");
    let key = a.access.cloud.ssh_key.as_ref().map(path);
    assert_eq!(key, Some(PathBuf::from("/labs/me.pub")));
    let Boot::Kernel { initrd, modules: Some(modules), .. } = &b.boot else {
        panic!("{:?}", b.boot)
    };
    assert_eq!((initrd, path(modules)), (&Some(Initrd::BuiltIn), "/lib/modules/6.1.0".into()));
    assert!(b.boot.has_agent() && b.runs.len() == 1 && b.access.gdb);
    assert_eq!(b.access.management, None, "defaults for images are not for kernels");
    assert_eq!((&c.boot, c.memory), (&Boot::BuiltIn, 256 << 20));
}

#[test]
fn files_that_cannot_be_used_are_told_where_they_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let mut layer = b"QFI\xfb\0\0\0\x03".to_vec();
    layer.resize(512, 0);
    layer[8..16].copy_from_slice(&120_u64.to_be_bytes());
    layer[16..20].copy_from_slice(&11_u32.to_be_bytes());
    layer[120..131].copy_from_slice(b"/etc/shadow");
    fs::write(at("layer.qcow2"), layer).expect("written");
    fs::write(at("text.img"), "no image").expect("written");
    let mut good = vec![0; 512];
    good[510..].copy_from_slice(&[0x55, 0xaa]);
    fs::write(at("good.img"), good).expect("written");
    fs::write(at("key.pub"), "no key").expect("written");
    let text = "[node.a]\nimage = 'layer.qcow2'\n[node.b]\nimage = 'text.img'\n\
                [node.c]\nimage = 'missing.img'\n[node.d]\nimage = 'good.img'\n\
                cloud = { ssh_key = 'key.pub' }\n[node.e]\n";
    let scenario = Scenario::parse(text, &at("lab.toml")).expect("good as such");
    let rejected = inspect::files(&scenario).expect_err("refused").to_string();
    let place = directory.path().display().to_string();
    insta::assert_snapshot!(rejected.replace(&place, "/labs"));
    fs::write(at("lab.toml"), "[node.d]\nimage = 'good.img'\n").expect("written");
    let scenario = Scenario::load(&at("lab.toml")).expect("good");
    assert!(inspect::files(&scenario).is_ok());
}
