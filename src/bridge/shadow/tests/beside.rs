//! The same operations, by chance, on a real server and on the shadow: the same refusals, the same entries.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::slapd::{SUFFIX, Slapd};
use super::*;
use crate::bridge::target::{Live, Target};
use crate::directory::{Change, Directory, Rdn};

const READ: [&str; 11] = [
    "objectClass",
    "uid",
    "cn",
    "sn",
    "mail",
    "title",
    "telephoneNumber",
    "employeeNumber",
    "description",
    "manager",
    "member",
];
const UIDS: [&str; 6] = ["ada", "Ada", "Ada  Lovelace", "ada lovelace", "b,ob", "eve \"x\""];
const CNS: [&str; 3] = ["staff", "Staff", "all; <them>"];
const PLACES: [&str; 3] = ["ou=people,dc=x", "OU=People, DC=X", "ou=other,dc=x"];

/// One operation.
#[derive(Debug, Clone)]
enum Step {
    Add(Dn, Vec<(AttributeName, Vec<Vec<u8>>)>),
    Modify(Dn, Vec<Modification>, ModifyOptions),
    Rename(Dn, Rdn, Option<Dn>),
    Delete(Dn),
    Search(Search),
}

/// What came of it: the names that were found, or why it was refused.
type Outcome = Result<Vec<Dn>, FaultKind>;

impl Step {
    async fn on(&self, target: &Target) -> Outcome {
        let found = match self {
            Self::Add(dn, attributes) => target.add(dn, attributes, &[name("uid")]).await.map(drop),
            Self::Modify(dn, modifications, options) => target.modify(dn, modifications, options).await.map(drop),
            // The server beside it keeps no references.
            Self::Rename(dn, rdn, parent) => match target {
                Target::Shadow(shadow) => shadow.rename(dn, rdn, parent.as_ref(), &[]),
                live @ Target::Live(_) => live.rename(dn, rdn, parent.as_ref(), &[]).await,
            }
            .map(drop),
            Self::Delete(dn) => match target {
                Target::Shadow(shadow) => shadow.delete(dn),
                live @ Target::Live(_) => live.delete(dn).await,
            },
            Self::Search(search) => {
                let mut found: Vec<Dn> = match target.search(search).await {
                    Ok(found) => found.into_iter().map(|entry| entry.dn).collect(),
                    Err(fault) => return Err(fault.kind),
                };
                found.sort();
                return Ok(found);
            }
        };
        found.map(|()| Vec::new()).map_err(|fault| fault.kind)
    }

    /// With several modifications it is the server's choice which mistake it tells.
    fn may_differ(&self) -> bool {
        matches!(self, Self::Modify(_, modifications, _) if modifications.len() > 1)
    }
}

/// Draws steps.
struct Dice(Rng);

