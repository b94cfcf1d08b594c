//! Comfort in the shell.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Print what makes a shell complete commands, labs, guests and links
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(vmctl completions bash)                in ~/.bashrc
  source <(vmctl completions zsh)                 in ~/.zshrc
  vmctl completions fish | source                 in ~/.config/fish/config.fish

Names are those of labs that are up when Tab is pressed.")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// A shell that `vmctl completions` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash 4.4 or later.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
}

/// Print the manual page, or write one for every command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl man | man -l -
  vmctl man /tmp/vmctl-man && man -l /tmp/vmctl-man/vmctl-link-set.1")]
pub struct Man {
    /// Where to write the pages to; without it, vmctl(1) is printed
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}
