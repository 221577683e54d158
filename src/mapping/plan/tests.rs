use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::directory::Kind;
use crate::mapping::Mapping;
use crate::tables::Source;

const TABLE: &str = r#"
[user]
base = "ou=people,{base_dn}"
object_class = ["inetOrgPerson"]
rdn = "uid"
filter = "(objectClass=inetOrgPerson)"
disable = "ppolicy"
attributes = [
  { scim = "userName", ldap = "uid", required = true },
  { scim = "name.givenName", ldap = "givenName" },
  { scim = "name.familyName", ldap = "sn", fallback = "-" },
  { scim = "name.formatted", ldap = "cn", value = "{{ name.givenName }} {{ name.familyName }}", fallback = "{{ userName }}" },
  { scim = 'emails[type eq "work" or primary eq true].value', ldap = "mail" },
  { scim = "phoneNumbers.value", ldap = "telephoneNumber", multi = true },
  { scim = "title", ldap = "title", case = "upper" },
]
"#;

fn mapping() -> ResourceMapping {
    let source = Source { name: "test.toml".to_owned(), text: TABLE.to_owned() };
    let base = Dn::parse("dc=example,dc=test").unwrap();
    let parsed = Mapping::parse(source, &base, &Kind::OpenLdap.dialect().into());
    parsed.unwrap_or_else(|found| panic!("{found}")).user
}

fn mode(creating: bool) -> WriteMode {
    WriteMode { creating, password_sync: false }
}

fn stored(mapping: &ResourceMapping, resource: &Resource) -> Entry {
    let plan = mapping.plan_create(resource, &Mentions::default(), mode(true)).unwrap();
    let mut entry = Entry::new(plan.dn);
    for (name, values) in plan.attributes {
        entry.insert(name, values);
    }
    entry.insert(AttributeName::literal("entryUUID"), vec![b"00112233-4455-6677-8899-aabbccddeeff".to_vec()]);
    entry
}

fn read(mapping: &ResourceMapping, entry: &Entry) -> Resource {
    mapping.read(entry, Kind::OpenLdap.dialect()).unwrap().finish(String::new(), &|_| None, None)
}

fn planned(mapping: &ResourceMapping, entry: &Entry, after: &Resource, is_patch: bool) -> Update {
    planned_on(Kind::OpenLdap, mapping, entry, after, is_patch)
}

fn planned_on(kind: Kind, mapping: &ResourceMapping, entry: &Entry, after: &Resource, is_patch: bool) -> Update {
    let before = read(mapping, entry);
    let (mentions, dialect) = (Mentions::default(), kind.dialect());
    let wish = Wish { before: &before, after, is_patch, mentions: &mentions, mode: mode(false), dialect };
    mapping.plan_update(entry, &wish).unwrap()
}

/// What a server makes of a plan.
fn applied(entry: &Entry, update: &Update) -> Entry {
    let mut after = Entry::new(update.renamed(&entry.dn));
    for (name, values) in entry.attributes() {
        after.insert(name.clone(), values.to_vec());
    }
    let uid = AttributeName::literal("uid");
    if let Some(rdn) = update.rename.as_ref().and_then(|rename| rename.rdn.value_of(&uid)) {
        let old = entry.dn.rdn().unwrap().value_of(&uid).unwrap().as_bytes().to_vec();
        let mut values: Vec<Vec<u8>> = after.values(&uid).iter().filter(|value| **value != old).cloned().collect();
        values.push(rdn.as_bytes().to_vec());
        after.insert(uid, values);
    }
    for Modification { attribute, change } in &update.modifications {
        let mut values = after.values(attribute).to_vec();
        match change {
            Change::Add(new) => {
                assert!(new.iter().all(|value| !values.contains(value)), "{attribute}: added twice");
                values.extend(new.clone());
            }
            Change::Delete(old) if old.is_empty() => values.clear(),
            Change::Delete(old) => {
                assert!(old.iter().all(|value| values.contains(value)), "{attribute}: deleted what is not there");
                values.retain(|value| !old.contains(value));
            }
            Change::Replace(new) => values.clone_from(new),
        }
        after.remove(attribute);
        if !values.is_empty() {
            after.insert(attribute.clone(), values);
        }
    }
    after
}

/// Anything but the fallback of the family name, which counts as none.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z][a-z]{0,6}", Just("a,b=c+d \"e\" #\\;<>".to_owned()), Just(" ö 🙂 ".to_owned())]
}

fn resource() -> impl Strategy<Value = Resource> {
    let parts = (
        text(),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::collection::vec((prop_oneof![Just("work"), Just("home"), Just("other")], any::<bool>(), text()), 0..3),
        prop::collection::vec(text(), 0..3),
        prop::option::of(text()),
        any::<bool>(),
    );
    parts.prop_map(|(user, given, family, emails, phones, title, active)| {
        let mut name = Map::new();
        name.extend(given.map(|given| ("givenName".to_owned(), Value::from(given))));
        name.extend(family.map(|family| ("familyName".to_owned(), Value::from(family))));
        let body = json!({
            "userName": user, "name": name, "title": title, "active": active,
            "emails": emails.iter().map(|(kind, primary, value)| json!({"type": kind, "primary": primary, "value": value}))
                .collect::<Vec<_>>(),
            "phoneNumbers": phones.iter().map(|value| json!({"value": value})).collect::<Vec<_>>(),
        });
        Resource::from_client(body, &mapping().schema).unwrap()
    })
}

