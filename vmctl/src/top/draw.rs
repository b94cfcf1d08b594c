//! The screen: two lines of the lab, three panes, one line of keys. Fits 80 × 24.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table, TableState},
};

use super::{
    rates::{GuestRates, Rates, WayRates, dropped},
    text::{bar, bits, bytes, count, share, span},
    view::{GUEST_ORDERS, LINK_ORDERS, Order, Pane, View, shares},
};
use crate::api::{
    status::{Guest, GuestState, LabState, Status, Way},
    time::Clock,
};

/// Columns of the bar that shows how busy a wire is.
const BAR: usize = 6;
/// Columns from which on all that is counted has room beside the rates.
const WIDE: u16 = 96;

/// Everything that is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The last look.
    pub status: &'a Status,
    /// The clocks, of the same time.
    pub clock: &'a Clock,
    /// What went on since the look before.
    pub rates: &'a Rates,
    /// Whether there are colours.
    pub colours: bool,
}

impl Scene<'_> {
    /// How many rows each pane has.
    pub fn rows(&self) -> [usize; 3] {
        [self.status.guests.len(), 2 * self.status.links.len(), self.status.events.len()]
    }

    fn colour(&self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}

/// Draws it all.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>, view: &View) {
    let [top, rest, bottom] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(heading(scene)), top);
    // Column titles are on top of each.
    let [guests, links, events] = scene.rows().map(|rows| u16::try_from(rows).unwrap_or(u16::MAX));
    let wants = [guests, links, events].map(|rows| rows.saturating_add(1));
    let heights = shares(rest.height, wants).map(Constraint::Length);
    let panes: [Rect; 3] = Layout::vertical(heights).areas(rest);
    draw_guests(frame, panes[0], scene, view);
    draw_links(frame, panes[1], scene, view);
    draw_events(frame, panes[2], scene, view);
    frame.render_widget(Paragraph::new(foot(scene, view)), bottom);
}

fn heading<'a>(scene: &Scene<'a>) -> Vec<Line<'a>> {
    let status = scene.status;
    let colour = match status.state {
        LabState::Running => Color::Green,
        LabState::Paused | LabState::Booting => Color::Yellow,
        LabState::Stopping => Color::Red,
    };
    let state = Span::styled(status.state.word(), scene.colour(colour).bold_if(true));
    let ratio = scene.rates.ratio.or(scene.clock.ratio);
    let ratio = ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"));
    let (time, late) = (&status.time, &status.lateness);
    let first = Line::from(vec![
        Span::styled(status.lab.name.as_str(), Style::new().bold_if(true)),
        Span::raw(" "),
        state,
        Span::raw(format!(
            ", {} on {}  virtual {:.3} s  wall {:.3} s  ratio {ratio}",
            status.lab.mode, status.lab.accelerator, time.virtual_seconds, time.wall_seconds
        )),
    ]);
    let mut second = format!(
        "late p50 {} p99 {}   in flight {}   pauses {}+{}",
        span(late.p50_ns),
        span(late.p99_ns),
        status.in_flight,
        time.user_pauses,
        time.overload_pauses
    );
    if let Some(exact) = &status.exact {
        let digest = exact.digest.as_deref().and_then(|digest| digest.get(..8));
        let digest = digest.unwrap_or("none: not exact");
        let doubt = if exact.perturbed.is_some() { " (perturbed)" } else { "" };
        second.push_str(&format!("   digest {digest}{doubt}"));
    }
    vec![first, Line::from(second)]
}

