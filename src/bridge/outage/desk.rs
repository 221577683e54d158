//! What a person sees of the items of a queue, and decides about them: on the store alone, beside a daemon that may run.

use std::collections::HashSet;

use serde_json::Value;

use crate::scim::ResourceKind;
use crate::store::seal::SealKey;
use crate::store::{Item, ItemQuery, Session, State, StoreFault, Tally};

use super::super::shadow;
use super::super::{Bridge, Intent};
use super::Pulse;
use super::schedule::Keys;
use super::stored::{Owed, creates, open};
use super::waiting::Waits;

/// How a tenant stands, as far as the store knows. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// How many users the directory has, with what is owed.
    pub users: usize,
    /// How many groups.
    pub groups: usize,
    /// When the directory was last read whole; `None`: never.
    pub filled: Option<i64>,
    /// The items of its queue.
    pub tally: Tally,
    /// What a daemon knew last.
    pub pulse: Option<Pulse>,
}

/// How the tenant of this name stands.
pub fn standing(session: &Session, tenant: &str) -> Result<Standing, StoreFault> {
    let [users, groups] = shadow::count(session, tenant, [ResourceKind::User, ResourceKind::Group])?;
    Ok(Standing {
        users,
        groups,
        filled: shadow::filled_at(session, tenant)?,
        tally: session.tally(Some(tenant))?,
        pulse: Pulse::last(session, tenant)?,
    })
}

/// What is shown in place of a password.
const HIDDEN: &str = "(hidden)";

/// What an item asks for.
#[derive(Debug, Default)]
pub struct Asked {
    /// What was asked, as it is kept, without the password.
    pub body: Option<Value>,
    /// The intent, as the table of today reads it; with the password.
    pub intent: Option<Intent>,
    /// Why one of them is not there.
    pub unreadable: Option<String>,
}

/// What an item asks for. `key` opens sealed ones; `bridge` is that of its tenant.
#[must_use]
pub fn asked(bridge: &Bridge, item: &Item, key: Option<&SealKey>) -> Asked {
    let json = match open(item, key) {
        Ok(json) => json,
        Err(fault) => return Asked { unreadable: Some(fault.to_string()), ..Asked::default() },
    };
    let mut body = json.clone();
    hide(&mut body);
    let owed = Owed::from_json(json, |kind: ResourceKind| bridge.live.mapping(kind).ok());
    match owed {
        Ok(owed) => Asked { body: Some(body), intent: Some(owed.intent()), unreadable: None },
        Err(fault) => Asked { body: Some(body), intent: None, unreadable: Some(fault.to_string()) },
    }
}

/// The items that `item` waits for and those that wait for it, by their numbers; directly, not through others.
pub fn neighbours(session: &Session, item: &Item) -> Result<(Vec<i64>, Vec<i64>), StoreFault> {
    let space = &item.asked.space;
    let mut stuck = HashSet::new();
    for state in [State::Parked, State::Held] {
        session.owed_resources(space, Some(state), &mut |other| {
            stuck.insert(other.resource);
        })?;
    }
    let own = Keys::of(&item.asked.resource, &item.asked.touches);
    // What waits for a person holds up the later items of its own resource only.
    let holds_up = |resource: &String, keys: &Keys| {
        if stuck.contains(resource) { own.is_about_same(keys) } else { own.meet(keys) }
    };
    let (mut earlier, mut later) = (Vec::new(), Vec::new());
    session.owed_resources(space, None, &mut |other| {
        let keys = Keys::of(&other.resource, &other.touches);
        let is_earlier = other.number < item.number;
        let first = if is_earlier { &other.resource } else { &item.asked.resource };
        if other.number != item.number && other.state != State::Waiting && holds_up(first, &keys) {
            if is_earlier { &mut earlier } else { &mut later }.push(other.number);
        }
    })?;
    Ok((earlier, later))
}

/// The later items of the same resource.
pub fn later(session: &Session, item: &Item) -> Result<Vec<Item>, StoreFault> {
    let (space, resource) = (Some(item.asked.space.clone()), Some(item.asked.resource.clone()));
    session.items(&ItemQuery { space, resource, after: item.number, ..ItemQuery::default() })
}

/// Takes an item out of the queue: it is not going to be. What it had changed in the shadow is read again by the daemon,
/// as soon as that runs and the directory is there. Whether there was such an item.
pub fn forgo(session: &Session, item: &Item) -> Result<bool, StoreFault> {
    if session.remove(&[item.number])? == 0 {
        return Ok(false);
    }
    let (space, own) = (&item.asked.space, &item.asked.resource);
    shadow::unpin(session, item.number)?;
    let others = item.asked.touches.iter().filter_map(|touched| touched.strip_prefix("w:"));
    for id in others {
        shadow::reread(session, space, id, false)?;
    }
    if !own.is_empty() {
        shadow::reread(session, space, own, creates(item))?;
    }
    if creates(item) {
        forgo_references(session, space, own)?;
    }
    Ok(true)
}

/// Whoever waits for a resource that is not going to be made waits no more.
fn forgo_references(session: &Session, space: &str, id: &str) -> Result<(), StoreFault> {
    let mut gone = Vec::new();
    session.owed_resources(space, Some(State::Waiting), &mut |item| {
        gone.extend(Waits::of(item).filter(|waits| waits.is_for(id)).map(|waits| waits.number));
    })?;
    session.remove(&gone).map(drop)
}

/// Puts words in the place of passwords, wherever they stand in a body.
fn hide(body: &mut Value) {
    match body {
        Value::Object(object) => {
            let is_about =
                |path: &Value| path.as_str().is_some_and(|path| path.to_ascii_lowercase().contains("password"));
            let names_it = object.get("path").is_some_and(is_about);
            for (key, value) in object.iter_mut() {
                if key.eq_ignore_ascii_case("password") || (names_it && key == "value") {
                    *value = HIDDEN.into();
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        let mut body = json!({
            "resource": {"userName": "ada", "password": "one"},
            "operations": [
                {"op": "replace", "path": "password", "value": "two"},
                {"op": "add", "value": {"Password": "three", "title": "Dr"}},
                {"op": "replace", "path": "title", "value": "kept"},
            ],
        });
        hide(&mut body);
        let shown = body.to_string();
        assert!(!["one", "two", "three"].iter().any(|secret| shown.contains(secret)), "{shown}");
        assert!(shown.contains("kept") && shown.matches(HIDDEN).count() == 3, "{shown}");
    }
}
