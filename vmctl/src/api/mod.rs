//! The control API as types: what `control.sock` speaks and what `-o json` prints.
//!
//! HTTP/1.1 with JSON bodies under `/v1` on a UNIX socket; [`channel`] describes the two WebSockets.
//! Field names carry their unit. Fields are added, never renamed or given another meaning.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /v1/lab` | | [`Lab`](status::Lab) |
//! | `GET /v1/status` | | [`Status`](status::Status) |
//! | `GET /v1/guests/NODE` | | [`Guest`](inspect::Guest) |
//! | `GET /v1/links` | | list of [`Link`](status::Link) |
//! | `GET /v1/links/LINK` | | [`Link`](status::Link) |
//! | `PATCH /v1/links/LINK` | [`LinkChange`](link::LinkChange) | [`Link`](status::Link) |
//! | `PATCH /v1/links` | [`LinksChange`](link::LinksChange) | list of [`Link`](status::Link) |
//! | `POST /v1/pause`, `POST /v1/resume` | | [`Barrier`](status::Barrier) |
//! | `POST /v1/advance` | [`Advance`](time::Advance) | [`Advanced`](time::Advanced), when the time has passed |
//! | `GET /v1/clock` | | [`Clock`](time::Clock) |
//! | `GET /v1/capture?at=…` | [`CaptureQuery`](capture::CaptureQuery), as a query | pcapng, as it comes: [`capture`] |
//! | `DELETE /v1/captures/ID` | | nothing; that capture ends |
//! | `GET /v1/events?last=N&follow` | | lines of [`Event`](status::Event): the last N or all; then as they come |
//! | `GET /v1/metrics` | | OpenMetrics, as text |
//! | `GET /v1/runs` | | [`Runs`](runs::Runs) |
//! | `POST /v1/play` | [`Play`](play::Play) | [`Played`](play::Played), when the run is over |
//! | `GET /v1/log`, `GET /v1/guests/NODE/log` | query: [`LogQuery`](logs::LogQuery) | the log, as it was written |
//! | `POST /v1/pings` | | [`Watch`](pings::Watch): pings are written down from now on |
//! | `DELETE /v1/pings/WATCH` | | [`Pings`](pings::Pings): those that passed meanwhile |
//! | `POST /v1/shutdown` | | 202, then the lab goes down |
//! | `GET /v1/guests/NODE/ssh` | | [`Ssh`](access::Ssh) |
//! | `GET /v1/guests/NODE/gdb` | | [`Gdb`](access::Gdb) |
//! | `POST /v1/guests/NODE/exec` | [`Request`](exec::Request) | [`Ran`](exec::Ran), when the command has ended |
//! | `GET /v1/guests/NODE/exec` | WebSocket | [`channel`] |
//! | `GET /v1/guests/NODE/console?index=N` | WebSocket | [`channel`] |
//!
//! `docs/api.md` tells the same to users. A request that fails is answered with a [`Failure`](failure::Failure).

pub mod access;
pub mod capture;
pub mod channel;
pub mod exact;
pub mod exec;
pub mod failure;
pub mod inspect;
pub mod link;
pub mod logs;
pub mod pairs;
pub mod pings;
pub mod play;
pub mod progress;
pub mod runs;
pub mod status;
pub mod targets;
pub mod time;

/// The largest request body that the daemon reads, in bytes; every body of this API is far smaller.
pub const BODY_LIMIT: usize = 64 * 1024;