impl Dice {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.0.usize(..of.len())]
    }

    fn some(&mut self, of: &[&str], least: usize) -> Vec<Vec<u8>> {
        let count = self.0.usize(least..3);
        let mut some: Vec<Vec<u8>> = (0..count).map(|_| self.one(of).as_bytes().to_vec()).collect();
        some.sort();
        some.dedup();
        some
    }

    fn user(&mut self) -> Dn {
        dn(self.one(&PLACES)).child(&name("uid"), self.one(&UIDS))
    }

    fn group(&mut self) -> Dn {
        dn("ou=groups,dc=x").child(&name("cn"), self.one(&CNS))
    }

    fn members(&mut self, least: usize) -> Vec<Vec<u8>> {
        let count = self.0.usize(least..4);
        let mut members: Vec<Dn> = (0..count).map(|_| self.user()).collect();
        if self.0.u8(..4) == 0 {
            members.push(Dn::root());
        }
        members.sort();
        members.dedup();
        members.iter().map(|dn| dn.as_str().as_bytes().to_vec()).collect()
    }

    fn pool(attribute: &str) -> &'static [&'static str] {
        match attribute {
            "uid" => &UIDS,
            "mail" => &["a@x", "A@X", "b@x", "c@y"],
            "title" => &["Dr", "dr", "Prof  X", "prof x", " Prof X"],
            "telephoneNumber" => &["+1 2", "+1-2", "+12", "7"],
            "employeeNumber" => &["1", "2"],
            "manager" => &["uid=ada,ou=people,dc=x", "UID=Ada, OU=people,DC=x", "uid=b\\2Cob,ou=people,dc=x"],
            _ => &["one", "One", "two  words", "two words"],
        }
    }

    fn change(&mut self, values: Vec<Vec<u8>>) -> Change {
        match self.0.u8(..4) {
            0 | 1 if !values.is_empty() => Change::Add(values),
            0..=2 => {
                // What a server makes of a value that is to be deleted twice depends on how many there are.
                let mut seen = std::collections::HashSet::new();
                Change::Delete(values.into_iter().filter(|value| seen.insert(Rule::Number.form(value))).collect())
            }
            _ => Change::Replace(values),
        }
    }

    fn modification(&mut self) -> Modification {
        let attributes = ["uid", "mail", "title", "telephoneNumber", "employeeNumber", "manager", "description"];
        let attribute = self.one(&attributes);
        let mut values = self.some(Self::pool(attribute), 0);
        if attribute == "employeeNumber" {
            // Two values at once are refused whatever the entry is.
            values.truncate(1);
        }
        Modification::new(name(attribute), self.change(values))
    }

    fn filter(&mut self, deep: u8) -> Filter {
        let attributes = ["uid", "mail", "title", "telephoneNumber", "employeeNumber", "manager", "description", "cn"];
        let attribute = self.one(&attributes);
        let value = self.one(Self::pool(attribute)).as_bytes().to_vec();
        let cut = value.len() / 2;
        let parts = |dice: &mut Self| (0..dice.0.usize(1..4)).map(|_| dice.filter(deep - 1)).collect::<Vec<_>>();
        match self.0.u8(..if deep > 0 { 9 } else { 5 }) {
            0 => Filter::Present(name(attribute)),
            1 if !matches!(attribute, "manager") => Filter::Substrings {
                attribute: name(attribute),
                initial: Some(value[..cut].to_vec()).filter(|part| !part.is_empty()),
                any: Vec::new(),
                last: Some(value[cut..].to_vec()),
            },
            2 => Filter::Equal(name("member"), self.user().as_str().as_bytes().to_vec()),
            5 => Filter::Not(Box::new(self.filter(deep - 1))),
            6 | 7 => Filter::And(parts(self)),
            8 => Filter::Or(parts(self)),
            _ => Filter::Equal(name(attribute), value),
        }
    }

    fn search(&mut self) -> Search {
        let kept = Filter::parse("(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))").unwrap();
        let filter = Filter::And(vec![self.filter(3), kept]);
        let (base, scope) = match self.0.u8(..4) {
            0 => (self.user(), Scope::Base),
            1 => (dn("ou=people,dc=x"), Scope::One),
            2 => (self.group(), Scope::Base),
            _ => (dn(SUFFIX), Scope::Sub),
        };
        Search { base, scope, filter, attributes: vec![name("uid")], size_limit: 0 }
    }

    fn step(&mut self) -> Step {
        let plain = ModifyOptions::default;
        match self.0.u8(..20) {
            0..=3 => {
                let dn = self.user();
                let uid = dn.rdn().unwrap().value_of(&name("uid")).unwrap().to_owned();
                let mut entry = person(&uid);
                entry.extend(["mail", "title"].map(|attribute| (name(attribute), self.some(Self::pool(attribute), 0))));
                Step::Add(dn, entry)
            }
            4 => {
                let dn = self.group();
                let cn = dn.rdn().unwrap().value_of(&name("cn")).unwrap().to_owned();
                let mut entry = group(&cn, &[]);
                entry.retain(|(attribute, _)| *attribute != name("member"));
                entry.push((name("member"), self.members(0)));
                Step::Add(dn, entry)
            }
            5..=8 => {
                let modifications = (0..self.0.usize(1..3)).map(|_| self.modification()).collect();
                Step::Modify(self.user(), modifications, plain())
            }
            9 => {
                let options = ModifyOptions { assertion: Some(self.filter(1)), ..plain() };
                Step::Modify(self.user(), vec![self.modification()], options)
            }
            10..=12 => {
                let values = self.members(0);
                let mut modifications = vec![Modification::new(name("member"), self.change(values))];
                if self.0.bool() {
                    let values = self.members(1);
                    modifications.push(Modification::new(name("member"), self.change(values)));
                }
                Step::Modify(self.group(), modifications, plain())
            }
            13 | 14 => {
                let to = self.user();
                let parent = self.0.bool().then(|| to.parent().unwrap());
                Step::Rename(self.user(), to.rdn().unwrap(), parent)
            }
            15 => Step::Rename(self.group(), self.group().rdn().unwrap(), None),
            16 => Step::Delete(if self.0.bool() { self.user() } else { self.group() }),
            _ => Step::Search(self.search()),
        }
    }
}

