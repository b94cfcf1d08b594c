//! `vmctl up`: starts a lab's daemon, shows its progress, and holds its leash.

use super::{
    held::{Held, Orders},
    path, privilege, target, tmux, topology,
};
use crate::{
    api::{failure::Failure, progress::Progress},
    cli::{Format, Up},
    client::Client,
    daemon::signals::Ending,
    lab::Labs,
    output::{self, progress::Steps, status},
};

/// What a shell reports for an interrupted program: 128 + SIGINT.
const INTERRUPTED: u8 = 128 + 2;

/// Boots a lab; in the foreground, stays until it is down.
pub async fn run(args: &Up, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    topology::check_rereadable(&args.file)?;
    let name = topology::load(&args.file, lab)?.name;
    privilege::check()?;
    if args.tmux {
        tmux::check()?;
    }
    let detach = args.detach || args.tmux;
    let mut ending = Ending::listen()?;
    let labs = Labs::of_this_user()?;
    let client = Client::new(name.as_str(), labs.control_socket(&name));
    let (file, timeout, capture) = (args.file.as_path(), args.timeout, args.capture.as_deref());
    let orders = Orders {
        file,
        name: &name,
        timeout,
        hold: false,
        seed: None,
        journal: None,
        capture,
        web_control: args.web_control,
    };
    let mut watch = Watch { held: Held::start(&orders)?, steps: Steps::new() };
    let code = watch.follow(detach, &client, format, &mut ending).await;
    watch.steps.clear();
    if !detach || code.is_err() {
        watch.held.reap().await;
    }
    if args.tmux && matches!(code, Ok(0)) {
        tmux::show(&client).await?;
    }
    code
}

/// A daemon on its leash, and what is shown of it.
struct Watch {
    held: Held,
    steps: Steps,
}

impl Watch {
    /// Follows the daemon to its last word, or with `detach` until it is ready.
    async fn follow(
        &mut self,
        detach: bool,
        client: &Client,
        format: Format,
        ending: &mut Ending,
    ) -> Result<u8, Failure> {
        let mut ready = false;
        loop {
            let interrupted = !self.held.is_held();
            let progress = tokio::select! {
                progress = self.held.next() => progress?,
                _ = ending.next(), if !interrupted => {
                    self.held.pull();
                    continue;
                }
            };
            self.steps.show(&progress);
            match progress {
                Progress::Ready if !interrupted => {
                    ready = true;
                    self.welcome(client, format).await?;
                    if detach {
                        self.held.let_go().await?;
                        return Ok(0);
                    }
                    self.steps.say("Ctrl-C takes the lab down");
                }
                Progress::Failed(_) if interrupted => return Ok(INTERRUPTED),
                Progress::Failed(failure) => return Err(failure),
                Progress::Stopped if interrupted && !ready => return Ok(INTERRUPTED),
                Progress::Stopped => return Ok(0),
                _ => {}
            }
        }
    }

    /// Shows a lab that is ready.
    async fn welcome(&mut self, client: &Client, format: Format) -> Result<(), Failure> {
        let status = match client.status().await {
            Ok(status) => status,
            Err(failure) => return Err(self.last_word().await.unwrap_or(failure)),
        };
        output::print(format, &status, status::welcome)?;
        path::hint().iter().for_each(|hint| self.steps.say(hint));
        target::hint(client.lab_name()).iter().for_each(|hint| self.steps.say(hint));
        Ok(())
    }

    /// Why a lab that was ready has not answered: it may be on its way down, of its own accord or
    /// of ours now.
    async fn last_word(&mut self) -> Option<Failure> {
        self.held.pull();
        loop {
            match self.held.next().await.ok()? {
                Progress::Failed(failure) => return Some(failure),
                progress => self.steps.show(&progress),
            }
        }
    }
}
