//! Words of a closed set: what a node is, what holds the guests.

use toml::de::DeValue;

use super::value::{Refusal, Value, describe};
use crate::units::nearest;

/// `kind`: what a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A virtual machine.
    Vm,
    /// A learning switch.
    Switch,
}

/// `time.mode`: what holds the guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing but an overload pause: guests run on the host's time.
    Realtime,
    /// Windows of virtual time: guests take turns, and none runs ahead of what another can send.
    Lockstep,
    /// Windows of virtual time that guests stop in at an instruction: the host has no part in it.
    Exact,
}

impl Mode {
    /// The word for it, in files and in what is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Lockstep => "lockstep",
            Self::Exact => "exact",
        }
    }
}

/// `time.speed`: how fast virtual time may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// As fast as the host can.
    #[default]
    Max,
    /// No faster than the host's own time.
    Wall,
}

impl Speed {
    /// The word for it, in files and in what is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Wall => "1x",
        }
    }
}

/// `time.start`: from when on guests are in lockstep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// They boot as in `realtime`, and enter lockstep together when all are ready.
    #[default]
    AfterBoot,
    /// From their first instruction.
    PowerOn,
}

impl Start {
    /// The word for it, in files and in what is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::AfterBoot => "after-boot",
            Self::PowerOn => "power-on",
        }
    }
}

/// `time.overload`: what happens when the host falls behind by more than the tolerance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overload {
    /// All guests are paused until the backlog is worked off.
    #[default]
    Pause,
    /// It is counted, nothing more.
    Report,
}

/// `on_exit`: what the end of a guest's QEMU means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExit {
    /// The lab goes on without it.
    #[default]
    Continue,
    /// The lab ends.
    End,
}

/// Which ways of a link are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first end to the second.
    Forward,
    /// From the second end to the first.
    Backward,
    /// Both.
    #[default]
    Both,
}

/// `action`: what happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It ends.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// One of its bits is flipped.
    Corrupt,
}

/// `distribution` that has a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everything within the jitter is equally likely.
    Uniform,
    /// Normal, the jitter being the standard deviation.
    Normal,
    /// Pareto, the jitter being the mean.
    Pareto,
}

impl Word for Direction {
    const WORDS: &'static [(&'static str, Self)] =
        &[("forward", Self::Forward), ("backward", Self::Backward), ("both", Self::Both)];
}

impl Word for Action {
    const WORDS: &'static [(&'static str, Self)] =
        &[("drop", Self::Drop), ("duplicate", Self::Duplicate), ("corrupt", Self::Corrupt)];
}

impl Word for Shape {
    const WORDS: &'static [(&'static str, Self)] =
        &[("uniform", Self::Uniform), ("normal", Self::Normal), ("pareto", Self::Pareto)];
}

/// A closed set of words.
trait Word: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl Word for Kind {
    const WORDS: &'static [(&'static str, Self)] = &[("vm", Self::Vm), ("switch", Self::Switch)];
}

impl Word for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("realtime", Self::Realtime), ("lockstep", Self::Lockstep), ("exact", Self::Exact)];
}

impl Word for Speed {
    const WORDS: &'static [(&'static str, Self)] = &[("max", Self::Max), ("1x", Self::Wall)];
}

impl Word for Start {
    const WORDS: &'static [(&'static str, Self)] =
        &[("after-boot", Self::AfterBoot), ("power-on", Self::PowerOn)];
}

impl Word for Overload {
    const WORDS: &'static [(&'static str, Self)] =
        &[("pause", Self::Pause), ("report", Self::Report)];
}

impl Word for OnExit {
    const WORDS: &'static [(&'static str, Self)] =
        &[("continue", Self::Continue), ("end", Self::End)];
}

impl<W: Word> Value for W {
    fn read(value: &DeValue<'_>) -> Result<Self, Refusal> {
        let choices = choices(W::WORDS.iter().map(|(word, _)| *word));
        let DeValue::String(text) = value else {
            return Err(Refusal::new(format!("expected {choices}, found {}", describe(value))));
        };
        if let Some((_, word)) = W::WORDS.iter().find(|(word, _)| word == text) {
            return Ok(*word);
        }
        let near = nearest(text, W::WORDS.iter().map(|(word, _)| *word));
        let help = near.map(|near| format!("did you mean \"{near}\"?"));
        Err(Refusal { label: format!("expected {choices}"), help })
    }
}

fn choices(words: impl Iterator<Item = &'static str>) -> String {
    let quoted: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if others.len() > 1 => format!("{} or {last}", others.join(", ")),
        _ => quoted.join(" or "),
    }
}