proptest! {
    #[test]
    fn a_change_that_is_made_twice_is_nothing_the_second_time(one in resource(), other in resource()) {
        let mapping = mapping();
        let entry = stored(&mapping, &one);
        prop_assert_eq!(planned(&mapping, &entry, &one, false), Update::default(), "creating is complete");
        let changed = applied(&entry, &planned(&mapping, &entry, &other, false));
        prop_assert_eq!(planned(&mapping, &changed, &other, false), Update::default(), "replacing is complete");
    }

    #[test]
    fn what_is_read_can_be_sent_back_unchanged(one in resource(), is_patch in any::<bool>()) {
        let mapping = mapping();
        let entry = stored(&mapping, &one);
        let shown = read(&mapping, &entry);
        let back = Resource::from_client(Value::Object(shown.into_map()), &mapping.schema).unwrap();
        prop_assert_eq!(planned(&mapping, &entry, &back, is_patch), Update::default());
    }

    #[test]
    fn attributes_that_no_row_names_are_never_touched(one in resource(), other in resource()) {
        let mapping = mapping();
        let mut entry = stored(&mapping, &one);
        entry.insert(AttributeName::literal("description"), vec![b"by hand".to_vec()]);
        let update = planned(&mapping, &entry, &other, false);
        prop_assert!(update.modifications.iter().all(|m| m.attribute != AttributeName::literal("description")));
        let mail = AttributeName::literal("mail");
        entry.insert(mail.clone(), vec![b"zz-alias@example.com".to_vec(), b"a-shown@example.com".to_vec()]);
        let changed = applied(&entry, &planned(&mapping, &entry, &other, false));
        prop_assert!(changed.values(&mail).contains(&b"zz-alias@example.com".to_vec()), "the alias is not the row's");
    }
}

#[test]
fn an_entry_named_by_another_attribute_keeps_its_name() {
    let mapping = mapping();
    let mut entry = stored(&mapping, &Resource::from_client(json!({"userName": "ada"}), &mapping.schema).unwrap());
    entry.dn = Dn::parse("cn=Ada Lovelace,ou=people,dc=example,dc=test").unwrap();
    let after = Resource::from_client(json!({"userName": "countess"}), &mapping.schema).unwrap();
    let update = planned(&mapping, &entry, &after, false);
    assert_eq!(update.rename, None);
    assert!(update.modifications.iter().any(|m| m.attribute == mapping.rdn));
}

#[test]
fn the_second_value_of_a_multi_valued_name_stays() {
    let mapping = mapping();
    let mut entry = stored(&mapping, &Resource::from_client(json!({"userName": "ada"}), &mapping.schema).unwrap());
    entry.dn = Dn::parse("employeeNumber=7+uid=ada,ou=people,dc=example,dc=test").unwrap();
    let after = Resource::from_client(json!({"userName": "countess"}), &mapping.schema).unwrap();
    let rename = planned(&mapping, &entry, &after, false).rename.unwrap();
    assert_eq!(rename.rdn.value_of(&AttributeName::literal("employeeNumber")), Some("7"));
    assert_eq!(rename.rdn.value_of(&mapping.rdn), Some("countess"));
}

#[test]
fn a_name_in_other_capitals_is_no_rename_where_servers_do_not_survive_one() {
    let mapping = mapping();
    let named = |name: &str| Resource::from_client(json!({ "userName": name }), &mapping.schema).unwrap();
    let mut entry = stored(&mapping, &named("ada"));
    entry.insert(mapping.rdn.clone(), vec![b"ada".to_vec(), b"alias".to_vec()]);
    let dn = entry.dn.clone();
    for name in ["ADA", "Ada", "ada", "Ada"] {
        let update = planned_on(Kind::Ds389, &mapping, &entry, &named(name), true);
        assert_eq!(update.rename, None, "{name}");
        assert_eq!(update.modifications.iter().filter(|one| one.attribute == mapping.rdn).count(), 2, "{name}");
        entry = applied(&entry, &update);
        assert_eq!(entry.dn.as_str(), dn.as_str());
        let mut values: Vec<&str> = entry.texts(&mapping.rdn).collect();
        values.sort_unstable_by_key(|value| value.to_lowercase());
        assert_eq!(values, [name, "alias"]);
        assert!(planned_on(Kind::Ds389, &mapping, &entry, &named(name), false).is_empty());
    }
    assert!(planned(&mapping, &entry, &named("ADA"), true).rename.is_some());
    assert!(planned_on(Kind::Ds389, &mapping, &entry, &named("bob"), true).rename.is_some());
}

#[test]
fn a_bound_change_deletes_what_was_read_and_a_value_that_comes_anew_can_not_be_bound() {
    let mapping = mapping();
    let mut entry = Entry::new(Dn::parse("uid=a,dc=x").unwrap());
    let values = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    for (name, held) in [("mail", &["old"][..]), ("telephoneNumber", &["1", "2"]), ("sn", &["x"])] {
        entry.insert(AttributeName::parse(name).unwrap(), values(held));
    }
    let step = |name: &str, change| Modification::new(AttributeName::parse(name).unwrap(), change);
    let replace = |name: &str, new: &[&str]| step(name, Change::Replace(values(new)));
    let phones = replace("telephoneNumber", &["2", "3"]);
    // The last one is no row's.
    let (title, lock) = (replace("title", &["T"]), replace("pwdAccountLockedTime", &[]));
    let modifications = vec![replace("mail", &["new"]), phones, replace("sn", &[]), title.clone(), lock.clone()];
    let mut update = Update { modifications, ..Update::default() };
    mapping.bind(&mut update, &entry);
    let gone = |name: &str, old: &[&str]| step(name, Change::Delete(values(old)));
    let new = |name: &str, new: &[&str]| step(name, Change::Add(values(new)));
    let phones = [gone("telephoneNumber", &["1"]), new("telephoneNumber", &["3"])];
    let mail = [gone("mail", &["old"]), new("mail", &["new"])];
    assert_eq!(update.modifications, [&mail[..], &phones, &[gone("sn", &["x"]), title, lock]].concat());
}
