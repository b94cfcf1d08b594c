//! Labs to measure: guests around a switch, whose delays can be changed while they run.

use std::time::Duration;

use chronotap_tests::lab::Lab;
use chronotap_tests::topology::SMALL;

use crate::sample::Sample;

/// Virtual time in which it shows how fast a lab is.
const TRIAL: Duration = Duration::from_millis(100);

/// How long a lab may take to boot: each guest's boot is ten seconds of one core.
const PATIENCE: &str = "8m";

/// The most that one measurement covers.
const LONGEST: Duration = Duration::from_secs(120);

/// A lab of equal guests.
pub struct BenchLab {
    lab: Lab,
    guests: u32,
}

impl BenchLab {
    /// Boots so many guests in a mode.
    pub fn up(mode: &str, guests: u32) -> Self {
        let (name, text) = (format!("bench-{mode}"), topology(mode, guests));
        let lab = Lab::up_with(&name, &text, &["--timeout", PATIENCE]);
        Self { lab, guests }
    }

    /// Sets all delays: what one guest does is felt by another so much later.
    pub fn set_lookahead(&self, lookahead_us: u32) {
        let delay = format!("delay={}ns", lookahead_us * 1000 / 2);
        for guest in 0..self.guests {
            self.lab.vmctl(&["link", "set", &format!("g{guest}:eth0"), &delay]);
        }
    }

    /// Runs a shell command in a guest, and lets the lab's time go on for that.
    pub fn sh(&self, guest: u32, script: &str) {
        self.lab.vmctl(&["resume"]);
        self.lab.sh(&format!("g{guest}"), script);
    }

    /// Gives each guest an endless loop.
    pub fn make_busy(&self) {
        for guest in 0..self.guests {
            self.sh(guest, "(while :; do :; done) </dev/null >/dev/null 2>&1 &");
        }
    }

    /// Measures for about `wall` of the host's time.
    pub fn measure(&self, wall: Duration) -> Sample {
        let trial = self.pass(TRIAL);
        let span = TRIAL.mul_f64(wall.as_secs_f64() / trial.wall.max(1e-3));
        self.pass(span.clamp(TRIAL, LONGEST))
    }

    fn pass(&self, span: Duration) -> Sample {
        let before = self.lab.look();
        let advanced = self.lab.run_for(&format!("{}us", span.as_micros()));
        Sample::new(self.guests, &before, &advanced, &self.lab.look())
    }
}

fn topology(mode: &str, guests: u32) -> String {
    let mut text = format!(
        "[time]\nmode = '{mode}'\n{SMALL}[defaults.link]\ndelay = '5ms'\n[node.hub]\nkind = 'switch'\n"
    );
    for guest in 0..guests {
        text.push_str(&format!("[node.g{guest}]\n"));
    }
    for guest in 0..guests {
        text.push_str(&format!("[[link]]\nendpoints = ['g{guest}:eth0', 'hub:p{guest}']\n"));
    }
    text
}
