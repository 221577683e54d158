//! Golden files: what the rows of a mapping table make of requests and entries. Each `tests/cases/*.toml` is a table,
//! a request and perhaps an entry; the `.snap` beside it shows the LDIF that would be written and the resource that
//! would be answered.

use std::fmt::Write as _;
use std::path::Path;

use scim2ldap::directory::{AttributeName, Dn, Entry, Kind};
use scim2ldap::mapping::{IdAttribute, Mapping, Mentions, Referenced, ResourceMapping, Wish, WriteMode};
use scim2ldap::scim::{Patch, Resource};
use scim2ldap::tables::Source;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What this case shows.
    says: String,
    /// Further keys of `[user]`.
    #[serde(default)]
    keys: String,
    /// Where new entries go, if not below `ou=people`.
    base: Option<String>,
    /// Further rows of `[user]`; userName goes to uid in every case.
    rows: String,
    /// A request, as POST and, where there is an entry, as PUT.
    request: Option<String>,
    /// A PATCH of the entry.
    patch: Option<String>,
    /// An entry, as `attribute: value` lines.
    entry: Option<String>,
    /// What references mean: the client's words, and the DN.
    #[serde(default)]
    mentions: std::collections::BTreeMap<String, String>,
    /// Passwords in requests are carried over.
    #[serde(default)]
    password_sync: bool,
}

#[test]
fn every_row_key_and_codec_does_what_its_golden_file_shows() {
    insta::with_settings!({ snapshot_path => "../cases", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::glob!("../cases", "*.toml", |path| {
            let case: Case = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            insta::assert_snapshot!(shown(path, &case));
        });
    });
}

fn shown(file: &Path, case: &Case) -> String {
    let mut text = format!("# {}\n", case.says);
    let mapping = match table(file, case) {
        Ok(mapping) => mapping.user,
        Err(refused) => {
            let _ = write!(text, "\n## the table is refused\n{refused}");
            return text;
        }
    };
    let entry = case.entry.as_deref().map(entry);
    if let (Some(request), None) = (&case.request, &entry) {
        let _ = write!(text, "\n## POST\n{}", created(&mapping, case, request));
    }
    if let Some(entry) = &entry {
        let before = read(&mapping, entry);
        let mut answer = before.clone();
        // The version is a hash, which says nothing to a reader.
        answer.as_map_mut()["meta"].as_object_mut().unwrap().shift_remove("version");
        let _ = write!(text, "\n## GET\n{}\n", serde_json::to_string_pretty(answer.as_map()).unwrap());
        if let Some(request) = &case.request {
            let after = Resource::from_client(serde_json::from_str(request).unwrap(), &mapping.schema);
            let change = after.map_err(|fault| fault.to_string());
            let _ = write!(text, "\n## PUT\n{}", changed(&mapping, case, entry, &before, change, false));
        }
        if let Some(patch) = &case.patch {
            let patch = Patch::from_client(serde_json::from_str(patch).unwrap(), &mapping.schema);
            let after =
                patch.and_then(|patch| patch.apply(&before, &mapping.schema)).map_err(|fault| fault.to_string());
            let _ = write!(text, "\n## PATCH\n{}", changed(&mapping, case, entry, &before, after, true));
        }
    }
    text
}

fn table(path: &Path, case: &Case) -> Result<Mapping, String> {
    let base = case.base.as_deref().unwrap_or("ou=people,{base_dn}");
    let text = format!(
        "[user]\nbase = {base:?}\nobject_class = [\"top\", \"inetOrgPerson\"]\nrdn = \"uid\"\n\
         filter = \"(objectClass=inetOrgPerson)\"\n{}\nattributes = [\n  {{ scim = \"userName\", ldap = \"uid\", \
         required = true }},\n{}]\n",
        case.keys, case.rows
    );
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let dialect = Kind::OpenLdap.dialect();
    let id = IdAttribute { attribute: dialect.id_attribute.clone(), form: dialect.id_form };
    Mapping::parse(Source { name, text }, &Dn::parse("dc=example,dc=test").unwrap(), &id)
        .map_err(|refused| refused.to_string())
}

fn mentions(mapping: &ResourceMapping, case: &Case, resource: &Resource) -> Mentions {
    let mut found = Mentions::default();
    for mention in mapping.mentions(resource) {
        if let Some(dn) = case.mentions.get(&mention.text) {
            found.insert(mention, Dn::parse(dn).unwrap());
        }
    }
    found
}

fn mode(case: &Case, creating: bool) -> WriteMode {
    WriteMode { creating, password_sync: case.password_sync }
}

fn created(mapping: &ResourceMapping, case: &Case, request: &str) -> String {
    let plan = Resource::from_client(serde_json::from_str(request).unwrap(), &mapping.schema).and_then(|resource| {
        let mentions = mentions(mapping, case, &resource);
        mapping.plan_create(&resource, &mentions, mode(case, true))
    });
    match plan {
        Ok(plan) => {
            let mut text = plan.to_ldif().into_text();
            for number in plan.numbers.iter().filter(|number| number.chosen.is_none()) {
                let _ = writeln!(
                    text,
                    "{}: (a number from {} to {})",
                    number.attribute, number.range.from, number.range.to
                );
            }
            text
        }
        Err(fault) => format!("{}: {fault}\n", fault.kind.scim_type()),
    }
}

fn changed(
    mapping: &ResourceMapping,
    case: &Case,
    entry: &Entry,
    before: &Resource,
    after: Result<Resource, String>,
    is_patch: bool,
) -> String {
    let after = match after {
        Ok(after) => after,
        Err(fault) => return format!("{fault}\n"),
    };
    let mentions = mentions(mapping, case, &after);
    let (mode, dialect) = (mode(case, false), Kind::OpenLdap.dialect());
    let wish = Wish { before, after: &after, is_patch, mentions: &mentions, mode, dialect };
    match mapping.plan_update(entry, &wish) {
        Ok(update) if update.is_empty() => "(nothing to change)\n".to_owned(),
        Ok(update) => update.to_ldif(&entry.dn),
        Err(fault) => format!("{}: {fault}\n", fault.kind.scim_type()),
    }
}

fn read(mapping: &ResourceMapping, entry: &Entry) -> Resource {
    let reading = mapping.read(entry, Kind::OpenLdap.dialect()).unwrap();
    reading.finish(
        "https://scim.example.com/scim/v2/Users/1".to_owned(),
        &|pointer| {
            let id = pointer.dn.rdn()?.value_of(&AttributeName::parse("uid").unwrap())?.to_owned();
            Some(Referenced { kind: mapping.kind, location: format!("…/{id}"), display: Some(id.to_uppercase()), id })
        },
        None,
    )
}

/// An entry from `attribute: value` lines; `dn:` first.
fn entry(text: &str) -> Entry {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<(&str, &str)> = lines.map(|line| line.split_once(':').unwrap()).collect();
    let dn = lines.iter().find(|(name, _)| *name == "dn").unwrap().1.trim();
    let mut entry = Entry::new(Dn::parse(dn).unwrap());
    let names: std::collections::BTreeSet<&str> = lines.iter().map(|(name, _)| *name).filter(|n| *n != "dn").collect();
    for name in names {
        let values =
            lines.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.trim().as_bytes().to_vec());
        entry.insert(AttributeName::parse(name).unwrap(), values.collect());
    }
    if !entry.has(&AttributeName::parse("entryUUID").unwrap()) {
        let id = b"00112233-4455-6677-8899-aabbccddeeff".to_vec();
        entry.insert(AttributeName::parse("entryUUID").unwrap(), vec![id]);
    }
    entry
}
