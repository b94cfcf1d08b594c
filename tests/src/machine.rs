//! The machine that something was measured on, and what else it did meanwhile.

use std::{
    fmt, fs,
    process::Command,
    time::{Duration, SystemTime},
};

/// What does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    processor: String,
    cores: usize,
    memory: String,
    kernel: String,
    commit: String,
}

/// How busy it was so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Strain {
    date: SystemTime,
    load: String,
    /// Ticks of all processors, and of those the ones that another machine got.
    ticks: [u64; 2],
}

/// What it did between two looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Strained {
    begun: SystemTime,
    took: Duration,
    load: [String; 2],
    steal: f64,
}

impl Machine {
    /// Looks at this one.
    pub fn look() -> Self {
        let [processors, memory] = ["/proc/cpuinfo", "/proc/meminfo"].map(read);
        let value = |text: &str, key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.map_or_else(
                || "?".to_owned(),
                |rest| rest.trim_matches([' ', '\t', ':']).to_owned(),
            )
        };
        let commit =
            ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--exclude=*"];
        Self {
            processor: value(&processors, "model name"),
            cores: processors.lines().filter(|line| line.starts_with("processor")).count(),
            memory: value(&memory, "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: first_line(Command::new("git").args(commit)),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a program says first; why it did not, where it did not start.
pub fn first_line(command: &mut Command) -> String {
    match command.output() {
        Ok(output) => {
            String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("?").to_owned()
        }
        Err(error) => format!("? ({error})"),
    }
}

impl Strain {
    /// Looks at this machine.
    pub fn now() -> Self {
        let load = read("/proc/loadavg");
        let load: Vec<_> = load.split(' ').take(3).collect();
        Self { date: SystemTime::now(), load: load.join(", "), ticks: ticks(&read("/proc/stat")) }
    }

    /// From this look to another.
    pub fn until(&self, later: &Self) -> Strained {
        let [all, stolen] = [0, 1].map(|of| later.ticks[of].saturating_sub(self.ticks[of]));
        Strained {
            begun: self.date,
            took: later.date.duration_since(self.date).unwrap_or_default(),
            load: [self.load.clone(), later.load.clone()],
            steal: stolen as f64 / all.max(1) as f64,
        }
    }
}

/// Of `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; guests are in the first
/// two already (proc(5)).
fn ticks(stat: &str) -> [u64; 2] {
    let line = stat.lines().next().unwrap_or_default();
    let numbers = line.split_whitespace().skip(1).take(8).map(|number| number.parse().unwrap_or(0));
    let numbers: Vec<u64> = numbers.collect();
    [numbers.iter().sum(), numbers.get(7).copied().unwrap_or(0)]
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory, kernel, commit } = self;
        write!(f, "* Machine: {cores} × {processor}, {memory}, Linux {kernel}; sources {commit}")
    }
}

impl fmt::Display for Strained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = &self.load;
        let begun = humantime::format_rfc3339_seconds(self.begun);
        let took = humantime::format_duration(Duration::from_secs(self.took.as_secs()));
        writeln!(f, "* Begun {begun}, took {took}")?;
        writeln!(
            f,
            "* Load average {before} before, {after} after; {:.1} % of the processors' time was stolen",
            100.0 * self.steal
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted_once() {
        let stat = "cpu  100 10 50 800 20 5 5 10 90 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(ticks(stat), [1000, 10]);
        let look = |seconds: u64, ticks| Strain {
            date: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            load: "1, 2, 3".to_owned(),
            ticks,
        };
        let strained = look(0, [0, 0]).until(&look(90, [1000, 10]));
        assert_eq!((strained.steal, strained.took), (0.01, Duration::from_secs(90)));
        let text = strained.to_string();
        assert!(text.contains("Begun 1970-01-01T00:00:00Z, took 1m 30s"), "{text}");
    }
}