fn draw_guests(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>, view: &View) {
    let rates = |index: usize| scene.rates.guests.get(index).copied().unwrap_or_default();
    let mut order: Vec<usize> = (0..scene.status.guests.len()).collect();
    let key = |index: &usize| {
        let rates = rates(*index);
        match view.guests_by {
            1 => rates.vcpu,
            2 => rates.received,
            3 => rates.sent,
            _ => rates.dropped,
        }
    };
    sort(&mut order, view.guests_by, key);
    let rows = order.into_iter().map(|index| {
        let guest = &scene.status.guests[index];
        guest_row(guest, &rates(index), scene)
    });
    let titles = ["guest", "state", "clock", "vcpu", "in/s", "out/s", "drops", "dropped"];
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(15),
        Constraint::Length(9),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(8),
    ];
    let table =
        Pane::Guests.table(rows, &titles, &widths, GUEST_ORDERS[view.guests_by], area, view);
    render(frame, area, table, Pane::Guests, view);
}

fn guest_row(guest: &Guest, rates: &GuestRates, scene: &Scene<'_>) -> Vec<Cell<'static>> {
    let colour = match guest.state {
        GuestState::Ready | GuestState::Running => Color::Green,
        GuestState::Booting => Color::Yellow,
        GuestState::Silent | GuestState::Dead => Color::Red,
    };
    let mut state = guest.state.word().to_owned();
    if guest.paused {
        state.push_str(", paused");
    }
    let dropped = guest.traffic.dropped_frames;
    let warn = if dropped > 0 { scene.colour(Color::Red) } else { Style::new() };
    vec![
        Cell::from(guest.name.clone()),
        Cell::from(state).style(scene.colour(colour)),
        number(offset(&guest.name, scene.clock)),
        number(share(rates.vcpu)),
        number(count(rates.received)),
        number(count(rates.sent)),
        number(count(rates.dropped)),
        number(count(Some(dropped as f64))).style(warn),
    ]
}

/// How far a guest's own clock is from the lab's, where it has one.
fn offset(guest: &str, clock: &Clock) -> String {
    let own = clock.guests.iter().find(|own| own.name == guest);
    own.map_or_else(
        || "-".into(),
        |own| match own.offset_ns {
            0 => "0".into(),
            ahead @ 1.. => format!("+{}", span(Some(ahead.unsigned_abs()))),
            behind => format!("-{}", span(Some(behind.unsigned_abs()))),
        },
    )
}

fn draw_links(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>, view: &View) {
    let ways: Vec<(&Way, WayRates)> = scene
        .status
        .links
        .iter()
        .enumerate()
        .flat_map(|(index, link)| {
            let rates = scene.rates.links.get(index).copied().unwrap_or_default();
            [(&link.forward, rates[0]), (&link.backward, rates[1])]
        })
        .collect();
    let mut order: Vec<usize> = (0..ways.len()).collect();
    let key = |index: &usize| {
        let (way, rates) = &ways[*index];
        match view.links_by {
            1 => rates.bits,
            2 => rates.utilisation,
            3 => Some(way.backlog_bytes as f64),
            _ => rates.dropped,
        }
    };
    sort(&mut order, view.links_by, key);
    let rows = order.into_iter().map(|index| way_row(ways[index].0, &ways[index].1, scene));
    let titles = ["link", "delay", "measured", "rate", "now", "use", "backlog", "drops", "dropped"];
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(8),
        Constraint::Length(BAR as u16),
        Constraint::Length(8),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    let table = Pane::Links.table(rows, &titles, &widths, LINK_ORDERS[view.links_by], area, view);
    render(frame, area, table, Pane::Links, view);
}

fn way_row(way: &Way, rates: &WayRates, scene: &Scene<'_>) -> Vec<Cell<'static>> {
    let busy = rates.utilisation.unwrap_or_default();
    let colour = match busy {
        0.95.. => Color::Red,
        0.7.. => Color::Yellow,
        _ => Color::Green,
    };
    let delay = if way.up { span(Some(way.delay_ns)) } else { "down".into() };
    let dropped = dropped(way);
    let warn = if dropped > 0 { scene.colour(Color::Red) } else { Style::new() };
    vec![
        Cell::from(format!("{}>{}", way.from, way.to)),
        number(delay),
        number(span(way.measured_delay_ns)),
        number(bits(way.rate_bit_per_s.map(|rate| rate as f64))),
        number(bits(rates.bits)),
        Cell::from(bar(busy, BAR)).style(scene.colour(colour)),
        number(bytes(way.backlog_bytes)),
        number(count(rates.dropped)),
        number(count(Some(dropped as f64))).style(warn),
    ]
}

/// The newest on top, so that they are seen whatever room there is.
fn draw_events(frame: &mut Frame<'_>, area: Rect, scene: &Scene<'_>, view: &View) {
    let rows = scene.status.events.iter().rev().map(|event| {
        vec![
            number(format!("{:.3}", event.at_seconds)),
            number(format!("{:.3}", event.virtual_seconds)),
            Cell::from(event.message.clone()),
        ]
    });
    let titles = ["wall s", "virtual s", "event"];
    let widths = [Constraint::Length(10), Constraint::Length(10), Constraint::Fill(1)];
    let table = Pane::Events.table(rows, &titles, &widths, "", area, view);
    render(frame, area, table, Pane::Events, view);
}

impl Pane {
    /// A table that marks the column it is sorted by. The last column is left out where there is no
    /// room for it.
    fn table<'a>(
        self,
        rows: impl Iterator<Item = Vec<Cell<'a>>>,
        titles: &[&str],
        widths: &[Constraint],
        order: &str,
        area: Rect,
        view: &View,
    ) -> Table<'a> {
        let active = view.pane == self;
        let columns = if self == Self::Events || area.width >= WIDE {
            titles.len()
        } else {
            titles.len() - 1
        };
        let titles = titles.iter().take(columns).map(|title| {
            let sorted = *title == order;
            let text = title.to_uppercase() + if sorted { "▼" } else { "" };
            let is_text = matches!(*title, "guest" | "link" | "state" | "event" | "use");
            let line = Line::from(text);
            Cell::from(if is_text { line } else { line.right_aligned() })
        });
        let mark =
            if active { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        let header = Row::new(titles).style(Style::new().bold_if(active));
        let rows = rows.map(|row| Row::new(row.into_iter().take(columns)));
        let widths = widths.iter().take(columns).copied();
        Table::new(rows, widths).header(header).row_highlight_style(mark)
    }
}

fn render(frame: &mut Frame<'_>, area: Rect, table: Table<'_>, pane: Pane, view: &View) {
    let mut state = TableState::new().with_selected(view.marked[pane as usize]);
    frame.render_stateful_widget(table, area, &mut state);
}

fn foot<'a>(scene: &Scene<'_>, view: &'a View) -> Line<'a> {
    let bold = Style::new().bold_if(true);
    match (&view.asks, &view.notice) {
        (Some(Order::Pause), _) => {
            Line::styled("pause the lab, guests and virtual time? y/n", bold)
        }
        (Some(Order::Resume), _) => Line::styled("let the lab go on? y/n", bold),
        (None, Some(notice)) => Line::styled(notice.as_str(), bold),
        (None, None) => {
            let order = if scene.status.state == LabState::Paused { "resume" } else { "pause" };
            Line::raw(format!("q quit  Tab switch  ↑↓ PgUp PgDn scroll  s sort  p {order}"))
        }
    }
}

/// The greatest first, the unknown last; where all are the same, as in the file.
fn sort(order: &mut [usize], by: usize, key: impl Fn(&usize) -> Option<f64>) {
    if by > 0 {
        order.sort_by(|a, b| {
            let [a, b] = [a, b].map(|index| key(index).unwrap_or(-1.0));
            b.total_cmp(&a)
        });
    }
}

fn number(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

trait BoldIf {
    fn bold_if(self, bold: bool) -> Self;
}

impl BoldIf for Style {
    fn bold_if(self, bold: bool) -> Self {
        if bold { self.add_modifier(Modifier::BOLD) } else { self }
    }
}
