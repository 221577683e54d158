//! What several clients ask, at random. Resources are called by the places that clients have for them, `u0.1` being the
//! second user of the first client; in requests `@u0.1@` stands for the id that it has.

use crate::world::{ENTERPRISE, PATCH, USER};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Clients that ask side by side.
pub const CLIENTS: usize = 3;
const USERS: usize = 4;
const GROUPS: usize = 2;
const NAMES: [&str; 5] = ["ada", "Grace.Hopper", "o'neil, jr", "jose+x", "karl"];
const GROUP_NAMES: [&str; 3] = ["Staff", "Night Shift", "R&D #1"];

/// A place of a client for a resource.
pub type Slot = String;

/// One request.
#[derive(Clone, Debug)]
pub enum Op {
    Create {
        slot: Slot,
        body: Value,
    },
    Replace {
        slot: Slot,
        body: Value,
        if_match: bool,
    },
    Patch {
        slot: Slot,
        body: Value,
        if_match: bool,
    },
    Delete {
        slot: Slot,
    },
    Get {
        slot: Slot,
    },
    /// With `ordered` the order of the answer counts.
    List {
        path: String,
        ordered: bool,
    },
}

impl Op {
    /// Whether it may be repeated, when its answer was lost, without another answer.
    pub fn repeatable(&self) -> bool {
        !matches!(self, Self::Replace { if_match: true, .. } | Self::Patch { if_match: true, .. })
    }

    /// The place that it is about.
    pub fn slot(&self) -> Option<&Slot> {
        match self {
            Self::Create { slot, .. }
            | Self::Replace { slot, .. }
            | Self::Patch { slot, .. }
            | Self::Delete { slot }
            | Self::Get { slot } => Some(slot),
            Self::List { .. } => None,
        }
    }

    /// Whom it gives whom for a manager.
    fn managers(&self) -> Vec<(Slot, Slot)> {
        let (Self::Create { slot, body } | Self::Replace { slot, body, .. } | Self::Patch { slot, body, .. }) = self
        else {
            return Vec::new();
        };
        let operations = body["Operations"].as_array().into_iter().flatten().map(|operation| &operation["value"]);
        let named = operations.chain([&body[ENTERPRISE]["manager"]["value"]]).filter_map(Value::as_str);
        named.filter(|text| text.starts_with("@u")).map(|text| (slot.clone(), text.replace('@', ""))).collect()
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Create { slot, body } => write!(out, "create {slot} {body}"),
            Self::Replace { slot, body, if_match } => write!(out, "replace {slot} {if_match} {body}"),
            Self::Patch { slot, body, if_match } => write!(out, "patch {slot} {if_match} {}", body["Operations"]),
            Self::Delete { slot } => write!(out, "delete {slot}"),
            Self::Get { slot } => write!(out, "get {slot}"),
            Self::List { path, .. } => write!(out, "list {path}"),
        }
    }
}

/// The collection that a resource is in.
pub fn collection(slot: &str) -> &'static str {
    if slot.starts_with('u') { "/Users" } else { "/Groups" }
}

/// Where requests come from.
pub struct Clients {
    random: Rng,
    /// Names begin with this.
    prefix: String,
    /// Whether users get other names. Active Directory has rules of its own for who may take whose name, and keeps names
    /// for older systems from the time when users were created: what only the server can know shows when the change
    /// is carried out (docs/decisions/0011-outages.md).
    renames: bool,
    /// Names may have a comma in them: 389 can't rename such an entry (it answers 1).
    commas: bool,
    /// The resources that are there.
    pub alive: BTreeSet<Slot>,
    /// Who was ever given whose user for a manager.
    bonds: BTreeSet<(Slot, Slot)>,
}

impl Clients {
    fn name(&self, client: usize, at: usize) -> String {
        let name = if self.commas { NAMES[at].to_owned() } else { NAMES[at].replace(',', "") };
        format!("{}{client}{name}", self.prefix)
    }

    pub fn new(random: Rng, prefix: String, renames: bool, commas: bool) -> Self {
        Self { random, prefix, renames, commas, alive: BTreeSet::new(), bonds: BTreeSet::new() }
    }

    /// Requests that are sent side by side: what is right for one does not depend on how far the others are.
    pub fn round(&mut self) -> Vec<Op> {
        let mut round = if self.random.u8(..3) == 0 {
            let client = self.random.usize(..CLIENTS);
            vec![self.anything(client)]
        } else {
            (0..CLIENTS).map(|client| self.own(client)).collect()
        };
        // What a user looks like depends on who is his manager and what that one is called.
        let entangled = |one: &Op, other: &Op| {
            let bond = one.slot().cloned().zip(other.slot().cloned());
            bond.is_some_and(|bond| self.bonds.contains(&bond))
        };
        if round.iter().any(|one| round.iter().any(|other| entangled(one, other))) {
            round.truncate(1);
        }
        self.bonds.extend(round.iter().flat_map(Op::managers));
        round
    }

