//! What facts mean. Pure.

use chronotap_guest::report::facts::{Facts, Log};
use schemars::JsonSchema;
use serde::Serialize;

use super::{clocks, machine::Machine, network};
use crate::api::status::{Guest, Link};

/// All that findings are made of.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the guest tells.
    pub facts: &'a Facts,
    /// `kvm` or `tcg`.
    pub accelerator: &'a str,
    /// How the lab's time passes.
    pub mode: &'a str,
    /// What QEMU was told.
    pub machine: &'a Machine,
    /// The guest as the topology has it.
    pub guest: &'a Guest,
    /// The lab's links.
    pub links: &'a [Link],
}

/// Whether something has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No.
    Ok,
    /// No, but it could be better.
    Notice,
    /// Perhaps.
    Warning,
    /// Yes: no lab comes up like this.
    Error,
}

impl Verdict {
    /// The word that tables and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Finding {
    /// What was looked at; in a guest `clocksource`, `tsc`, `timer`, `rtc`, `exact clock`, `command line`,
    /// `kernel log`, and `NIC mtu` and `NIC offloads` for every NIC.
    pub subject: String,
    /// Whether it will do.
    pub verdict: Verdict,
    /// What was seen.
    pub found: String,
    /// What leaks or breaks by it; absent when it will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consequence: Option<String>,
    /// What to change; absent when it will do, or nothing helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// Something that will do.
    pub fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        let (subject, found) = (subject.into(), found.into());
        Self { subject, verdict: Verdict::Ok, found, consequence: None, remedy: None }
    }

    /// The same with something that leaks or breaks.
    #[must_use]
    pub fn warn(self, consequence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, consequence: Some(consequence.into()), ..self }
    }

    /// The same with something that could be better.
    #[must_use]
    pub fn notice(self, consequence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Notice, consequence: Some(consequence.into()), ..self }
    }

    /// The same with something that keeps labs from coming up.
    #[must_use]
    pub fn error(self, consequence: impl Into<String>) -> Self {
        Self { verdict: Verdict::Error, consequence: Some(consequence.into()), ..self }
    }

    /// The same with what to change.
    #[must_use]
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// One finding for each question.
pub fn findings(seen: &Seen) -> Vec<Finding> {
    let mut findings = clocks::findings(seen);
    findings.push(log(&seen.facts.log));
    findings.extend(network::findings(seen));
    findings
}

fn log(log: &Log) -> Finding {
    match log {
        Log::Troubles(messages) if messages.is_empty() => {
            Finding::ok("kernel log", "no clock failed, nothing hung")
        }
        Log::Troubles(messages) => Finding::ok("kernel log", messages.join("\n"))
            .warn(
                "the kernel noticed a clock that went wrong, or a processor that did not run: time \
                 has leaked, or the host was so busy that it looked like that",
            )
            .remedy(
                "if these lines go on coming, give the guest `tsc=reliable` or \
                 `clocksource=hpet` (tcg), `clocksource=kvm-clock` (kvm), or the host less to do",
            ),
        Log::Unreadable(why) => Finding::ok("kernel log", format!("unreadable: {why}"))
            .warn("whether a clock went wrong is not known")
            .remedy("let root run the agent in this guest"),
    }
}

#[cfg(test)]
pub mod tests {
    //! A guest `alice` with a NIC on a link.

    use super::*;
    use crate::api::status::{Address, GuestState, Traffic, Way};

    /// The NIC's address.
    pub const MAC: &str = "52:54:00:00:00:0a";
    /// The link's MTU.
    pub const MTU: u32 = 1400;

    fn way(from: &str, to: &str) -> Way {
        let way = serde_json::json!({
            "from": from, "to": to, "up": true, "delay_ns": 0, "jitter_ns": 0, "distribution": "uniform",
            "trace": false,
            "rate_bit_per_s": null, "loss": 0.0, "duplicate": 0.0, "corrupt": 0.0, "reorder": 0.0,
            "queue_bytes": null, "queue_frames": null, "overhead_bytes": 0,
            "measured_delay_ns": null, "sent_frames": 0, "sent_bytes": 0, "delivered_frames": 0,
            "delivered_bytes": 0, "copies": 0, "dropped": {},
        });
        serde_json::from_value(way).expect("a way")
    }

    fn guest() -> Guest {
        let address = Address { interface: "eth0".into(), address: None, mac: MAC.into() };
        Guest {
            name: "alice".into(),
            state: GuestState::Ready,
            paused: false,
            pid: None,
            addresses: vec![address],
            vcpus: 1,
            memory_bytes: 1 << 28,
            management: None,
            reboots: 0,
            vcpu_seconds: None,
            traffic: Traffic::default(),
        }
    }

    /// What `findings` makes of these facts about alice.
    pub fn seen(
        facts: &Facts,
        accelerator: &str,
        machine: &Machine,
        findings: fn(&Seen) -> Vec<Finding>,
    ) -> Vec<Finding> {
        let forward = way("bob:eth1", "alice:eth0");
        let backward = way("alice:eth0", "bob:eth1");
        let link = Link { name: "bob:eth1-alice:eth0".into(), mtu_bytes: MTU, forward, backward };
        let guest = guest();
        let (guest, mode, links) = (&guest, "lockstep", &[link]);
        findings(&Seen { facts, accelerator, mode, machine, guest, links })
    }

    #[test]
    fn every_question_has_one_answer() {
        let machine = Machine { rtc_clock: Some("vm".into()) };
        let findings = seen(&Facts::default(), "tcg", &machine, findings);
        let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        let expected = [
            "clocksource",
            "tsc",
            "timer",
            "rtc",
            "exact clock",
            "command line",
            "kernel log",
            "eth0 offloads",
        ];
        assert_eq!(subjects, expected);
    }

    #[test]
    fn the_kernels_log() {
        let message = "[5.0] clocksource: tsc unstable".to_owned();
        let cases = [
            (Log::default(), Verdict::Ok, "no clock failed"),
            (Log::Troubles(vec![message]), Verdict::Warning, "tsc unstable"),
            (Log::Unreadable("no".into()), Verdict::Warning, "unreadable: no"),
        ];
        for (of, verdict, found) in cases {
            let finding = log(&of);
            assert_eq!(finding.verdict, verdict);
            assert!(finding.found.contains(found), "{finding:?}");
        }
    }
}
