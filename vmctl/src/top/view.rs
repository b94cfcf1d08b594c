//! What is looked at, and what keys make of it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::api::status::LabState;

/// A part of the screen that scrolls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The guests.
    Guests,
    /// Both ways of every link.
    Links,
    /// What happened lately.
    Events,
}

impl Pane {
    /// All of them, from top to bottom.
    pub const ALL: [Self; 3] = [Self::Guests, Self::Links, Self::Events];
}

/// By what guests can be sorted; the first is the order of the file. Others: the greatest first.
pub const GUEST_ORDERS: [&str; 5] = ["file", "vcpu", "in/s", "out/s", "drops"];
/// By what links can be sorted.
pub const LINK_ORDERS: [&str; 5] = ["file", "now", "use", "backlog", "drops"];

/// The state of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What keys move in.
    pub pane: Pane,
    /// The row that is marked, by pane. Rows may have become fewer since.
    pub marked: [usize; 3],
    /// How guests are sorted: an index into [`GUEST_ORDERS`].
    pub guests_by: usize,
    /// How links are sorted: an index into [`LINK_ORDERS`].
    pub links_by: usize,
    /// Whether the lab is to be paused, or resumed, waits for an answer.
    pub asks: Option<Order>,
    /// What came of the last order, or that it is under way.
    pub notice: Option<String>,
}

/// What the lab is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Stand still.
    Pause,
    /// Go on.
    Resume,
}

/// What a key leads to, outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Leave.
    Quit,
    /// Tell the lab.
    Order(Order),
}

/// How far PgUp and PgDn go.
const PAGE: usize = 10;

impl Default for View {
    fn default() -> Self {
        Self {
            pane: Pane::Guests,
            marked: [0; 3],
            guests_by: 0,
            links_by: 0,
            asks: None,
            notice: None,
        }
    }
}

impl View {
    /// Takes a key. `rows` is how many rows each pane has, `state` what the lab is doing.
    pub fn press(&mut self, key: KeyEvent, rows: [usize; 3], state: LabState) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::None;
        }
        let interrupts = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if interrupts => Action::Quit,
            code => match self.asks.take() {
                Some(order) if matches!(code, KeyCode::Char('y' | 'Y')) => Action::Order(order),
                Some(_) => Action::None,
                None => self.command(code, rows, state),
            },
        }
    }

    fn command(&mut self, code: KeyCode, rows: [usize; 3], state: LabState) -> Action {
        self.notice = None;
        let row = self.marked[self.pane as usize];
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Action::Quit,
            KeyCode::Char('p') => self.ask(state),
            KeyCode::Char('s') => self.sort(),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Pane::ALL.len() - 1),
            KeyCode::Up | KeyCode::Char('k') => self.mark(row.saturating_sub(1), rows),
            KeyCode::Down | KeyCode::Char('j') => self.mark(row + 1, rows),
            KeyCode::PageUp => self.mark(row.saturating_sub(PAGE), rows),
            KeyCode::PageDown => self.mark(row + PAGE, rows),
            KeyCode::Home => self.mark(0, rows),
            KeyCode::End => self.mark(usize::MAX, rows),
            _ => {}
        }
        Action::None
    }

    fn ask(&mut self, state: LabState) {
        match state {
            LabState::Running => self.asks = Some(Order::Pause),
            LabState::Paused => self.asks = Some(Order::Resume),
            LabState::Booting | LabState::Stopping => {
                self.notice = Some(format!("the lab is {}", state.word()));
            }
        }
    }

    fn sort(&mut self) {
        match self.pane {
            Pane::Guests => self.guests_by = (self.guests_by + 1) % GUEST_ORDERS.len(),
            Pane::Links => self.links_by = (self.links_by + 1) % LINK_ORDERS.len(),
            Pane::Events => self.notice = Some("events are in the order of time".into()),
        }
    }

    fn turn(&mut self, steps: usize) {
        self.pane = Pane::ALL[(self.pane as usize + steps) % Pane::ALL.len()];
    }

    fn mark(&mut self, row: usize, rows: [usize; 3]) {
        let pane = self.pane as usize;
        self.marked[pane] = row.min(rows[pane].saturating_sub(1));
    }
}

/// How many lines each pane gets of `lines`, when it has use for `wants`. Each gets its least first,
/// from top to bottom; then they take turns.
pub fn shares(lines: u16, wants: [u16; 3]) -> [u16; 3] {
    /// Column titles and two rows.
    const LEAST: u16 = 3;
    let mut shares = [0; 3];
    let mut left = lines;
    for (share, want) in shares.iter_mut().zip(wants) {
        *share = want.min(LEAST).min(left);
        left -= *share;
    }
    while left > 0 && shares.iter().zip(wants).any(|(share, want)| *share < want) {
        for (share, want) in shares.iter_mut().zip(wants) {
            let more = u16::from(*share < want && left > 0);
            *share += more;
            left -= more;
        }
    }
    shares
}
