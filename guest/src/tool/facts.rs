//! `facts`: gathers them from /proc, /sys and the kernel's log.
//!
//! All paths count from a root, so that tests can bring a guest of their own.

use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chronotap_guest::report::facts::{Clocksource, FLAGS, Facts, Interface, Log, Virtio};
use rustix::fs::OFlags;

use super::command_line;
use super::text::{columns, row};

/// How many of the kernel's messages are kept.
const TROUBLES: usize = 16;

/// Records that are read of the kernel's log at most: it holds fewer, but may grow meanwhile.
const RECORDS: usize = 100_000;

/// The kernel gives out one record a read, and none is larger (CONSOLE_EXT_LOG_MAX).
const RECORD: usize = 8192;

/// Gathers, and prints.
pub fn run(args: &command_line::Facts) -> Result<(), Box<dyn Error>> {
    let facts = Root(PathBuf::from("/")).facts();
    let text = match args.json {
        true => serde_json::to_string(&facts)?,
        false => render(&facts),
    };
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

struct Root(PathBuf);

impl Root {
    fn facts(&self) -> Facts {
        let cpus = self.text("proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| cpu_fields(&cpus, name).next().unwrap_or_default();
        let flags: Vec<&str> = field("flags").split_whitespace().collect();
        let uptime = self.text("proc/uptime");
        Facts {
            clocksource: self.clocksource(),
            cpu_flags: FLAGS.iter().map(|&flag| (flag.to_owned(), flags.contains(&flag))).collect(),
            clockevent: self.text("sys/devices/system/clockevents/clockevent0/current_device"),
            kernel: self.text("proc/sys/kernel/osrelease"),
            command_line: self.text("proc/cmdline"),
            vcpus: cpu_fields(&cpus, "processor").count(),
            uptime_seconds: uptime.and_then(|text| text.split(' ').next()?.parse().ok()),
            interfaces: self.interfaces(),
            log: self.log().unwrap_or_else(|error| Log::Unreadable(error.to_string())),
        }
    }

    /// A file's text without the line's end; `None` if it cannot be read.
    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.0.join(path)).ok().map(|text| text.trim().to_owned())
    }

    fn clocksource(&self) -> Option<Clocksource> {
        let folder = "sys/devices/system/clocksource/clocksource0";
        let available = self.text(&format!("{folder}/available_clocksource"))?;
        Some(Clocksource {
            current: self.text(&format!("{folder}/current_clocksource"))?,
            available: available.split_whitespace().map(str::to_owned).collect(),
        })
    }

    fn interfaces(&self) -> Vec<Interface> {
        let entries = fs::read_dir(self.0.join("sys/class/net")).into_iter().flatten().flatten();
        // An interface's name is never anything but ASCII that one can type.
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| name != "lo").collect();
        names.sort();
        names.into_iter().map(|name| self.interface(name)).collect()
    }

    fn interface(&self, name: String) -> Interface {
        let folder = format!("sys/class/net/{name}");
        let driver = fs::read_link(self.0.join(&folder).join("device/driver")).ok();
        let driver = driver.as_deref().and_then(Path::file_name);
        let driver = driver.map(|name| name.to_string_lossy().into_owned());
        let features = self.text(&format!("{folder}/device/features"));
        Interface {
            mac: self.text(&format!("{folder}/address")),
            mtu_bytes: self.text(&format!("{folder}/mtu")).and_then(|mtu| mtu.parse().ok()),
            virtio: features.map(|features| Virtio::parse(&features)),
            driver,
            name,
        }
    }

    fn log(&self) -> io::Result<Log> {
        let no_wait = OFlags::NONBLOCK.bits().cast_signed();
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(no_wait)
            .open(self.0.join("dev/kmsg"))
            .map_err(|error| io::Error::new(error.kind(), format!("/dev/kmsg: {error}")))?;
        let mut troubles = Vec::new();
        let mut record = vec![0; RECORD];
        for _ in 0..RECORDS {
            match file.read(&mut record) {
                Ok(0) => break,
                Ok(length) => troubles.extend(trouble(&String::from_utf8_lossy(&record[..length]))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The record was overwritten before it was read; the next read goes on behind it.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error),
            }
        }
        let superfluous = troubles.len().saturating_sub(TROUBLES);
        Ok(Log::Troubles(troubles.split_off(superfluous)))
    }
}