    /// Something that concerns a client's own users only.
    fn own(&mut self, client: usize) -> Op {
        let slot = self.user(client);
        if !self.alive.contains(&slot) && self.random.u8(..8) > 0 {
            return Op::Create { body: self.user_body(client, client, &slot), slot };
        }
        match self.random.u8(..10) {
            0 => Op::Create { body: self.user_body(client, client, &slot), slot },
            1 | 2 => {
                Op::Replace { body: self.user_body(client, client, &slot), slot, if_match: self.random.u8(..4) == 0 }
            }
            3 | 4 => {
                Op::Patch { body: self.user_patch(client, client, &slot), slot, if_match: self.random.u8(..6) == 0 }
            }
            5 => Op::Delete { slot },
            6 => Op::Get { slot },
            _ => self.membership(client),
        }
    }

    fn anything(&mut self, client: usize) -> Op {
        let other = self.random.usize(..CLIENTS);
        let group = self.group(client);
        if !self.alive.contains(&group) && self.random.u8(..3) > 0 {
            return Op::Create { body: self.group_body(client), slot: group };
        }
        match self.random.u8(..16) {
            0 => Op::Create { body: self.group_body(client), slot: group },
            1 => Op::Replace { body: self.group_body(client), slot: group, if_match: self.random.u8(..3) == 0 },
            2 | 3 => Op::Patch { body: self.group_patch(client), slot: group, if_match: self.random.u8(..4) == 0 },
            4 => Op::Delete { slot: group },
            5 => Op::Get { slot: group },
            6 => {
                let slot = self.user(client);
                Op::Replace { body: self.user_body(client, other, &slot), slot, if_match: false }
            }
            7 => {
                let slot = self.user(client);
                Op::Patch { body: self.user_patch(client, other, &slot), slot, if_match: false }
            }
            8 => self.own(client),
            _ => self.list(client),
        }
    }

    fn user(&mut self, client: usize) -> Slot {
        format!("u{client}.{}", self.random.usize(..USERS))
    }

    fn group(&mut self, client: usize) -> Slot {
        format!("g{client}.{}", self.random.usize(..GROUPS))
    }

    /// Another user. Nobody is his own manager: on a rename the overlay refint races with the bridge then.
    fn manager(&mut self, client: usize, of: &str) -> Slot {
        let slots: Vec<Slot> =
            (0..USERS).map(|number| format!("u{client}.{number}")).filter(|slot| slot != of).collect();
        slots[self.random.usize(..slots.len())].clone()
    }

    fn user_name(&mut self, client: usize) -> String {
        let at = self.random.usize(..NAMES.len());
        let name = self.name(client, at);
        if self.random.u8(..6) == 0 { name.to_uppercase() } else { name }
    }

    fn name_for(&mut self, client: usize, slot: &str) -> String {
        let own = slot.as_bytes().last().map_or(0, |digit| usize::from(digit - b'0'));
        if self.renames { self.user_name(client) } else { self.name(client, own) }
    }

    fn group_name(&mut self, client: usize) -> String {
        format!("{}{client}{}", self.prefix, GROUP_NAMES[self.random.usize(..GROUP_NAMES.len())])
    }

    fn word(&mut self) -> String {
        format!("word{}", self.random.u8(..6))
    }

    fn user_body(&mut self, client: usize, managers: usize, slot: &str) -> Value {
        let name = self.name_for(client, slot);
        let mut body = json!({
            "schemas": [USER],
            "userName": name,
            "name": {"givenName": self.word(), "familyName": self.word()},
            "displayName": self.word(),
            "active": self.random.u8(..4) > 0,
            "groups": [],
            "password": "1mz050nq",
        });
        if self.random.bool() {
            body["externalId"] = json!(self.word());
            body["emails"] =
                json!([{"primary": true, "type": "work", "value": format!("{}@example.com", self.word())}]);
        }
        if self.random.bool() {
            body["title"] = json!(self.word());
        }
        if self.random.u8(..3) == 0 {
            body["schemas"] = json!([USER, ENTERPRISE]);
            let manager = self.manager(managers, slot);
            body[ENTERPRISE] = json!({"department": self.word(), "manager": {"value": format!("@{manager}@")}});
        }
        body
    }

