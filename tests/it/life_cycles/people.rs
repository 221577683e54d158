//! People and their group, and what the directory is to hold of them.

use super::clients::Client;
use crate::harness::{Attributes, Facts, Kind};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Servers and the bridge do some things a moment after the answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Somebody as the identity provider knows them.
#[derive(Clone)]
pub struct Person {
    pub user_name: String,
    pub given: &'static str,
    pub family: &'static str,
    pub external: String,
    pub title: &'static str,
    pub department: &'static str,
    pub mobile: Option<&'static str>,
    /// The userName of the manager.
    pub manager: Option<String>,
    pub active: bool,
    /// The names of the groups that list them.
    pub groups: Vec<String>,
    /// There has been such a group.
    pub was_member: bool,
    pub tag: &'static str,
    /// What stood before the @ at first: Active Directory's older name, which never changes.
    pub account: String,
}

impl Person {
    pub fn new(tag: &'static str, given: &'static str, family: &'static str) -> Self {
        let user_name = user_name(tag, given, family);
        Self {
            account: user_name.split('@').next().unwrap_or_default().to_owned(),
            external: format!("external-{tag}-{given}"),
            user_name,
            given,
            family,
            title: "Researcher",
            department: "Research",
            mobile: None,
            manager: None,
            active: true,
            groups: Vec::new(),
            was_member: false,
            tag,
        }
    }

    /// Another family name, and with it another userName and address.
    pub fn marry(&mut self, family: &'static str) {
        self.family = family;
        self.user_name = user_name(self.tag, self.given, family);
    }

    pub fn display(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    /// The whole entry, but for what the server keeps by itself; `others` are all who could report to them.
    fn entry(&self, world: &World, others: &[&Self]) -> Attributes {
        let facts = world.facts();
        let class = |it: &[&str]| it.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut classes = class(facts.person);
        if self.was_member {
            classes.extend(class(facts.class_of_members));
            classes.sort();
        }
        let mut entry: Vec<(&str, Vec<String>)> = vec![
            ("objectClass", classes),
            (facts.user_name, vec![self.user_name.clone()]),
            ("cn", vec![if facts.cn_from_name { self.display() } else { self.user_name.clone() }]),
            ("employeeNumber", vec![self.external.clone()]),
            ("givenName", class(&[self.given])),
            ("sn", class(&[self.family])),
            ("displayName", vec![self.display()]),
            ("mail", vec![self.user_name.clone()]),
            ("title", class(&[self.title])),
            (facts.department, class(&[self.department])),
            ("mobile", class(self.mobile.as_slice())),
            ("manager", self.manager.iter().map(|name| world.dn(name)).collect()),
            ("memberOf", self.groups.iter().map(|name| world.group_dn(name)).collect()),
            (facts.lock, class(if self.active { facts.unlocked } else { std::slice::from_ref(&facts.locked) })),
        ];
        if world.kind == Kind::ActiveDirectory {
            entry.push(("sAMAccountName", vec![self.account.clone()]));
        }
        let report = |other: &&&Self| other.manager.as_ref() == Some(&self.user_name);
        let reports = others.iter().filter(report).map(|other| world.dn(&other.user_name)).collect();
        entry.extend(facts.reports.map(|name| (name, reports)));
        entry.into_iter().filter(|(_, values)| !values.is_empty()).map(|(name, all)| (name.to_owned(), all)).collect()
    }
}

fn user_name(tag: &str, given: &str, family: &str) -> String {
    format!("{given}.{family}.{tag}@example.com").to_lowercase()
}

/// Whether the directory holds these people of a client with everything that belongs to them, and nobody else.
pub async fn hold(world: &World, tag: &str, people: &[&Person]) {
    let expected: BTreeMap<String, Attributes> =
        people.iter().map(|person| (world.dn(&person.user_name), person.entry(world, people))).collect();
    let filter = format!("({}=*.{tag}@example.com)", world.facts().user_name);
    let end = Instant::now() + PATIENCE;
    loop {
        let found = world.raw.find(&world.people(), &filter).await;
        let found: BTreeMap<String, Attributes> =
            found.into_iter().map(|(dn, entry)| (dn, own(world.facts(), entry))).collect();
        if found == expected {
            return;
        }
        if Instant::now() > end {
            assert_eq!(found, expected, "{tag}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the bridge has written, or others have for it.
fn own(facts: &Facts, mut entry: Attributes) -> Attributes {
    let kept = |name: &str| {
        name == facts.id || [facts.clocks, facts.derived, facts.supplied].iter().any(|list| list.contains(&name))
    };
    entry.retain(|name, _| !kept(name));
    entry
}

/// The group that is pushed.
pub struct Team {
    pub name: String,
    pub id: String,
    pub external: Option<String>,
}

impl Team {
    pub fn new(client: Client) -> Self {
        let external = client.names_groups().then(|| format!("group-{}", client.tag()));
        Self { name: format!("Team {}", client.tag()), id: String::new(), external }
    }

    /// Whether the entry of the group is as it should be, with these members.
    pub async fn holds(&self, world: &World, members: &BTreeSet<String>) {
        let expected = self.entry(world);
        let end = Instant::now() + PATIENCE;
        loop {
            let (dn, entry) = world.raw.find_one(&world.groups(), &format!("(cn={})", self.name)).await;
            assert_eq!(dn, world.group_dn(&self.name));
            let mut entry = own(world.facts(), entry);
            let held: BTreeSet<String> = entry.remove("member").unwrap_or_default().into_iter().collect();
            if entry == expected && held == *members {
                return;
            }
            if Instant::now() > end {
                assert_eq!(entry, expected);
                let strange: Vec<&String> = held.difference(members).collect();
                let missing: Vec<&String> = members.difference(&held).collect();
                panic!("{}: {strange:?} should not be in it, {missing:?} should", self.name);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The whole entry, but for its members and what the server keeps by itself.
    fn entry(&self, world: &World) -> Attributes {
        let facts = world.facts();
        let mut classes = vec!["top".to_owned(), facts.group_class.to_owned()];
        classes.sort();
        let mut entry = vec![("objectClass", classes), ("cn", vec![self.name.clone()])];
        entry.extend(self.external.iter().map(|id| (facts.group_external, vec![id.clone()])));
        if world.kind == Kind::ActiveDirectory {
            // A global security group.
            entry.push(("groupType", vec!["-2147483646".to_owned()]));
            entry.push(("sAMAccountName", vec![self.name.clone()]));
        }
        entry.into_iter().map(|(name, values)| (name.to_owned(), values)).collect()
    }
}
