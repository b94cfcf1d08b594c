//! `vmctl run FILE --pause-before TEXT`: the run stands still right before a scheduled command, for
//! somebody who wants to look around.
//!
//! In mode `exact` it stands at the command's very instant, and to look on changes nothing. Elsewhere
//! guests boot before time is governed, and it stands at that instant or a moment before.

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{io::AsyncReadExt as _, time::sleep};

use crate::{
    api::{failure::Failure, status::LabState},
    client::Client,
    commands::terminal::RawMode,
    output::{note, text::nanos},
    scenario::Scenario,
    units::Delay,
};

/// How often it is looked whether somebody else has let the lab go on.
const LOOK: Duration = Duration::from_millis(250);

/// Keys that go on: what terminals send for Enter.
const GO_ON: [u8; 2] = [b'\r', b'\n'];

/// Keys that end the run: q, and Ctrl-C and Ctrl-D, which are no signals on a raw terminal.
const END: [u8; 3] = [b'q', 3, 4];

/// Where a run stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    guest: String,
    command: String,
    at: Duration,
}

/// What whoever looked around has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The run goes on.
    GoOn,
    /// It ends.
    End,
}

impl Hold {
    /// Before the first scheduled command with `text` in it, its words joined by spaces.
    ///
    /// # Errors
    /// There is none, with those that there are.
    pub fn before(text: &str, scenario: &Scenario) -> Result<Self, Failure> {
        let guests = scenario.guests.iter();
        let runs = guests.flat_map(|guest| guest.runs.iter().map(move |run| (guest, run)));
        let mut all: Vec<_> = runs
            .map(|(guest, run)| Self {
                guest: guest.name.to_string(),
                command: run.command.join(" "),
                at: run.at,
            })
            .collect();
        // Equal instants stay in the file's order.
        all.sort_by_key(|hold| hold.at);
        if let Some(found) = all.iter().find(|hold| hold.command.contains(text)) {
            return Ok(found.clone());
        }
        let lines = all.iter().map(Self::line).collect();
        Err(Failure::usage(format!("no scheduled command has `{text}` in it"))
            .remedy(match all.is_empty() {
                true => "the file has none: [[node.NAME.run]] schedules one",
                false => "the lines above are those of the file",
            })
            .log(lines))
    }

    fn line(&self) -> String {
        let Self { guest, command, at } = self;
        format!("{} in {guest}: {}", Delay::from(*at), command.escape_debug())
    }

    /// Lets time pass until then, in a lab that stands still.
    ///
    /// # Errors
    /// It is later already; what the lab has against it.
    pub async fn reach(&self, client: &Client) -> Result<(), Failure> {
        let clock = client.clock().await?;
        let now = Duration::from_nanos(clock.virtual_ns);
        match self.at.checked_sub(now) {
            Some(Duration::ZERO) => Ok(()),
            Some(left) => client.advance(left.into()).await.map(drop),
            None => Err(Failure::runtime(format!(
                "it is too late to pause before `{}`: in mode {} guests boot first, which took until \
                 {} of virtual time",
                self.command,
                clock.mode,
                nanos(clock.virtual_ns)
            ))
            .remedy(format!("schedule it later than {}, or use mode exact", Delay::from(self.at)))),
        }
    }

    /// Tells where the lab stands and how its guests are reached, and waits for a key, or for somebody
    /// who resumes the lab.
    ///
    /// # Errors
    /// The lab is gone, or the terminal.
    pub async fn keep(&self, client: &Client) -> Result<Decision, Failure> {
        let Self { guest, command, .. } = self;
        let clock = client.clock().await?;
        let now = nanos(clock.virtual_ns);
        note(&format!(
            "held at {now} of virtual time, before {guest} runs: {}",
            command.escape_debug()
        ));
        for guest in client.status().await?.guests {
            let consoles = client.guest(&guest.name).await?.files.console_sockets;
            // Refused for a guest without a stub.
            let gdb = client.gdb(&guest.name).await.ok().map(|gdb| gdb.socket);
            ways(client.lab_name(), &guest.name, &consoles, gdb.as_deref())
                .iter()
                .for_each(|line| note(line));
        }
        if clock.mode == "exact" {
            note("looking on changes nothing; what is typed or run makes this a run of its own");
        }
        let resume = format!("`vmctl --lab {} resume`", client.lab_name());
        if !io::stdin().is_terminal() {
            note(&format!("{resume} goes on"));
            resumed(client).await?;
            return Ok(Decision::GoOn);
        }
        note(&format!("Enter goes on (or {resume}), q ends the run"));
        let raw = RawMode::enter()
            .map_err(|error| Failure::runtime(format!("the terminal has no raw mode: {error}")))?;
        let decision = tokio::select! {
            decision = key() => decision,
            resumed = resumed(client) => resumed.map(|()| Decision::GoOn),
        };
        drop(raw);
        decision
    }
}