    fn user_patch(&mut self, client: usize, managers: usize, slot: &str) -> Value {
        let count = self.random.usize(1..=2);
        let operations: Vec<Value> = (0..count).map(|_| self.user_operation(client, managers, slot)).collect();
        json!({"schemas": [PATCH], "Operations": operations})
    }

    fn user_operation(&mut self, client: usize, managers: usize, slot: &str) -> Value {
        let manager = self.manager(managers, slot);
        match self.random.u8(..7) {
            0 => json!({"op": "replace", "path": "userName", "value": self.name_for(client, slot)}),
            1 => json!({"op": "Replace", "value": {"active": false}}),
            2 => json!({"op": "replace", "path": "active", "value": true}),
            3 => json!({"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": format!("@{manager}@")}),
            4 => json!({"op": "add", "path": "name.familyName", "value": self.word()}),
            5 => json!({"op": "remove", "path": "title"}),
            _ => json!({"op": "replace", "path": "title", "value": self.word()}),
        }
    }

    fn group_body(&mut self, client: usize) -> Value {
        let members: BTreeSet<Slot> = (0..self.random.usize(..4)).map(|_| self.anybody()).collect();
        let members: Vec<Value> = members.iter().map(|slot| json!({"value": format!("@{slot}@")})).collect();
        json!({"displayName": self.group_name(client), "members": members})
    }

    /// Somebody, mostly one who is there.
    fn anybody(&mut self) -> Slot {
        let there: Vec<&Slot> = self.alive.iter().filter(|slot| slot.starts_with('u')).collect();
        if there.is_empty() || self.random.u8(..12) == 0 {
            let client = self.random.usize(..CLIENTS);
            return self.user(client);
        }
        there[self.random.usize(..there.len())].clone()
    }

    fn group_patch(&mut self, client: usize) -> Value {
        let members: BTreeSet<Slot> = (0..self.random.usize(1..4)).map(|_| self.anybody()).collect();
        let members: Vec<Value> = members.iter().map(|slot| json!({"value": format!("@{slot}@")})).collect();
        let one = members[0]["value"].as_str().unwrap_or_default().to_owned();
        let operation = match self.random.u8(..5) {
            0 => json!({"op": "replace", "path": "displayName", "value": self.group_name(client)}),
            1 => json!({"op": "replace", "path": "members", "value": members}),
            2 => json!({"op": "add", "path": "members", "value": members}),
            3 => json!({"op": "remove", "path": format!("members[value eq \"{one}\"]")}),
            _ => json!({"op": "remove", "path": "members", "value": members}),
        };
        json!({"schemas": [PATCH], "Operations": [operation]})
    }

    /// A client's own users come into anybody's group, or go.
    fn membership(&mut self, client: usize) -> Op {
        let owner = self.random.usize(..CLIENTS);
        let slot = self.group(owner);
        let users: BTreeSet<Slot> = (0..self.random.usize(1..=3)).map(|_| self.user(client)).collect();
        let values: Vec<Value> = users.iter().map(|user| json!({"value": format!("@{user}@")})).collect();
        let op = if self.random.u8(..3) > 0 { "add" } else { "remove" };
        let body = json!({"schemas": [PATCH], "Operations": [{"op": op, "path": "members", "value": values}]});
        Op::Patch { slot, body, if_match: false }
    }

    fn list(&mut self, client: usize) -> Op {
        let (user, somebody) = (self.user_name(client), self.anybody());
        let (path, filter, ordered) = match self.random.u8(..11) {
            0..=3 => ("/Users", format!("userName eq \"{user}\""), false),
            4 => ("/Users", format!("userName sw \"{}\"", self.prefix), false),
            5 => ("/Users", format!("active eq {} and title eq \"{}\"", self.random.bool(), self.word()), false),
            6 => ("/Groups", format!("displayName eq \"{}\"", self.group_name(client)), false),
            7 => ("/Groups", format!("members.value eq \"@{somebody}@\""), false),
            8 => ("/Users", format!("externalId eq \"{}\"", self.word()), false),
            9 => ("/Users", format!("id eq \"@{somebody}@\""), false),
            _ => ("/Users", "userName pr".to_owned(), true),
        };
        let filter: String = url::form_urlencoded::byte_serialize(filter.replace('@', "\u{1}").as_bytes()).collect();
        // The places of ids survive the encoding.
        let mut path = format!("{path}?filter={}", filter.replace("%01", "@"));
        if ordered {
            let (start, count) = (self.random.usize(1..4), self.random.usize(1..6));
            path = format!("{path}&sortBy=userName&startIndex={start}&count={count}");
        }
        Op::List { path, ordered }
    }
}
