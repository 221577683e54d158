//! Whether the parts of a table fit together.

use super::read::Sketch;
use super::{Base, Delete, Disable, InitialPassword, Unique};
use crate::directory::{AttributeName, IdForm};
use crate::mapping::group_names;
use crate::mapping::row::{Draft, ReferenceKey};
use crate::scim::schema::ENTERPRISE_URN;
use crate::scim::{AttributePath, Filter, ResourceKind, ResourceSchema};
use crate::tables::{Findings, Located, Spot, reader::nearest};

/// Reads what depends on the attributes of all rows: conditions, and the names in templates.
pub(super) fn complete(rows: &mut [Draft], schema: &ResourceSchema, findings: &Findings) {
    for draft in rows {
        for template in &draft.templates {
            names(template.value.attributes().iter().map(String::as_str), schema, &template.spot, findings);
        }
        let Some(text) = draft.only_if.take() else { continue };
        match Filter::parse(&text, schema) {
            Ok(filter) => {
                filter.paths(&mut |path| {
                    if schema.resolve(path).is_none() {
                        let message = format!("`only_if` asks for `{path}`, which no schema has");
                        findings.report(&text.spot, message, known_names(schema, &path.to_string()));
                    }
                });
                draft.row.only_if = Some(filter);
            }
            Err(fault) => {
                let help = "write a SCIM filter: only_if = 'userType eq \"Employee\"'".to_owned();
                findings.report(&text.spot, fault.detail, help);
            }
        }
    }
}

/// Every attribute that a template reads must exist, spelt as SCIM spells it.
pub(super) fn names<'n>(
    names: impl Iterator<Item = &'n str>,
    schema: &ResourceSchema,
    spot: &Spot,
    findings: &Findings,
) {
    for name in names {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let sub = parts.next();
        let enterprise = Some(ENTERPRISE_URN.to_owned());
        let candidates = match (root, sub) {
            ("resource", _) | ("enterprise", None) => continue,
            ("enterprise", Some(sub)) => vec![(enterprise, sub, parts.next())],
            (root, sub) => vec![(None, root, sub), (enterprise, root, sub)],
        };
        let found = candidates.into_iter().any(|(urn, attribute, sub)| {
            let path = AttributePath { schema: urn, attribute: attribute.to_owned(), sub: None };
            let Some((canonical, definition)) = schema.resolve(&path) else { return false };
            let sub_known = |sub: &str| definition.sub_attributes.iter().any(|it| it.name == sub);
            canonical.attribute == attribute
                && sub
                    .is_none_or(|sub| definition.multi_valued || definition.sub_attributes.is_empty() || sub_known(sub))
        });
        if !found {
            findings.report(
                spot,
                format!("the template reads `{name}`, which no schema has"),
                known_names(schema, name),
            );
        }
    }
}

fn known_names(schema: &ResourceSchema, name: &str) -> String {
    let mut known = Vec::new();
    for attribute in schema.core.attributes.iter().chain(schema.extensions.iter().flat_map(|it| &it.attributes)) {
        known.push(attribute.name.clone());
        let subs = attribute.sub_attributes.iter().filter(|_| !attribute.multi_valued);
        known.extend(subs.map(|sub| format!("{}.{}", attribute.name, sub.name)));
    }
    // A part alone, such as `givenName`, is meant for the attribute that has it.
    let of_part = known.iter().find(|full| full.split('.').nth(1).is_some_and(|part| part.eq_ignore_ascii_case(name)));
    let words: Vec<&str> = known.iter().map(String::as_str).collect();
    match of_part.map(String::as_str).or_else(|| nearest(name, &words)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "attributes are spelt like userName, name.givenName, enterprise.department".to_owned(),
    }
}

/// Turns what `reference.by` says into keys that the target table can find entries by.
pub(super) fn references(user: &mut Sketch, mut group: Option<&mut Sketch>, findings: &Findings) {
    let readable = |sketch: &Sketch| -> (ResourceSchema, Vec<AttributePath>) {
        let paths = sketch.rows.iter().filter(|draft| draft.row.reads()).filter_map(|draft| draft.row.scim.as_ref());
        (sketch.schema.clone(), paths.map(|path| path.path.clone()).collect())
    };
    let users = readable(user);
    let groups = group.as_deref().map(readable);
    let drafts = user.rows.iter_mut().chain(group.iter_mut().flat_map(|group| &mut group.rows));
    for draft in drafts {
        let Some(reference) = &mut draft.row.reference else { continue };
        let target = match reference.to {
            ResourceKind::User => Some(&users),
            ResourceKind::Group => groups.as_ref(),
        };
        let Some((schema, paths)) = target else {
            let help = "add a [group] table, or leave the row out".to_owned();
            findings.report(&draft.spot, "the row refers to groups, and there is no [group] table", help);
            continue;
        };
        reference.by = draft.by.iter().filter_map(|text| reference_key(text, schema, paths, findings)).collect();
    }
}

