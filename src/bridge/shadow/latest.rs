//! As of when the shadow knows what others changed: the latest change stamp that was seen.

use jiff::{SignedDuration, Timestamp};

use super::now;
use super::rules::moment;
use crate::scim::ResourceKind;
use crate::store::{Session, StoreFault};

/// The mark of the latest change stamp that was seen of a kind.
const MARK: &str = "shadow latest ";
/// Servers of one directory may have clocks that differ, and a change may show later than its stamp.
const OVERLAP: SignedDuration = SignedDuration::from_mins(1);
/// Stamps tell no less.
const STEP: SignedDuration = SignedDuration::from_secs(1);
/// What stands behind a stamp when nothing older can still come.
const SETTLED: &str = "settled";

/// The latest change stamp that was seen of a kind.
///
/// What was changed shortly before it may not have been there yet, so it is read again, until all that can come has
/// had the time to. Without that end a hundred thousand entries that were made in one go, the last change for a while,
/// would be read every time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Latest {
    /// As the server writes it; none has been seen before the first reading.
    stamp: Option<Vec<u8>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// When it was seen for the first time, in milliseconds since 1970.
    Seen(i64),
    /// All up to it has been read.
    Settled,
}

impl Default for State {
    fn default() -> Self {
        Self::Seen(i64::MAX)
    }
}

impl Latest {
    /// That of the tenant `space`.
    pub fn of(session: &Session, space: &str, kind: ResourceKind) -> Result<Self, StoreFault> {
        Ok(session.mark(space, &name(kind))?.map_or_else(Self::default, |mark| Self::parse(&mark)))
    }

    /// Since when to ask for changes; `None` when there is nothing to go by.
    pub fn since(&self) -> Option<Timestamp> {
        let at = moment(self.stamp.as_deref()?)?;
        match self.state {
            State::Seen(_) => at.checked_sub(OVERLAP).ok(),
            State::Settled => at.checked_add(STEP).ok(),
        }
    }

    /// An entry with this stamp was read.
    pub fn see(&mut self, stamp: Option<&Vec<u8>>) {
        if stamp.and_then(|stamp| moment(stamp)) > self.stamp.as_deref().and_then(moment) {
            *self = Self { stamp: stamp.cloned(), state: State::Seen(now()) };
        }
    }

    /// What it is after a reading that was begun at `begun`, in milliseconds since 1970, if that makes a difference.
    pub fn settled_by(&self, begun: i64) -> Option<Self> {
        let State::Seen(seen) = self.state else { return None };
        let is_old = i128::from(begun) - i128::from(seen) >= OVERLAP.as_millis();
        (self.stamp.is_some() && is_old).then(|| Self { state: State::Settled, ..self.clone() })
    }

    /// Keeps it, if it is another than what is kept.
    pub fn keep(&self, session: &Session, space: &str, kind: ResourceKind) -> Result<(), StoreFault> {
        if self.stamp.is_none() || Self::of(session, space, kind)? == *self {
            return Ok(());
        }
        session.set_mark(space, &name(kind), &self.written())
    }

    /// Keeps it in the place of `before`, unless something later was seen meanwhile.
    pub fn replace(&self, session: &Session, space: &str, kind: ResourceKind, before: &Self) -> Result<(), StoreFault> {
        if Self::of(session, space, kind)? == *before { self.keep(session, space, kind) } else { Ok(()) }
    }

    fn written(&self) -> Vec<u8> {
        let state = match self.state {
            State::Seen(at) => at.to_string(),
            State::Settled => SETTLED.to_owned(),
        };
        [self.stamp.as_deref().unwrap_or_default(), b" ", state.as_bytes()].concat()
    }

    fn parse(mark: &[u8]) -> Self {
        let (stamp, state) = mark.split_at(mark.iter().position(|byte| *byte == b' ').unwrap_or(mark.len()));
        let state = match std::str::from_utf8(state).map_or("", str::trim) {
            SETTLED => State::Settled,
            // Earlier versions did not write down when.
            at => State::Seen(at.parse().unwrap_or_default()),
        };
        Self { stamp: Some(stamp.to_vec()), state }
    }
}

fn name(kind: ResourceKind) -> String {
    [MARK, kind.name()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stamp: &str, state: State) -> Latest {
        Latest { stamp: Some(stamp.as_bytes().to_vec()), state }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_minute_is_read_again_until_a_reading_was_begun_a_minute_after_the_stamp_was_seen() {
        let new = at("20261122120000Z", State::Seen(1_000_000));
        assert_eq!(new.since(), Some(time("2026-11-22T11:59:00Z")));
        assert_eq!(new.settled_by(1_059_999), None);
        let old = new.settled_by(1_060_000).unwrap();
        assert_eq!(old.since(), Some(time("2026-11-22T12:00:01Z")));
        assert_eq!(old.settled_by(2_000_000), None);
        assert_eq!(Latest::default().since(), None);
        assert_eq!(Latest::default().settled_by(2_000_000), None);
    }

    #[test]
    fn a_later_change_opens_the_minute_again_and_an_earlier_one_does_not() {
        let mut latest = at("20261122120000Z", State::Settled);
        latest.see(Some(&b"20261122115959Z".to_vec()));
        latest.see(Some(&b"20261122120000Z".to_vec()));
        latest.see(None);
        assert_eq!(latest, at("20261122120000Z", State::Settled));
        latest.see(Some(&b"20261122120001Z".to_vec()));
        assert_eq!(latest.since(), Some(time("2026-11-22T11:59:01Z")));
    }

    #[test]
    fn it_comes_back_as_it_was_kept_also_from_an_earlier_version() {
        for state in [State::Seen(1_700_000_000_000), State::Settled] {
            let latest = at("20261122120000.0Z", state);
            assert_eq!(Latest::parse(&latest.written()), latest);
        }
        assert_eq!(Latest::parse(b"20261122120000Z"), at("20261122120000Z", State::Seen(0)));
    }
}
