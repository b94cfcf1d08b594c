//! What `vmctl up`, `step` and `run` say while they work: a line per step, on standard error.
//!
//! On a terminal the current step has a spinner; elsewhere each step is a plain line once.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use super::note;
use crate::api::progress::Progress;

/// The progress display of one command.
#[derive(Debug)]
pub struct Steps {
    bar: Option<ProgressBar>,
    /// What a plain log has said last, so that it does not repeat itself.
    said: String,
    silent: bool,
}

impl Steps {
    /// A display for this standard error.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(spinner);
        Self { bar, said: String::new(), silent: false }
    }

    /// One that shows nothing: it would be one of many.
    pub fn silent() -> Self {
        Self { bar: None, said: String::new(), silent: true }
    }

    /// Shows one line of the daemon's.
    pub fn show(&mut self, progress: &Progress) {
        match progress {
            Progress::Step(text) => self.step(text.clone()),
            Progress::Note(text) | Progress::Stopping(text) => self.say(text),
            Progress::Answering { ready, of, waiting_for } => {
                self.step(answering(*ready, *of, waiting_for));
            }
            Progress::Ready | Progress::Failed(_) | Progress::Stopped => self.clear(),
        }
    }

    /// Shows what changes all the time, which is for a terminal only.
    pub fn tick(&self, text: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
        }
    }

    /// Prints a line that stays.
    pub fn say(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None if self.silent => {}
            None => note(text),
        }
    }

    /// Removes the spinner.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn step(&mut self, text: String) {
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if !self.silent && text != self.said => {
                note(&text);
                self.said = text;
            }
            None => {}
        }
    }
}

impl Default for Steps {
    fn default() -> Self {
        Self::new()
    }
}

fn answering(ready: usize, of: usize, waiting_for: &[String]) -> String {
    let mut text = format!("{ready} of {of} guests answer");
    if !waiting_for.is_empty() && ready > 0 {
        text.push_str(&format!("; waiting for {}", waiting_for.join(", ")));
    }
    text
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is a constant of ours; the plain style is a fine substitute for a bad one.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
