//! Changes of a running link: `delay=20ms loss=1%`, with the keys and units of the topology file.

use std::str::FromStr;

use chronotap::sim::{Patch, Profile, Way};

use super::check::profiles::{check_limits, patch, queue_limit};
use super::check::recordings::Recordings;
use crate::topology::schema;
use crate::topology::{
    Diagnostics, Distribution, LinkKeys, Loss, Shape, Spanned, parse_bursts, quote,
};
use crate::units::{Ratio, UnitError, nearest};

/// What is to change of a link; all else stays as it is.
#[derive(Clone, Debug, Default)]
pub struct LinkChange {
    keys: LinkKeys,
    /// What goes back to the file's value before that.
    reset: Vec<&'static str>,
}

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No parameter is called so.
    #[error("a link has no parameter {}{}", quote(key), did_you_mean(*.nearest))]
    UnknownKey {
        /// As given.
        key: String,
        /// The key that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A parameter is given twice.
    #[error("`{key}` is given twice")]
    Twice {
        /// The parameter.
        key: &'static str,
    },
    /// A value cannot be read, or lies beyond a limit.
    #[error("invalid value {} for `{key}`: {why}{}", quote(value), in_brackets(.help.as_deref()))]
    Value {
        /// The parameter.
        key: &'static str,
        /// As given.
        value: String,
        /// What is wrong with it.
        why: String,
        /// What would be right.
        help: Option<String>,
    },
    /// The jitter would exceed the delay.
    #[error("the jitter would exceed the delay; change both")]
    Jitter,
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean `{key}`?"),
        None => format!("; the parameters are {}", LinkChange::KEYS.join(", ")),
    }
}

fn in_brackets(help: Option<&str>) -> String {
    help.map(|help| format!(" ({help})")).unwrap_or_default()
}

impl LinkChange {
    /// What can be changed.
    pub const KEYS: &[&str] = schema::REVERSE.keys;

    /// Reads a change from pairs of key and value.
    ///
    /// # Errors
    /// The first pair that is not a parameter with a value it can have.
    pub fn parse<'p>(
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<Self, ChangeError> {
        let mut change = Self::default();
        let mut seen = Vec::new();
        for (key, value) in pairs {
            let key = known(key)?;
            if seen.contains(&key) {
                return Err(ChangeError::Twice { key });
            }
            seen.push(key);
            change.set(key, value).map_err(|(why, help)| ChangeError::Value {
                key,
                value: value.to_owned(),
                why,
                help,
            })?;
        }
        Ok(change)
    }

    /// A change back to what the file says, of these keys or, if there are none, of all.
    ///
    /// # Errors
    /// The first key that is not a parameter.
    pub fn reset<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<Self, ChangeError> {
        let mut reset = keys.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
        if reset.is_empty() {
            reset = Self::KEYS.to_vec();
        }
        Ok(Self { reset, ..Self::default() })
    }

    /// What this changes of the given ways of a link that is as `now`, and that the file has begin
    /// as `written`.
    ///
    /// # Errors
    /// If the parameters that change do not go with those that stay.
    pub fn patches(
        &self,
        ways: &[Way],
        now: &[Profile; 2],
        written: &[Profile; 2],
    ) -> Result<Vec<(Way, Patch)>, ChangeError> {
        let mut start = now.clone();
        for &way in ways {
            only(&self.reset, &written[way as usize]).apply(&mut start[way as usize]);
        }
        let changed = self.apply(ways, &start)?;
        let mut named = self.keys.names();
        named.extend(&self.reset);
        Ok(ways.iter().map(|&way| (way, only(&named, &changed[way as usize]))).collect())
    }