/// The names of groups can be told.
pub(super) fn group_names(user: &Sketch, group: Option<&Sketch>, findings: &Findings) {
    let has_members = group.is_some_and(|group| group.members.is_some() || !group.all_rows);
    let path = AttributePath::core("externalId");
    let reads = |draft: &Draft| draft.row.reads() && draft.row.scim.as_ref().is_some_and(|own| own.path == path);
    let external_id = group.is_some_and(|group| !group.all_rows || group.rows.iter().any(reads));
    group_names::check(&user.group_names, has_members, external_id, findings);
}

fn reference_key(
    text: &Located<String>,
    schema: &ResourceSchema,
    paths: &[AttributePath],
    findings: &Findings,
) -> Option<ReferenceKey> {
    if text.value == "id" {
        return Some(ReferenceKey::Id);
    }
    let kind = schema.kind.name().to_lowercase();
    let path = match AttributePath::parse(text, schema) {
        Ok(path) => path,
        Err(fault) => {
            findings.report(&text.spot, fault.detail, "write `by = [\"id\", \"userName\", \"emails\"]`".to_owned());
            return None;
        }
    };
    let same = |other: &AttributePath| {
        let part = path.sub.is_none() || path.sub == other.sub;
        other.schema == path.schema && other.attribute == path.attribute && part
    };
    if paths.iter().any(same) {
        return Some(ReferenceKey::Path(path));
    }
    let message = format!("no {kind} can be found by `{}`: no row of the [{kind}] table reads it", text.value);
    findings.report(&text.spot, message, format!("leave it out, or add a row for it to the [{kind}] table"));
    None
}

/// Checks across the keys and rows of one table.
pub(super) fn resource(sketch: &Sketch, findings: &Findings) {
    writers(sketch, findings);
    taken(sketch, findings);
    if sketch.all_rows {
        naming(sketch, findings);
        key_attribute(sketch, findings);
    }
    if let Some(delete) = sketch.delete.as_ref().filter(|it| it.value == Delete::Disable)
        && !sketch.has_disable
    {
        let help = "add `disable = ...`, or write `delete = \"delete\"`".to_owned();
        findings.report(&delete.spot, "`delete = \"disable\"` needs a way to disable", help);
    }
}

/// Only accounts of Active Directory can't be enabled without a password, and only there the bridge gives a first one.
/// What is so without the keys may stand there all the same: they are in the shipped table.
pub(super) fn initial_password(sketch: &Sketch, findings: &Findings) -> InitialPassword {
    let accounts = matches!(sketch.disable.as_ref().map(|it| &it.value), Some(Disable::AdAccountControl));
    if accounts {
        return sketch.initial_password.as_ref().map_or(InitialPassword::Random, |it| it.value);
    }
    let spots = [
        sketch
            .initial_password
            .as_ref()
            .filter(|it| it.value == InitialPassword::Missing)
            .map(|it| ("initial_password", &it.spot)),
        sketch.must_change.as_ref().filter(|it| it.value).map(|it| ("must_change", &it.spot)),
    ];
    for (key, spot) in spots.into_iter().flatten() {
        let message = format!("`{key}` is about accounts of Active Directory");
        findings.report(spot, message, "leave it out, or write `disable = \"ad-account-control\"`".to_owned());
    }
    InitialPassword::NotNeeded
}

/// Two rows that write one LDAP attribute would overwrite each other.
fn writers(sketch: &Sketch, findings: &Findings) {
    for (at, draft) in sketch.rows.iter().enumerate().filter(|(_, draft)| draft.row.writes()) {
        let earlier = sketch.rows.iter().take(at).find(|other| other.row.writes() && other.row.ldap == draft.row.ldap);
        if let Some(earlier) = earlier {
            let message =
                format!("`{}` is written by the row in line {} already", draft.row.ldap, earlier.row.place.line);
            let help = "leave one of the rows out, or add `direction = \"from-ldap\"` to one of them".to_owned();
            findings.report(&draft.ldap_spot, message, help);
        }
    }
    for (at, names) in sketch.group_names.iter().enumerate() {
        let rows =
            sketch.rows.iter().filter(|draft| draft.row.writes()).map(|draft| (&draft.row.ldap, &draft.row.place));
        let earlier = sketch.group_names.iter().take(at).map(|other| (&other.row.ldap, &other.row.place));
        if let Some((ldap, place)) = rows.chain(earlier).find(|(ldap, _)| **ldap == names.row.ldap) {
            let message = format!("`{ldap}` is written by the row in line {} already", place.line);
            findings.report(&names.ldap_spot, message, "take another attribute".to_owned());
        }
    }
}

