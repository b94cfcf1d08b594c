//! `vmctl top`: the terminal, the keys and the daemon around the live view.
//!
//! ```text
//! daemon ─ looks ─┐
//! keyboard ─ keys ┼─▶ what is shown ─▶ redrawn, four times a second at most
//! orders' ends ───┘
//! ```

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event as Input, KeyEvent},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::target;
use crate::{
    api::{failure::Failure, status::Status, time::Clock},
    cli::{Format, Top},
    client::Client,
    daemon::signals::Ending,
    top::{
        draw::{Scene, draw},
        rates::Rates,
        view::{Action, Order, View},
    },
};

/// Between two drawings.
const FRAME: Duration = Duration::from_millis(250);

/// Keys and looks that may wait.
const ROOM: usize = 16;

/// Shows the lab until somebody leaves, or it is gone.
pub async fn run(args: &Top, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    if format == Format::Json || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::usage("`vmctl top` draws on a terminal, and this is none").remedy(
            "`vmctl status --watch` prints the same again and again; with -o json, one object per \
             line",
        ));
    }
    let client = target::find(lab)?;
    let mut ending = Ending::listen()?;
    // Before the screen is taken: what fails at once is said where it was typed.
    let mut live = Live::new(look(&client).await?);
    let mut screen = Screen::take()?;
    let mut keys = keys();
    let (tell, mut looks) = mpsc::channel(ROOM);
    tokio::spawn(look_again(client.clone(), args.every, tell));
    let (done, mut outcomes) = mpsc::channel(ROOM);
    loop {
        let drawn = live.draw(&mut screen)?;
        // What comes until the next drawing is taken in together.
        let next = sleep_until(drawn + FRAME);
        tokio::pin!(next);
        let mut changed = false;
        while !(changed && next.is_elapsed()) {
            tokio::select! {
                key = keys.recv() => match live.take(key.transpose()?.flatten()) {
                    Action::Quit => return Ok(()),
                    Action::Order(order) => {
                        live.view.notice = Some(format!("{} …", order.progress()));
                        tokio::spawn(obey(client.clone(), order, done.clone()));
                    }
                    Action::None => {}
                },
                Some(seen) = looks.recv() => live.see(seen?),
                Some(outcome) = outcomes.recv() => live.view.notice = Some(outcome),
                _ = ending.next() => return Ok(()),
                () = &mut next, if changed => continue,
            }
            changed = true;
        }
    }
}

/// One look at the lab.
type Look = (Status, Clock);

async fn look(client: &Client) -> Result<Look, Failure> {
    Ok((client.status().await?, client.clock().await?))
}

/// Looks for ever, or until it cannot; a daemon that is slow is not asked more often.
async fn look_again(client: Client, every: Duration, tell: mpsc::Sender<Result<Look, Failure>>) {
    loop {
        sleep(every).await;
        let seen = look(&client).await;
        let failed = seen.is_err();
        if tell.send(seen).await.is_err() || failed {
            return;
        }
    }
}

async fn obey(client: Client, order: Order, done: mpsc::Sender<String>) {
    let barrier = match order {
        Order::Pause => client.pause().await,
        Order::Resume => client.resume().await,
    };
    let outcome = match barrier {
        Ok(barrier) => format!("{} at {:.6} s", barrier.state.word(), barrier.virtual_seconds),
        Err(failure) => failure.message,
    };
    // Who asked may have left.
    drop(done.send(outcome).await);
}

impl Order {
    fn progress(self) -> &'static str {
        match self {
            Self::Pause => "pausing",
            Self::Resume => "resuming",
        }
    }
}

/// Keys as they are pressed, `None` for what only makes a new drawing necessary. The thread that
/// reads them ends with the program.
fn keys() -> mpsc::Receiver<Result<Option<KeyEvent>, Failure>> {
    let (tell, keys) = mpsc::channel(ROOM);
    std::thread::spawn(move || {
        loop {
            let read = event::read().map_err(|error| {
                Failure::runtime(format!("cannot read from the terminal: {error}"))
            });
            let failed = read.is_err();
            let key = read.map(|input| match input {
                Input::Key(key) => Some(key),
                _ => None,
            });
            if tell.blocking_send(key).is_err() || failed {
                return;
            }
        }
    });
    keys
}

/// What is shown.
struct Live {
    seen: Look,
    rates: Rates,
    view: View,
    colours: bool,
}

impl Live {
    fn new(seen: Look) -> Self {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { seen, rates: Rates::default(), view: View::default(), colours }
    }

    fn scene(&self) -> Scene<'_> {
        let Self { seen: (status, clock), rates, colours, .. } = self;
        Scene { status, clock, rates, colours: *colours }
    }

    fn see(&mut self, seen: Look) {
        self.rates = Rates::between(&self.seen.0, &seen.0);
        self.seen = seen;
    }

    fn take(&mut self, key: Option<KeyEvent>) -> Action {
        let (rows, state) = (self.scene().rows(), self.seen.0.state);
        key.map_or(Action::None, |key| self.view.press(key, rows, state))
    }

    /// Returns when.
    fn draw(&self, screen: &mut Screen) -> Result<Instant, Failure> {
        let drawn = screen.0.draw(|frame| draw(frame, &self.scene(), &self.view));
        drawn.map_err(|error| refused(&error))?;
        Ok(Instant::now())
    }
}

/// The terminal's other screen, raw; put back as it was when dropped, and in a panic.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> Result<Self, Failure> {
        ratatui::try_init().map(Self).map_err(|error| refused(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn refused(error: &io::Error) -> Failure {
    Failure::runtime(format!("cannot draw on the terminal: {error}"))
}
