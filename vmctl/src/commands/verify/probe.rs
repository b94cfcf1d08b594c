//! Guests that ping each other.

use std::time::Duration;

use super::super::collect::{Collected, run_collecting};
use crate::{
    api::{channel::Outcome, failure::Failure},
    client::Client,
};

/// ICMP and IPv4 headers in front of what `ping -s` counts.
const HEADERS: u32 = 8 + 20;
/// Ethernet's header in front of those.
const ETHERNET: u32 = 14;

/// The payload of the small pings: what `ping` sends unless told otherwise.
const SMALL: u32 = 56;

/// Wall time that a guest may take beyond the virtual time that its pings need.
const SLOWNESS: u32 = 30;
const PATIENCE: Duration = Duration::from_secs(120);

/// Who pings whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The guest that pings.
    pub node: &'a str,
    /// Through which of its interfaces.
    pub interface: &'a str,
    /// Whom: an address.
    pub address: &'a str,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volley {
    /// ICMP identifier.
    pub id: u16,
    /// How many.
    pub count: u32,
    /// Octets of each frame.
    pub bytes: u32,
    /// Time between them; `None`: all at once.
    pub interval: Option<Duration>,
    /// Time that a reply may take.
    pub patience: Duration,
}

/// Sizes of small and of large frames, in octets, on links of this MTU.
pub fn sizes(mtu: u32) -> [u32; 2] {
    let large = mtu.max(SMALL + HEADERS) + ETHERNET;
    [SMALL + HEADERS + ETHERNET, large]
}

/// Lets a guest ping, and returns the least round-trip time that it saw, in ns, by its own clock.
///
/// # Errors
/// When it cannot.
pub async fn ping(
    client: &Client,
    pair: &Pair<'_>,
    volley: &Volley,
) -> Result<Option<u64>, Failure> {
    let words = words(pair, volley);
    let argv: Vec<&str> = words.iter().map(String::as_str).collect();
    let needed = volley.interval.unwrap_or_default() * volley.count + volley.patience;
    let within = PATIENCE + needed * SLOWNESS;
    let collected = run_collecting(client, pair.node, &argv, within).await?;
    heard(pair.node, &collected)
}

fn words(pair: &Pair, volley: &Volley) -> Vec<String> {
    let payload = volley.bytes.saturating_sub(HEADERS + ETHERNET);
    let patience = volley.patience.as_secs() + 1;
    let Volley { id, count, .. } = volley;
    let pace = match volley.interval {
        Some(interval) => format!("-i {:.3}", interval.as_secs_f64().max(0.002)),
        None => format!("-l {count}"),
    };
    let line = format!(
        "ping -n -q -I {} -e {id} -c {count} -s {payload} -W {patience} {pace} {}",
        pair.interface, pair.address
    );
    line.split(' ').map(str::to_owned).collect()
}

fn heard(node: &str, collected: &Collected) -> Result<Option<u64>, Failure> {
    let complaint = || {
        let text = String::from_utf8_lossy(&collected.stderr);
        text.lines().take(5).map(str::to_owned).collect()
    };
    match &collected.outcome {
        // 1: not all came back, which is for others to judge.
        Outcome::Exited(0 | 1) => Ok(least(&String::from_utf8_lossy(&collected.stdout))),
        Outcome::NotStarted { message, .. } => {
            Err(Failure::runtime(format!("guest `{node}` cannot run ping: {message}"))
                .remedy("put iputils' ping into this guest; the built-in guest has it"))
        }
        other => {
            let code = other.shell_status();
            Err(Failure::runtime(format!("guest `{node}`: ping has failed with {code}"))
                .remedy("verify needs the ping of iputils 20210722 or later, and its right to ping")
                .log(complaint()))
        }
    }
}

/// Of `rtt min/avg/max/mdev = 20.512/20.900/21.400/0.300 ms`; the last digit is cut off.
fn least(output: &str) -> Option<u64> {
    let times = output.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "))?;
    let ms: f64 = times.split('/').next()?.parse().ok()?;
    (0.0..1e12).contains(&ms).then_some((ms * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use chronotap_guest::StartFailure;

    use super::*;

    const PAIR: Pair = Pair { node: "alice", interface: "eth0", address: "10.0.0.2" };

    #[test]
    fn the_words_of_a_ping() {
        let [small, large] = sizes(1500);
        let slow = Volley {
            id: 7,
            count: 200,
            bytes: small,
            interval: Some(Duration::from_millis(20)),
            patience: Duration::from_millis(400),
        };
        let burst = Volley { count: 32, bytes: large, interval: None, ..slow };
        let (slow, burst) = (words(&PAIR, &slow).join(" "), words(&PAIR, &burst).join(" "));
        insta::assert_snapshot!(slow, @"ping -n -q -I eth0 -e 7 -c 200 -s 56 -W 1 -i 0.020 10.0.0.2");
        insta::assert_snapshot!(burst, @"ping -n -q -I eth0 -e 7 -c 32 -s 1472 -W 1 -l 32 10.0.0.2");
        assert_eq!(sizes(68), [98, 98], "a link that no larger ones fit on");
    }

    #[test]
    fn what_ping_says() {
        let end = |outcome, stdout: &str| {
            heard("alice", &Collected { stdout: stdout.into(), stderr: b"oh".to_vec(), outcome })
        };
        let output =
            "3 packets transmitted, 2 received\nrtt min/avg/max/mdev = 20.512/20.9/21.4/0.3 ms\n";
        assert_eq!(end(Outcome::Exited(1), output), Ok(Some(20_512_000)));
        assert_eq!(end(Outcome::Exited(1), "nothing"), Ok(None));
        assert_eq!(end(Outcome::Exited(0), "rtt min/avg/max/mdev = -1/x"), Ok(None));
        let failed = end(Outcome::Exited(2), "").expect_err("failed");
        assert_eq!((failed.log.len(), failed.remedy.is_some()), (1, true));
        let message = "no such file".to_owned();
        let missing = Outcome::NotStarted { failure: StartFailure::NotFound, message };
        assert!(end(missing, "").is_err_and(|failure| failure.remedy.is_some()));
    }
}