/// Attributes that a key of the table looks after.
fn taken(sketch: &Sketch, findings: &Findings) {
    let disable = match sketch.disable.as_ref().map(|it| &it.value) {
        Some(Disable::AdAccountControl) => Some(AttributeName::literal("userAccountControl")),
        Some(Disable::Ppolicy) => Some(AttributeName::literal("pwdAccountLockedTime")),
        Some(Disable::NsAccountLock) => Some(AttributeName::literal("nsAccountLock")),
        Some(Disable::Attribute { attribute, .. }) => Some(attribute.clone()),
        Some(Disable::MoveTo(_)) | None => None,
    };
    let owners = [
        (Some(AttributeName::literal("objectClass")), "object_class"),
        (Some(sketch.id.attribute.clone()), "id"),
        (disable, "disable"),
        (sketch.members.as_ref().map(|it| it.value.attribute.clone()), "members"),
    ];
    let rows = sketch.rows.iter().filter(|draft| draft.row.writes()).map(|draft| (&draft.row.ldap, &draft.ldap_spot));
    let names = sketch.group_names.iter().map(|draft| (&draft.row.ldap, &draft.ldap_spot));
    for (ldap, spot) in rows.chain(names) {
        if let Some((_, key)) = owners.iter().find(|(attribute, _)| attribute.as_ref() == Some(ldap)) {
            let message = format!("`{ldap}` is written by the key `{key}` of the table");
            findings.report(spot, message, "leave this row out".to_owned());
        }
    }
}

/// The naming attribute must always have a value.
fn naming(sketch: &Sketch, findings: &Findings) {
    let Some(rdn) = &sketch.rdn else { return };
    if sketch.id.form == IdForm::Writable && sketch.id.attribute == rdn.value {
        return;
    }
    let name = &rdn.value;
    match sketch.rows.iter().find(|draft| draft.row.writes() && draft.row.ldap == *name) {
        None => {
            let help = format!("add a row such as {{ scim = \"{}\", ldap = \"{name}\" }}", key_of(sketch.kind));
            findings.report(&rdn.spot, format!("no row writes the naming attribute `{name}`"), help);
        }
        Some(draft) if draft.row.next.is_some() => {
            let help = "name the entry by another attribute, such as uid or cn".to_owned();
            findings.report(
                &draft.ldap_spot,
                format!("a number given by `next` can't name the entry (`{name}`)"),
                help,
            );
        }
        Some(draft) if !draft.row.never_empty() && !computed_from_required(draft, sketch) => {
            let message = format!("`{name}` names the entry, and this row may leave it without a value");
            findings.report(&draft.ldap_spot, message, "add `required = true` or a `fallback`".to_owned());
        }
        Some(_) => {}
    }
}

/// True when the value is computed from an attribute that every resource has.
fn computed_from_required(draft: &Draft, sketch: &Sketch) -> bool {
    let required = sketch.rows.iter().filter(|draft| draft.row.required).filter_map(|draft| draft.row.scim.as_ref());
    let required: Vec<String> = required.map(|path| path.path.to_string()).collect();
    draft.row.value.as_ref().is_some_and(|value| required.iter().any(|path| value.mentions(path)))
}

/// The attribute that clients look resources up by.
const fn key_of(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::User => "userName",
        ResourceKind::Group => "displayName",
    }
}

fn is_key(draft: &Draft, kind: ResourceKind) -> bool {
    draft.row.scim.as_ref().is_some_and(|path| path.path == AttributePath::core(key_of(kind)))
}

fn key_attribute(sketch: &Sketch, findings: &Findings) {
    let key = key_of(sketch.kind);
    let rows: Vec<&Draft> = sketch.rows.iter().filter(|draft| is_key(draft, sketch.kind)).collect();
    let written = rows.iter().any(|draft| draft.row.writes());
    let read = rows.iter().any(|draft| draft.row.reads());
    if written && read {
        return;
    }
    let ldap = if sketch.kind == ResourceKind::User { "uid" } else { "cn" };
    let help = format!("add {{ scim = \"{key}\", ldap = \"{ldap}\", required = true }}");
    let message = match rows.first() {
        None => format!("no row carries `{key}`, by which clients look for a {}", sketch.kind.name().to_lowercase()),
        Some(_) => format!("`{key}` must be both written and read"),
    };
    findings.report(rows.first().map_or(&sketch.spot, |draft| &draft.spot), message, help);
}

/// What proves that a name is free, unless the table says so itself.
pub(super) fn unique(sketch: &Sketch) -> Unique {
    if let Some(unique) = &sketch.unique {
        return unique.value;
    }
    let named_by_key = sketch.rows.iter().any(|draft| {
        let in_rdn = sketch.rdn.as_ref().is_some_and(|rdn| rdn.value == draft.row.ldap);
        // A computed value may differ from the name that has to be unique.
        is_key(draft, sketch.kind) && draft.row.writes() && draft.row.reads() && draft.row.value.is_none() && in_rdn
    });
    let fixed = matches!(sketch.base.as_ref().map(|it| &it.value), Some(Base::Fixed(_)));
    let moved = matches!(sketch.disable.as_ref().map(|it| &it.value), Some(Disable::MoveTo(_)))
        || matches!(sketch.delete.as_ref().map(|it| &it.value), Some(Delete::MoveTo(_)));
    if named_by_key && fixed && !moved { Unique::Naming } else { Unique::Search }
}
