//! The host's books: one entry per command, bounded whatever the guest does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::{Closed, ExecError};
use crate::flow::{Inlet, Outlet, Violation};
use crate::shared::{Source, turns};
use crate::wire::{Frame, Kind, MAX_PAYLOAD};
use crate::{MAX_EXECS, Outcome, Size};

/// One command.
#[derive(Debug)]
pub(super) struct Entry {
    request: Bytes,
    request_sent: bool,
    pub stdin: Outlet,
    pub stdout: Inlet,
    pub stderr: Inlet,
    /// Signals to send, bit n - 1 for signal n.
    signals: u64,
    /// The latest size of its terminal, if that is still to be sent.
    pub size: Option<Size>,
    pub outcome: Option<Outcome>,
    /// Rung at every change that somebody may wait for.
    pub changed: Arc<Notify>,
}

impl Entry {
    fn new(request: Bytes) -> Self {
        Self {
            request,
            request_sent: false,
            stdin: Outlet::new(),
            stdout: Inlet::new(),
            stderr: Inlet::new(),
            signals: 0,
            size: None,
            outcome: None,
            changed: Arc::default(),
        }
    }

    pub(super) fn signal(&mut self, number: u8) {
        self.signals |= 1u64.checked_shl(u32::from(number).wrapping_sub(1)).unwrap_or(0);
    }

    fn next_frame(&mut self, exec: u32) -> Option<Frame> {
        if !self.request_sent {
            let piece = self.request.split_to(self.request.len().min(MAX_PAYLOAD));
            self.request_sent = piece.is_empty();
            return Some(Frame::new(exec, Kind::Request, piece));
        }
        if self.signals != 0 {
            let lowest = self.signals.trailing_zeros() as u8;
            self.signals &= self.signals - 1;
            return Some(Frame::new(exec, Kind::Signal, vec![lowest + 1]));
        }
        if self.outcome.is_some() {
            return None;
        }
        if let Some(size) = self.size.take() {
            return Some(Frame::resize(exec, size));
        }
        let inlets = [(Kind::Stdout, &mut self.stdout), (Kind::Stderr, &mut self.stderr)];
        for (kind, inlet) in inlets {
            if let Some(bytes) = inlet.grant() {
                return Some(Frame::credit(exec, kind, bytes));
            }
        }
        let payload = self.stdin.next_payload()?;
        self.changed.notify_waiters();
        Some(Frame::new(exec, Kind::Stdin, payload))
    }

    fn on_frame(&mut self, frame: &Frame) -> Result<(), Violation> {
        if self.outcome.is_some() {
            return Err(Violation("a frame after a command's result"));
        }
        match frame.kind {
            Kind::Stdout => self.stdout.accept(&frame.payload)?,
            Kind::Stderr => self.stderr.accept(&frame.payload)?,
            Kind::Result => self.finish(&frame.payload)?,
            Kind::Credit => match frame.credit_of() {
                Some((Kind::Stdin, bytes)) => self.stdin.add_credit(bytes)?,
                _ => return Err(Violation("credit for a channel it does not receive")),
            },
            Kind::Stdin | Kind::Signal | Kind::Request | Kind::Drop | Kind::Resize => {
                return Err(Violation("a frame that only the host may send"));
            }
        }
        self.changed.notify_waiters();
        Ok(())
    }

    fn finish(&mut self, json: &[u8]) -> Result<(), Violation> {
        let outcome =
            serde_json::from_slice(json).map_err(|_| Violation("an unreadable result"))?;
        self.outcome = Some(outcome);
        self.stdout.end();
        self.stderr.end();
        Ok(())
    }
}

/// All commands of one session.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<u32, Entry>,
    /// Commands that the guest has to be told to kill.
    drops: VecDeque<u32>,
    /// The latest number given to a command.
    newest: u32,
    /// Whose frame was sent last.
    last_turn: u32,
    pub closed: Option<Closed>,
}