    /// The profiles of a link after this change of the given ways.
    ///
    /// # Errors
    /// If the parameters that change do not go with those that stay.
    pub fn apply(
        &self,
        ways: &[Way],
        profiles: &[Profile; 2],
    ) -> Result<[Profile; 2], ChangeError> {
        let mut changed = profiles.clone();
        for &way in ways {
            let profile = &mut changed[way as usize];
            patch(&self.keys, &Recordings::default()).apply(profile);
            if profile.jitter_exceeds() {
                return Err(ChangeError::Jitter);
            }
        }
        if let Some(queue) = &self.keys.queue {
            let round_trip = changed[0].delay + changed[1].delay;
            for &way in ways {
                let profile = &mut changed[way as usize];
                profile.queue = queue_limit(*queue.get_ref(), profile, round_trip);
            }
        }
        Ok(changed)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), (String, Option<String>)> {
        let keys = &mut self.keys;
        match key {
            "delay" => keys.delay = Some(quantity(value)?),
            "jitter" => keys.jitter = Some(quantity(value)?),
            "distribution" => keys.distribution = Some(anywhere(shape(value)?)),
            "rate" => keys.rate = Some(quantity(value)?),
            "queue" => keys.queue = Some(quantity(value)?),
            "loss" => keys.loss = Some(loss(value)?),
            "duplicate" => keys.duplicate = Some(quantity(value)?),
            "corrupt" => keys.corrupt = Some(quantity(value)?),
            "reorder" => keys.reorder = Some(quantity(value)?),
            "overhead" => keys.overhead = Some(quantity(value)?),
            _ => keys.up = Some(anywhere(up(value)?)),
        }
        let mut found = Diagnostics::default();
        check_limits(keys, &mut found);
        if found.errors() > 0 { Err(in_one_line(found)) } else { Ok(()) }
    }
}

/// What `profile` says of these keys.
fn only(keys: &[&str], profile: &Profile) -> Patch {
    let all = Patch::from(profile);
    let has = |key: &str| keys.contains(&key);
    Patch {
        delay: all.delay.filter(|_| has("delay")),
        jitter: all.jitter.filter(|_| has("jitter")),
        distribution: all.distribution.filter(|_| has("distribution")),
        capacity: all.capacity.filter(|_| has("rate")),
        queue: all.queue.filter(|_| has("queue")),
        loss: all.loss.filter(|_| has("loss")),
        duplicate: all.duplicate.filter(|_| has("duplicate")),
        corrupt: all.corrupt.filter(|_| has("corrupt")),
        reorder: all.reorder.filter(|_| has("reorder")),
        overhead: all.overhead.filter(|_| has("overhead")),
        up: all.up.filter(|_| has("up")),
    }
}

fn known(key: &str) -> Result<&'static str, ChangeError> {
    let known = LinkChange::KEYS.iter().find(|known| **known == key).copied();
    known.ok_or_else(|| ChangeError::UnknownKey {
        key: key.to_owned(),
        nearest: nearest(key, LinkChange::KEYS.iter().copied()),
    })
}

/// A value that no file holds.
fn anywhere<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn quantity<T>(value: &str) -> Result<Spanned<T>, (String, Option<String>)>
where
    T: FromStr<Err = UnitError>,
{
    value.parse().map(anywhere).map_err(|error: UnitError| (error.to_string(), error.help()))
}

/// A ratio, or a loss model as the inline table of the topology file.
fn loss(value: &str) -> Result<Spanned<Loss>, (String, Option<String>)> {
    if value.trim_start().starts_with('{') {
        return parse_bursts(value.trim()).map(anywhere).map_err(in_one_line);
    }
    let ratio: Spanned<Ratio> = quantity(value)?;
    Ok(anywhere(Loss::Random(ratio.into_inner())))
}

/// A distribution that has a word; what a file lists comes with the topology.
fn shape(value: &str) -> Result<Distribution, (String, Option<String>)> {
    Ok(Distribution::Shape(match value {
        "uniform" => Shape::Uniform,
        "normal" => Shape::Normal,
        "pareto" => Shape::Pareto,
        _ => return Err(("expected `uniform`, `normal` or `pareto`".to_owned(), None)),
    }))
}

fn up(value: &str) -> Result<bool, (String, Option<String>)> {
    value.parse().map_err(|_| ("expected `true` or `false`".to_owned(), None))
}

/// The first mistake, without the text it is in.
fn in_one_line(found: Diagnostics) -> (String, Option<String>) {
    let first = found.into_sorted().into_iter().next();
    first.map_or_else(
        || ("not a value".to_owned(), None),
        |first| {
            let label = first.place.map(|place| place.text).filter(|label| !label.is_empty());
            (label.unwrap_or(first.title), first.help)
        },
    )
}
