//! The lab's page.

use clap::Args;

/// Print where the lab's page is, to open it in a browser
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl web
  vmctl web -o json | jq -r .url
  vmctl web --open                                in this desktop's browser

The page shows the network with its load, guests, clocks and events, live. It only shows, unless the
lab came up with `vmctl up --web-control`: then the address that this prints has a key in it, with
which the page can pause, step and resume the lab and change links. Keep that address to yourself.
The page is served on this host only: see it from elsewhere through `ssh -L`.")]
pub struct Web {
    /// Open it with xdg-open
    #[arg(long)]
    pub open: bool,
}