impl Table {
    /// Books a command. The request goes out with the next frames.
    pub(super) fn open(&mut self, request: Bytes) -> Result<(u32, Arc<Notify>), ExecError> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone().into());
        }
        // Drops that are still to be sent count: the guest has those commands.
        if self.entries.len() + self.drops.len() >= MAX_EXECS {
            return Err(ExecError::Busy);
        }
        self.newest = self.newest.checked_add(1).ok_or(ExecError::Busy)?;
        let entry = Entry::new(request);
        let changed = entry.changed.clone();
        self.entries.insert(self.newest, entry);
        Ok((self.newest, changed))
    }

    pub(super) fn entry(&mut self, exec: u32) -> Option<&mut Entry> {
        self.entries.get_mut(&exec)
    }

    /// Nobody is interested in this command any more.
    pub(super) fn release(&mut self, exec: u32) {
        if self.entries.remove(&exec).is_some_and(|entry| entry.outcome.is_none()) {
            self.drops.push_back(exec);
        }
    }

    /// Ends everything; the first reason stays.
    pub(super) fn close(&mut self, reason: Closed) {
        self.closed.get_or_insert(reason);
        for entry in self.entries.values() {
            entry.changed.notify_waiters();
        }
    }

    /// Books a frame from the guest.
    pub(super) fn on_frame(&mut self, frame: &Frame) -> Result<(), Violation> {
        match self.entries.get_mut(&frame.exec) {
            Some(entry) => entry.on_frame(frame),
            // Sent before the guest got to know that the command is dropped.
            None if frame.exec <= self.newest => Ok(()),
            None => Err(Violation("a frame of a command that never was")),
        }
    }
}

impl Source for Table {
    fn next_frame(&mut self) -> Option<Frame> {
        if let Some(exec) = self.drops.pop_front() {
            return Some(Frame::new(exec, Kind::Drop, Bytes::new()));
        }
        for exec in turns(self.entries.keys().copied(), self.last_turn) {
            let frame = self.entries.get_mut(&exec).and_then(|entry| entry.next_frame(exec));
            if frame.is_some() {
                self.last_turn = exec;
                return frame;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_with(commands: usize) -> Table {
        let mut table = Table::default();
        for _ in 0..commands {
            table.open(Bytes::from_static(b"{}")).unwrap();
        }
        while table.next_frame().is_some() {}
        table
    }

    #[test]
    fn commands_take_turns() {
        let mut table = table_with(3);
        for exec in 1..=3 {
            table.entry(exec).unwrap().stdin.push(&[0; 2 * MAX_PAYLOAD]);
        }
        let order: Vec<u32> = std::iter::from_fn(|| table.next_frame()).map(|f| f.exec).collect();
        assert_eq!(order, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn opening_and_dropping_without_end_is_bounded() {
        let mut table = table_with(0);
        let mut opened = 0;
        while let Ok((exec, _)) = table.open(Bytes::new()) {
            table.release(exec);
            opened += 1;
        }
        assert_eq!(opened, MAX_EXECS);
    }

    #[test]
    fn signals_are_sent_once_each() {
        let mut table = table_with(1);
        for number in [15, 2, 15, 64, 0, 65] {
            table.entry(1).unwrap().signal(number);
        }
        let sent: Vec<u8> =
            std::iter::from_fn(|| table.next_frame()).map(|f| f.payload[0]).collect();
        assert_eq!(sent, [2, 15, 64]);
    }

    #[test]
    fn what_a_guest_must_not_send() {
        let frames = [
            Frame::new(2, Kind::Stdout, Bytes::new()),
            Frame::new(1, Kind::Stdin, Bytes::new()),
            Frame::new(1, Kind::Request, Bytes::new()),
            Frame::resize(1, Size { rows: 1, columns: 1 }),
            Frame::new(1, Kind::Result, &b"{\"exited\":1000}"[..]),
            Frame::new(1, Kind::Credit, &b"xyz"[..]),
            Frame::credit(1, Kind::Stdin, u32::MAX),
            Frame::credit(1, Kind::Stdout, 1),
        ];
        for frame in frames {
            assert!(table_with(1).on_frame(&frame).is_err(), "{frame:?}");
        }
    }
}