type Contents = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Everything there is, without what the server stamps; names in the form in which they are compared, for
/// servers write them in their own way.
async fn contents(target: &Target) -> Contents {
    let search = Search {
        attributes: READ.map(name).to_vec(),
        ..search(Scope::Sub, SUFFIX, "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))")
    };
    let found = target.search(&search).await.unwrap();
    let of = |entry: &Entry| {
        let form = |attribute: &AttributeName, values: &[Vec<u8>]| {
            let rule = if ["member", "manager"].contains(&attribute.as_str()) { Rule::Name } else { Rule::Exact };
            let form = |value: &Vec<u8>| String::from_utf8(rule.form(value)).unwrap();
            let mut forms: Vec<String> = values.iter().map(form).collect();
            forms.sort();
            forms
        };
        entry.attributes().map(|(name, values)| (name.to_string(), form(name, values))).collect()
    };
    found.iter().map(|entry| (entry.dn.normal_form().to_owned(), of(entry))).collect()
}

async fn prepare(directory: &Directory) {
    let suffix = attributes(&[("objectClass", &["dcObject", "organization"]), ("dc", &["x"]), ("o", &["x"])]);
    directory.add(&dn(SUFFIX), &suffix, &[]).await.unwrap();
    for place in ["people", "groups", "other"] {
        let unit = attributes(&[("objectClass", &["organizationalUnit"]), ("ou", &[place])]);
        directory.add(&dn(SUFFIX).child(&name("ou"), place), &unit, &[]).await.unwrap();
    }
}

/// Steps of one seed on both; the shadow knows the server's schema.
async fn compare(seed: u64, steps: usize) {
    let slapd = Slapd::start();
    let directory = slapd.directory();
    prepare(&directory).await;
    let world = World::new().await;
    let live = Target::Live(Live::new(directory, &world.mapping, Arc::default()));
    fill::remember_schema(&live, &world.store, &world.shape).await.unwrap();
    let mut dice = Dice(Rng::with_seed(seed));
    let (mut done, mut refused) = (0, 0);
    for at in 0..steps {
        let step = dice.step();
        let expected = step.on(&live).await;
        let (on_shadow, now) = {
            let step = step.clone();
            world
                .run(async move |shadow| {
                    let target = Target::Shadow(shadow);
                    (step.on(&target).await, contents(&target).await)
                })
                .await
        };
        let same = on_shadow == expected || (step.may_differ() && on_shadow.is_err() && expected.is_err());
        assert!(same, "seed {seed}, step {at}: {step:?}\nserver: {expected:?}\nshadow: {on_shadow:?}\n{now:?}");
        match expected {
            Ok(_) => done += 1,
            Err(_) => refused += 1,
        }
        let there = contents(&live).await;
        assert_eq!(now, there, "seed {seed}, after step {at}: {step:?}");
    }
    fill_beside(&live).await;
    assert!(done > steps / 4 && refused > steps / 10, "{done} done, {refused} refused");
}

/// What a server holds can be read, and what changes there later.
async fn fill_beside(live: &Target) {
    let world = World::new().await;
    // The table knows nothing of that place and that attribute.
    let within = |mut contents: Contents| {
        contents.retain(|name, _| !name.ends_with("ou=other,dc=x"));
        for entry in contents.values_mut() {
            entry.remove("description");
        }
        contents
    };
    let kept = async |world: &World| world.run(async |shadow| contents(&Target::Shadow(shadow)).await).await;
    fill(live, &world.store, &world.shape, &|_| {}).await.unwrap();
    assert_eq!(kept(&world).await, within(contents(live).await));
    let new = dn("ou=people,dc=x").child(&name("uid"), "new");
    live.add(&new, &person("new"), &[]).await.unwrap();
    refresh(live, &world.store, &world.shape).await.unwrap();
    assert_eq!(kept(&world).await, within(contents(live).await));
    live.delete(&new).await.unwrap();
    assert_eq!(sweep(live, &world.store, &world.shape).await.unwrap(), 1);
    assert_eq!(kept(&world).await, within(contents(live).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shadow_does_what_a_server_does() {
    for seed in 0..3 {
        compare(seed, 300).await;
    }
}
