//! A guest that follows from what it gets and when, and from nothing else.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// What one does at an instant of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Plot {
    pub(super) due: u64,
    /// Which of its ports it sends from.
    pub(super) nic: usize,
    /// Last octet of the address that it sends to; 0xff is everybody.
    pub(super) to: u8,
    /// How many answers may follow from each other.
    pub(super) answers: u8,
    /// What makes this frame another one than others.
    pub(super) mark: u16,
}

pub(super) struct Machine {
    /// Its ports, with their numbers.
    nics: Vec<(u8, Tap)>,
    memory: Memory,
    grain: u64,
    clock: u64,
    plots: BTreeSet<Plot>,
    /// Read off its taps, and not yet due.
    heads: Vec<VecDeque<(FrameStamp, Vec<u8>)>>,
    sent: Vec<u32>,
    /// It never says that it is idle.
    pub(super) is_busy: bool,
    /// How long it thinks about an answer.
    pub(super) pause: u64,
}

impl Machine {
    pub(super) fn new(nics: Vec<(u8, Tap)>, memory: &Memory, grain: u32) -> Self {
        Self {
            heads: vec![VecDeque::new(); nics.len()],
            sent: vec![0; nics.len()],
            nics,
            memory: memory.clone(),
            grain: grain.into(),
            clock: 0,
            plots: BTreeSet::new(),
            is_busy: false,
            pause: 1,
        }
    }

    pub(super) fn plot(&mut self, plot: Plot) {
        if !self.nics.is_empty() {
            self.plots.insert(Plot { nic: plot.nic % self.nics.len(), ..plot });
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let next = self.plots.first().map_or(u64::MAX, |plot| plot.due);
        let idle_until = (!self.is_busy && next > self.clock).then(|| at(next));
        Standing { clock: at(self.clock), idle_until }
    }

    /// Runs to `deadline`. Frames come first among what is due at one instant, by ports.
    pub(super) fn run(&mut self, deadline: VirtualInstant) {
        for ((_, tap), head) in self.nics.iter().zip(&mut self.heads) {
            head.extend(std::iter::from_fn(|| tap.read()));
        }
        let deadline = deadline.as_nanos();
        loop {
            let heads = self.heads.iter().zip(0..);
            let frame = heads.filter_map(|(head, nic)| Some((head.front()?.0.at_ns, nic))).min();
            let plot = self.plots.first().map(|plot| plot.due);
            match (frame, plot) {
                (Some((due, nic)), _) if due <= plot.unwrap_or(due).min(deadline) => {
                    self.advance(due);
                    self.answer(nic);
                }
                (_, Some(due)) if due <= deadline => {
                    self.advance(due);
                    let plot = self.plots.pop_first().expect("one");
                    self.send(plot);
                }
                _ => break,
            }
        }
        self.advance(deadline);
    }

    /// Instructions take a grain each.
    fn advance(&mut self, due: u64) {
        self.clock = self.clock.max(due.next_multiple_of(self.grain));
    }

    fn answer(&mut self, nic: usize) {
        let (_, octets) = self.heads[nic].pop_front().expect("one");
        let [answers, mark @ ..] = [octets[14], octets[15], octets[16]];
        if answers % 4 == 0 {
            return;
        }
        let due = self.clock + self.pause.max(1);
        // A guest with several ports answers from the next one.
        let nic = (nic + 1) % self.nics.len();
        let mark = u16::from_be_bytes(mark).wrapping_add(1);
        self.plot(Plot { due, nic, to: octets[11], answers: answers % 4 - 1, mark });
    }

    fn send(&mut self, Plot { nic, to, answers, mark, .. }: Plot) {
        let (port, tap) = &self.nics[nic];
        let mut octets = [0; 60];
        octets[..6].copy_from_slice(&if to == 0xff { [0xff; 6] } else { [2, 0, 0, 0, 0, to] });
        octets[6..12].copy_from_slice(&[2, 0, 0, 0, 0, *port]);
        octets[14] = answers;
        octets[15..17].copy_from_slice(&mark.to_be_bytes());
        let seq = self.sent[nic];
        self.sent[nic] = seq.wrapping_add(1);
        tap.send(&self.memory, Stamp { at_ns: self.clock, seq }, &octets[..60]);
    }
}