/// The values of a field in /proc/cpuinfo, one per processor.
fn cpu_fields<'a>(cpus: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let pairs = cpus.lines().filter_map(|line| line.split_once(':'));
    pairs.filter(move |(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The message of a record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg), with its time in
/// seconds, if it tells of clocks that went wrong or of processors that seemed to hang.
fn trouble(record: &str) -> Option<String> {
    let (head, message) = record.split_once(';')?;
    let message = message.lines().next()?;
    is_trouble(message).then(|| {
        let micros: Option<u64> = head.split(',').nth(2).and_then(|time| time.parse().ok());
        let seconds = micros.unwrap_or(0) as f64 / 1e6;
        format!("[{seconds:.6}] {message}")
    })
}

/// What Linux writes in arch/x86/kernel/tsc*.c, kernel/time/hrtimer.c, kernel/watchdog.c and
/// kernel/rcu/tree_stall.h.
const TROUBLE: [&str; 8] = [
    "TSC unstable",
    "TSC warp",
    "TSC found unstable",
    "hrtimer: interrupt took",
    "soft lockup",
    "hard LOCKUP",
    "detected stalls",
    "self-detected stall",
];

fn is_trouble(message: &str) -> bool {
    let has = |part: &str| message.contains(part);
    // kernel/time/clocksource.c, kernel/hung_task.c
    let clock = has("clocksource:") && ["unstable", "skew", "atchdog"].into_iter().any(has);
    let hung = has("blocked for more than") && has("seconds");
    clock || hung || TROUBLE.into_iter().any(has)
}

/// The facts for people.
fn render(facts: &Facts) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let clocksource = facts.clocksource.as_ref().map_or_else(
        || "-".to_owned(),
        |source| format!("{} of {}", source.current, source.available.join(" ")),
    );
    let flags = facts.cpu_flags.iter().filter(|(_, set)| **set).map(|(flag, _)| flag.as_str());
    let mut lines = vec![
        format!("clocksource   {clocksource}"),
        format!("cpu flags     {}", flags.collect::<Vec<_>>().join(" ")),
        format!("timer         {}", or_dash(&facts.clockevent)),
        format!("kernel        {}", or_dash(&facts.kernel)),
        format!("command line  {}", or_dash(&facts.command_line)),
        format!("vcpus         {}", facts.vcpus),
    ];
    lines.extend(facts.uptime_seconds.map(|seconds| format!("uptime        {seconds} s")));
    lines.push(match &facts.log {
        Log::Troubles(troubles) if troubles.is_empty() => "kernel log    no troubles".to_owned(),
        Log::Troubles(troubles) => format!("kernel log\n  {}", troubles.join("\n  ")),
        Log::Unreadable(why) => format!("kernel log    unreadable: {why}"),
    });
    let titles = row(["INTERFACE", "MAC", "MTU", "DRIVER", "OFFLOADS"]);
    let interfaces = facts.interfaces.iter().map(|interface| {
        vec![
            interface.name.clone(),
            or_dash(&interface.mac),
            or_dash(&interface.mtu_bytes.map(|mtu| mtu.to_string())),
            or_dash(&interface.driver),
            match &interface.virtio {
                None => "unknown".to_owned(),
                Some(virtio) if virtio.offloads.is_empty() => "none".to_owned(),
                Some(virtio) => virtio.offloads.join(","),
            },
        ]
    });
    let table: Vec<_> = std::iter::once(titles).chain(interfaces).collect();
    format!("{}\n\n{}", lines.join("\n"), columns(&table))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn guest() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root(folder.path().to_owned());
        (folder, root)
    }

    fn write(root: &Root, path: &str, text: &str) {
        let file = root.0.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn facts_of_a_guest() {
        let (_folder, root) = guest();
        let source = "sys/devices/system/clocksource/clocksource0";
        write(&root, &format!("{source}/current_clocksource"), "kvm-clock\n");
        write(&root, &format!("{source}/available_clocksource"), "kvm-clock tsc hpet acpi_pm \n");
        let cpu = "processor\t: 0\nflags\t\t: fpu tsc constant_tsc rdtscp\n\n";
        write(&root, "proc/cpuinfo", &cpu.repeat(2));
        write(&root, "proc/uptime", "12.50 11.00\n");
        write(&root, "sys/class/net/eth0/address", "52:54:00:00:00:01\n");
        write(&root, "sys/class/net/eth0/mtu", "1500\n");
        write(&root, "sys/class/net/eth0/device/features", "1000\n");
        symlink(
            "../../bus/virtio/drivers/virtio_net",
            root.0.join("sys/class/net/eth0/device/driver"),
        )
        .unwrap();
        write(&root, "sys/class/net/br0/mtu", "1500\n");
        write(&root, "sys/class/net/lo/mtu", "65536\n");
        write(&root, "dev/kmsg", "4,100,2500000,-;clocksource: Switched to clocksource tsc\n");
        let facts = root.facts();
        let clocksource = facts.clocksource.as_ref().unwrap();
        assert_eq!((clocksource.current.as_str(), clocksource.available.len()), ("kvm-clock", 4));
        assert!(facts.cpu_flags["constant_tsc"] && !facts.cpu_flags["nonstop_tsc"]);
        assert_eq!((facts.vcpus, facts.uptime_seconds), (2, Some(12.5)));
        let [bridge, card] = &facts.interfaces[..] else { panic!("{:?}", facts.interfaces) };
        assert_eq!((bridge.name.as_str(), &bridge.driver), ("br0", &None));
        assert_eq!(card.driver.as_deref(), Some("virtio_net"));
        assert_eq!(card.virtio.as_ref().unwrap().offloads, ["csum"]);
        assert_eq!(facts.log, Log::Troubles(Vec::new()));
        assert!(render(&facts).contains("kvm-clock of kvm-clock tsc hpet acpi_pm"));
    }

    #[test]
    fn what_is_not_there_is_absent() {
        let (_folder, root) = guest();
        let facts = root.facts();
        assert_eq!((&facts.clocksource, facts.vcpus), (&None, 0));
        assert_eq!(facts.cpu_flags.len(), FLAGS.len());
        assert!(matches!(facts.log, Log::Unreadable(_)));
        assert!(render(&facts).contains("unreadable: /dev/kmsg"));
    }

    #[test]
    fn records_that_tell_of_trouble() {
        let told = [
            "4,1,5000000,-;clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as \
             unstable because the skew is too large:\n SUBSYSTEM=x",
            "4,2,0,-;tsc: Marking TSC unstable due to clocksource watchdog",
            "4,3,0,-;hrtimer: interrupt took 12345678 ns",
            "0,4,0,-;watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [dd:99]",
            "3,5,0,-;rcu: INFO: rcu_sched self-detected stall on CPU",
            "3,6,0,-;INFO: task dd:99 blocked for more than 120 seconds.",
        ];
        for record in told {
            assert!(trouble(record).is_some(), "{record}");
        }
        assert_eq!(
            trouble(told[1]).unwrap(),
            "[0.000000] tsc: Marking TSC unstable due to clocksource watchdog"
        );
        assert!(trouble(told[0]).unwrap().ends_with("too large:"));
        let quiet = [
            "6,1,0,-;NMI watchdog: Perf NMI watchdog permanently disabled",
            "6,2,0,-;clocksource: Switched to clocksource tsc",
            "no record",
        ];
        for record in quiet {
            assert_eq!(trouble(record), None);
        }
    }
}
