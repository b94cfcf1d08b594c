//! The agent's books: one entry per running command.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::flow::{Inlet, Outlet, Violation};
use crate::shared::{Source, turns};
use crate::wire::{Frame, Kind};
use crate::{MAX_EXECS, MAX_REQUEST, Outcome, Request, Size};

/// One command.
#[derive(Debug)]
pub(super) struct Entry {
    /// The request as far as it has arrived; taken when it is complete.
    request: Vec<u8>,
    pub stdin: Inlet,
    pub stdout: Outlet,
    pub stderr: Outlet,
    /// Signals to pass on, bit n - 1 for signal n.
    pub signals: u64,
    /// The latest size of its terminal, unless it was taken.
    pub size: Option<Size>,
    outcome: Option<Outcome>,
    /// Rung at every change that the command's task may wait for.
    pub changed: Arc<Notify>,
    task: Option<AbortHandle>,
}

impl Entry {
    fn new() -> Self {
        Self {
            request: Vec::new(),
            stdin: Inlet::new(),
            stdout: Outlet::new(),
            stderr: Outlet::new(),
            signals: 0,
            size: None,
            outcome: None,
            changed: Arc::default(),
            task: None,
        }
    }

    fn next_frame(&mut self, exec: u32) -> Option<Frame> {
        if let Some(bytes) = self.stdin.grant() {
            return Some(Frame::credit(exec, Kind::Stdin, bytes));
        }
        for (kind, outlet) in [(Kind::Stderr, &mut self.stderr), (Kind::Stdout, &mut self.stdout)] {
            if let Some(payload) = outlet.next_payload() {
                self.changed.notify_waiters();
                return Some(Frame::new(exec, kind, payload));
            }
        }
        None
    }

    /// The last frame, once all output is on its way.
    fn result(&mut self, exec: u32) -> Option<Frame> {
        let drained = self.stdout.is_empty() && self.stderr.is_empty();
        let outcome = self.outcome.take_if(|_| drained)?;
        // An outcome is plain fields: it always becomes JSON.
        let json = serde_json::to_vec(&outcome).unwrap_or_default();
        Some(Frame::new(exec, Kind::Result, json))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// A request that is complete: start it.
#[derive(Debug)]
pub(super) struct Start {
    pub exec: u32,
    /// `Err`: what is wrong with the request.
    pub request: Result<Request, String>,
    pub changed: Arc<Notify>,
}

/// All commands of one session.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<u32, Entry>,
    /// Whose frame was sent last.
    last_turn: u32,
}

impl Table {
    pub(super) fn entry(&mut self, exec: u32) -> Option<&mut Entry> {
        self.entries.get_mut(&exec)
    }

    /// Links a command to its task, which is aborted when the command is dropped.
    pub(super) fn started(&mut self, exec: u32, task: AbortHandle) {
        if let Some(entry) = self.entries.get_mut(&exec) {
            entry.task = Some(task);
        }
    }

    /// The command is over; its result follows its output.
    pub(super) fn finish(&mut self, exec: u32, outcome: Outcome) {
        if let Some(entry) = self.entries.get_mut(&exec) {
            entry.outcome = Some(outcome);
            entry.task = None;
        }
    }

    /// Books a frame from the host.
    pub(super) fn on_frame(&mut self, frame: &Frame) -> Result<Option<Start>, Violation> {
        if frame.kind == Kind::Request {
            return self.on_request(frame);
        }
        // Commands that have ended are unknown here, and the host may not know it yet.
        let Some(entry) = self.entries.get_mut(&frame.exec) else {
            return Ok(None);
        };
        match frame.kind {
            Kind::Stdin if frame.payload.is_empty() => entry.stdin.end(),
            Kind::Stdin => entry.stdin.accept(&frame.payload)?,
            Kind::Signal => entry.signals |= signal_bit(&frame.payload)?,
            Kind::Resize => {
                entry.size = Some(frame.size_of().ok_or(Violation("no size of a terminal"))?);
            }
            Kind::Credit => match frame.credit_of() {
                Some((Kind::Stdout, bytes)) => entry.stdout.add_credit(bytes)?,
                Some((Kind::Stderr, bytes)) => entry.stderr.add_credit(bytes)?,
                _ => return Err(Violation("credit for a channel it does not receive")),
            },
            Kind::Drop => drop(self.entries.remove(&frame.exec)),
            Kind::Stdout | Kind::Stderr | Kind::Result | Kind::Request => {
                return Err(Violation("a frame that only the agent may send"));
            }
        }
        if let Some(entry) = self.entries.get(&frame.exec) {
            entry.changed.notify_waiters();
        }
        Ok(None)
    }

    fn on_request(&mut self, frame: &Frame) -> Result<Option<Start>, Violation> {
        if !self.entries.contains_key(&frame.exec) && self.entries.len() >= MAX_EXECS {
            return Err(Violation("more commands than agreed"));
        }
        let entry = self.entries.entry(frame.exec).or_insert_with(Entry::new);
        if entry.request.len() + frame.payload.len() > MAX_REQUEST {
            return Err(Violation("a request longer than agreed"));
        }
        entry.request.extend_from_slice(&frame.payload);
        if !frame.payload.is_empty() {
            return Ok(None);
        }
        let json = std::mem::take(&mut entry.request);
        let request = serde_json::from_slice(&json).map_err(|error| error.to_string());
        Ok(Some(Start { exec: frame.exec, request, changed: entry.changed.clone() }))
    }
}

fn signal_bit(payload: &Bytes) -> Result<u64, Violation> {
    match payload[..] {
        [number @ 1..=64] => Ok(1 << (number - 1)),
        _ => Err(Violation("no signal number")),
    }
}

impl Source for Table {
    fn next_frame(&mut self) -> Option<Frame> {
        for exec in turns(self.entries.keys().copied(), self.last_turn) {
            let entry = self.entries.get_mut(&exec)?;
            if let Some(frame) = entry.next_frame(exec) {
                self.last_turn = exec;
                return Some(frame);
            }
            if let Some(frame) = entry.result(exec) {
                self.entries.remove(&exec);
                return Some(frame);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(table: &mut Table, exec: u32) -> Result<Option<Start>, Violation> {
        table.on_frame(&Frame::new(exec, Kind::Request, &br#"{"argv":["x"]}"#[..]))?;
        table.on_frame(&Frame::new(exec, Kind::Request, Bytes::new()))
    }

    #[test]
    fn the_result_comes_after_the_output() {
        let mut table = Table::default();
        assert!(request(&mut table, 1).unwrap().unwrap().request.is_ok());
        table.entry(1).unwrap().stdout.push(b"last words");
        table.finish(1, Outcome::Exited(0));
        let kinds: Vec<Kind> = std::iter::from_fn(|| table.next_frame()).map(|f| f.kind).collect();
        assert_eq!(kinds, [Kind::Stdout, Kind::Result]);
        assert!(table.entry(1).is_none());
    }

    #[test]
    fn limits_hold_for_the_host_too() {
        let mut table = Table::default();
        for exec in 1..=MAX_EXECS as u32 {
            request(&mut table, exec).unwrap();
        }
        assert!(request(&mut table, 1000).is_err());
        for payload in [&b""[..], b"\0", b"A", b"ab"] {
            assert!(table.on_frame(&Frame::new(1, Kind::Signal, payload)).is_err());
        }
    }
}
