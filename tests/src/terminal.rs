//! A real terminal, driven as a person would: keys go in, and what is on the screen comes out. It is a
//! window of a tmux server of our own, which is gone when this is dropped.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use crate::lab;

/// How long a text may take to appear. A guest on a busy host needs some seconds for a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the screen is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A terminal of 100 columns and 30 lines, with a shell in it.
#[derive(Debug)]
pub struct Terminal {
    /// Our server's socket, and what its shell finds first in its `PATH`.
    dir: tempfile::TempDir,
}

impl Terminal {
    /// Opens a terminal whose shell knows `vmctl`, for the lab of that name.
    ///
    /// # Panics
    /// When tmux does not start.
    pub fn open(lab: &str) -> Self {
        let terminal = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        let vmctl = PathBuf::from(lab::command().get_program());
        let vmctl = vmctl.canonicalize().expect("the binary is there");
        std::os::unix::fs::symlink(vmctl, terminal.dir.path().join("vmctl")).expect("a link");
        let lab = format!("VMCTL_LAB={lab}");
        let mut args = vec!["new-session", "-d", "-x", "100", "-y", "30"];
        let parts =
            std::env::var("CHRONOTAP_PARTS").map(|parts| format!("CHRONOTAP_PARTS={parts}"));
        let settings = [lab, "NO_COLOR=1".to_owned()];
        let settings: Vec<String> = settings.into_iter().chain(parts).collect();
        settings.iter().for_each(|setting| args.extend(["-e", setting.as_str()]));
        args.extend(["sh"]);
        terminal.must(&args);
        terminal.wait_until("a prompt", |screen| !screen.trim().is_empty());
        terminal
    }

    /// Types a text, and Enter.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn enter(&self, text: &str) {
        self.must(&["send-keys", "-l", text]);
        self.press("Enter");
    }

    /// Presses a key, by tmux's name for it: `Enter`, `q`, `C-]`.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&self, key: &str) {
        self.must(&["send-keys", key]);
    }

    /// What is on the screen, and some of what was.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn screen(&self) -> String {
        // -J: lines that are longer than the screen stay whole.
        self.must(&["capture-pane", "-p", "-J", "-S", "-200"])
    }

    /// Waits until a text is on the screen, and returns the screen.
    ///
    /// # Panics
    /// When it does not come; with the screen.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    /// Waits until the screen is as wanted, and returns it.
    ///
    /// # Panics
    /// When it does not become so; with the screen.
    pub fn wait_until(&self, wanted: &str, is_there: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < PATIENCE, "no {wanted:?} on the screen:\n{screen}");
            std::thread::sleep(LOOK);
        }
    }

    /// Takes away all that is on the screen.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn clear(&self) {
        self.must(&["send-keys", "-R"]);
        self.must(&["clear-history"]);
    }

    /// Gives the terminal another size.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.must(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// Asks the terminal's tmux something, which must succeed; returns what it says.
    ///
    /// # Panics
    /// When it does not.
    pub fn must(&self, args: &[&str]) -> String {
        let output = self.tmux(args);
        assert!(output.status.success(), "tmux {args:?}: {}", lab::told(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The socket of the terminal's tmux.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("tmux")
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        // Nothing of the user's own, nor of a tmux that we are in.
        command.args(["-f", "/dev/null", "-S"]).arg(self.socket()).args(args).env_remove("TMUX");
        // What runs in a window finds programs where whoever opens the window does.
        let rest = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{rest}", self.dir.path().display()));
        command.current_dir(Path::new("/")).output().expect("tmux runs; `cargo xtask setup`")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended by itself has no server to end.
        let _ = self.tmux(&["kill-server"]);
    }
}