/// How a guest is reached, line by line.
fn ways(lab: &str, guest: &str, consoles: &[PathBuf], gdb: Option<&Path>) -> Vec<String> {
    let mut lines = vec![
        format!("  {guest}: vmctl --lab {lab} console {guest}"),
        format!("  {guest}: vmctl --lab {lab} exec {guest} -- COMMAND (runs when time goes on)"),
    ];
    lines.extend(consoles.iter().map(|socket| {
        format!("  {guest}: socat -,rawer,escape=0x1d UNIX-CONNECT:{}", socket.display())
    }));
    lines.extend(
        gdb.map(|socket| format!("  {guest}: gdb -ex 'target remote {}'", socket.display())),
    );
    lines
}

async fn resumed(client: &Client) -> Result<(), Failure> {
    loop {
        sleep(LOOK).await;
        if client.clock().await?.state != LabState::Paused {
            return Ok(());
        }
    }
}

async fn key() -> Result<Decision, Failure> {
    let mut stdin = tokio::io::stdin();
    let mut key = [0];
    loop {
        let read = stdin.read(&mut key).await;
        let length = read.map_err(|error| Failure::runtime(format!("no keys: {error}")))?;
        match key[0] {
            _ if length == 0 => return Ok(Decision::End),
            key if GO_ON.contains(&key) => return Ok(Decision::GoOn),
            key if END.contains(&key) => return Ok(Decision::End),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
version = 1
name = 'hold'
[node.alice]
[node.bob]
[[link]]
endpoints = ['alice:eth0', 'bob:eth0']
delay = '1ms'
[[node.alice.run]]
at = '9s'
command = ['ping', '-c', '1', 'bob']
[[node.bob.run]]
at = '5s'
command = ['ping', '-c', '2', 'alice']
";

    fn scenario(text: &str) -> (tempfile::TempDir, Scenario) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("hold.toml");
        std::fs::write(&file, text).expect("written");
        let scenario = Scenario::load(&file).expect("a scenario");
        (dir, scenario)
    }

    #[test]
    fn the_first_instant_counts_and_words_are_joined() {
        let (_dir, scenario) = scenario(FILE);
        let before = |text| Hold::before(text, &scenario).expect("found");
        assert_eq!(
            (before("ping").guest.as_str(), before("-c 1").guest.as_str()),
            ("bob", "alice")
        );
        assert_eq!(before("2 al").at, Duration::from_secs(5));
    }

    #[test]
    fn a_text_that_is_nowhere_gets_the_commands_that_there_are() {
        let (_dir, scenario) = scenario(FILE);
        let failure = Hold::before("iperf3", &scenario).expect_err("nowhere");
        insta::assert_snapshot!(failure.message, @"no scheduled command has `iperf3` in it");
        insta::assert_snapshot!(failure.log.join("\n"), @r"
        5s in bob: ping -c 2 alice
        9s in alice: ping -c 1 bob
        ");
    }

    #[test]
    fn a_guests_own_sockets_are_told_of() {
        let consoles = ["DIR/console0.sock".into(), "DIR/console1.sock".into()];
        let lines = ways("pair", "alice", &consoles, Some(Path::new("DIR/gdb.sock"))).join("\n");
        insta::assert_snapshot!(lines, @r"
          alice: vmctl --lab pair console alice
          alice: vmctl --lab pair exec alice -- COMMAND (runs when time goes on)
          alice: socat -,rawer,escape=0x1d UNIX-CONNECT:DIR/console0.sock
          alice: socat -,rawer,escape=0x1d UNIX-CONNECT:DIR/console1.sock
          alice: gdb -ex 'target remote DIR/gdb.sock'
        ");
    }
}
