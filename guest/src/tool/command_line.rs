//! The tool's command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// The port that `beat` uses unless told otherwise; IANA has assigned it to nobody.
const PORT: u16 = 7007;

/// The most packets of a `beat`: what both sides remember of each is bounded by it.
pub const MOST_PACKETS: u64 = 4_000_000;

/// The most packets of a `beat` whose log is kept until the end, at 64 bytes each.
pub const MOST_LOGGED: u64 = 250_000;

/// The tool inside a guest of Chronotap.
#[derive(Debug, Parser)]
#[command(name = "chronotap-guest", version, disable_help_subcommand = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the tool can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run commands for the host; the guest's init starts this
    Agent,

    /// Print what decides whether time can be kept from this guest
    Facts(Facts),

    /// Watch all clocks for gaps, steps back and rates
    #[command(after_help = "\
The parts, each as long as --for (the second at least 3 s):
  1. tsc, monotonic, monotonic_raw, realtime, boottime: read in turn, as fast as it goes
  2. rtc: read as fast as it goes
  3. hpet, 4. acpi_pm: the kernel is told to use it, and put back afterwards (needs root)

JSON: clocks.NAME has unit (ns, s, ticks), reads, span, steps_back.{count,largest} and
gaps.{p50,p99,p99_9,largest,top[{at,gap}],histogram[[upper bound,count]]}; a clock that is not
there has nothing but `missing`, the reason. rates.NAME has first_half, second_half, whole.")]
    Clocks(Clocks),

    /// Send paced packets to another guest and see what becomes of them
    #[command(subcommand)]
    Beat(Beat),

    /// Write a clocksource back when standard input ends
    #[command(hide = true)]
    KeepClocksource(KeepClocksource),
}

/// `facts`.
#[derive(Debug, Args)]
pub struct Facts {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `clocks`.
#[derive(Debug, Args)]
pub struct Clocks {
    /// How long each part takes
    #[arg(long = "for", value_name = "DURATION", default_value = "5s", value_parser = span)]
    pub watch: Duration,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `keep-clocksource`.
#[derive(Debug, Args)]
pub struct KeepClocksource {
    /// Its name
    pub name: String,
}

/// `beat …`.
#[derive(Debug, Subcommand)]
pub enum Beat {
    /// Answer senders until none has come for a while
    Listen(Listen),

    /// Send packets to a listener and report both ways
    #[command(after_help = "\
Example, in two guests:
  bob#   chronotap-guest beat listen
  alice# chronotap-guest beat send bob --interval 1ms --count 5000

Each packet and each echo carries stamps of CLOCK_MONOTONIC. A deviation is the time between two
neighbouring arrivals less the time between their sendings. A sender that comes too late for a
packet sends it at once and goes on from there, without a burst.")]
    Send(Send),
}

/// `beat listen`.
#[derive(Debug, Args)]
pub struct Listen {
    /// UDP port
    #[arg(long, default_value_t = PORT)]
    pub port: u16,

    /// End when no packet has come for so long
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = span)]
    pub idle: Duration,

    /// End after the first sender's last packet
    #[arg(long)]
    pub once: bool,
}

/// `beat send`.
#[derive(Debug, Args)]
pub struct Send {
    /// The listener: an address, or a name in /etc/hosts
    pub host: String,

    /// UDP port
    #[arg(long, default_value_t = PORT)]
    pub port: u16,

    /// Time between packets
    #[arg(long, value_name = "DURATION", default_value = "1ms", value_parser = interval)]
    pub interval: Duration,

    /// How many packets; with --log, at most 250000
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=MOST_PACKETS))]
    pub count: u64,

    /// How long to wait for the listener to appear, and for the last echo and the listener's report
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = span)]
    pub wait: Duration,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Print JSON, one line for each packet (seq, t_send, t_remote_rx, t_remote_tx, t_recv in ns)
    /// and the report in the last line
    #[arg(long)]
    pub log: bool,
}

/// A duration of at most a day, which no bound in the tool overflows with.
fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; a duration is written as 500ms, 5s or 2m"))?;
    match span {
        Duration::ZERO => Err("nothing happens in no time; give at least 1ms".to_owned()),
        span if span > Duration::from_secs(24 * 3600) => Err("the most is 24h".to_owned()),
        span => Ok(span),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match span(text)? {
        span if span < Duration::from_micros(10) => Err("the least is 10us".to_owned()),
        span if span > Duration::from_secs(60) => Err("the most is 60s".to_owned()),
        span => Ok(span),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn what_init_starts_is_the_agent() {
        let line = CommandLine::try_parse_from(["chronotap-guest", "agent"]).unwrap();
        assert!(matches!(line.command, Command::Agent));
    }

    #[test]
    fn durations_have_bounds() {
        assert_eq!(span("5s"), Ok(Duration::from_secs(5)));
        assert!(span("0s").is_err() && span("25h").is_err() && span("soon").is_err());
        assert_eq!(interval("10us"), Ok(Duration::from_micros(10)));
        assert!(interval("9us").is_err() && interval("61s").is_err());
    }
}
