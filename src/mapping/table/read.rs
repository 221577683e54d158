//! Reads the `[user]` and the `[group]` table.

use std::sync::Arc;

use super::{
    Base, Delete, Disable, GroupsOf, IdAttribute, InitialPassword, Mapping, MemberValue, Members, ResourceMapping,
    Unique, check, served,
};
use crate::directory::{AttributeName, Dn, Filter, IdForm};
use crate::mapping::group_names::{self, GroupNamesDraft};
use crate::mapping::row::{Draft, read_row};
use crate::mapping::template::dn::DnTemplate;
use crate::scim::{ResourceKind, ResourceSchema};
use crate::tables::{Findings, Located, Origin, Source, Spot, TableReader, Value, document};

/// Everything in a `[user]` or `[group]` table, each key checked for itself.
pub(super) struct Sketch {
    pub(super) kind: ResourceKind,
    pub(super) spot: Spot,
    pub(super) root: Dn,
    pub(super) base: Option<Located<Base>>,
    pub(super) object_class: Option<Located<Vec<Located<String>>>>,
    pub(super) rdn: Option<Located<AttributeName>>,
    pub(super) filter: Option<Located<Filter>>,
    pub(super) id: IdAttribute,
    pub(super) disable: Option<Located<Disable>>,
    /// There is a `disable` key, right or wrong.
    pub(super) has_disable: bool,
    pub(super) initial_password: Option<Located<InitialPassword>>,
    pub(super) must_change: Option<Located<bool>>,
    pub(super) delete: Option<Located<Delete>>,
    pub(super) members: Option<Located<Members>>,
    pub(super) groups: GroupsOf,
    pub(super) nested_groups: bool,
    pub(super) group_names: Vec<GroupNamesDraft>,
    pub(super) unique: Option<Located<Unique>>,
    pub(super) rows: Vec<Draft>,
    /// `rows` are all rows that the file has; the others are wrong and reported.
    pub(super) all_rows: bool,
    /// The standard schemas with the attributes that the rows add.
    pub(super) schema: ResourceSchema,
}

/// Reads a whole file.
pub(super) fn mapping(
    source: &Arc<Source>,
    base_dn: &Dn,
    id_default: &IdAttribute,
    findings: &Findings,
) -> Option<Mapping> {
    let table = document::parse(source, findings);
    let spot = Spot { origin: Origin::File(source.clone()), span: 0..0 };
    let root = TableReader::new(&table, "the mapping", spot, findings);
    let names = Names { base_dn, id_default };
    let user = root.table("user").map(|reader| names.sketch(ResourceKind::User, reader));
    let group = root.table("group").map(|reader| names.sketch(ResourceKind::Group, reader));
    if root.node("user").is_none() && !findings.is_broken(&root.spot().origin) {
        let help = "add a [user] table; conf/mapping has complete examples".to_owned();
        findings.report(root.spot(), "the mapping has no [user] table", help);
    }
    root.finish();
    let has_group = group.is_some();
    let mut user = user?;
    let mut group = group;
    check::references(&mut user, group.as_mut(), findings);
    check::group_names(&user, group.as_ref(), findings);
    let user = resource(user, findings);
    let group = group.map(|group| resource(group, findings));
    match (user, group) {
        (Some(user), Some(Some(group))) => Some(Mapping { user, group: Some(group) }),
        (Some(user), None) if !has_group => Some(Mapping { user, group: None }),
        _ => None,
    }
}

fn resource(sketch: Sketch, findings: &Findings) -> Option<ResourceMapping> {
    check::resource(&sketch, findings);
    let served = served::schemas(&sketch);
    let unique = check::unique(&sketch);
    let initial_password = check::initial_password(&sketch, findings);
    let class = sketch.object_class.as_ref().and_then(|it| it.value.last()).map(|it| it.value.clone());
    let default_filter = || Some(Filter::equal(&AttributeName::literal("objectClass"), &class?));
    Some(ResourceMapping {
        kind: sketch.kind,
        place: sketch.spot.place(),
        root: sketch.root,
        base: sketch.base?.value,
        object_class: sketch.object_class?.value.into_iter().map(|it| it.value).collect(),
        rdn: sketch.rdn?.value,
        filter: sketch.filter.map(|it| it.value).or_else(default_filter)?,
        id: sketch.id,
        initial_password,
        must_change: sketch.must_change.is_some_and(|it| it.value),
        disable: sketch.disable.map(|it| it.value),
        delete: sketch.delete.map_or(Delete::Delete, |it| it.value),
        members: sketch.members.map(|it| it.value),
        groups: sketch.groups,
        nested_groups: sketch.nested_groups,
        group_names: sketch.group_names.into_iter().map(|draft| draft.row).collect(),
        unique,
        rows: sketch.rows.into_iter().map(|draft| draft.row).collect(),
        schema: sketch.schema,
        served,
    })
}

/// What to write for a key that is missing.
struct Examples {
    base: &'static str,
    object_class: &'static str,
    rdn: &'static str,
    attributes: &'static str,
}

impl Examples {
    const fn of(kind: ResourceKind) -> Self {
        match kind {
            ResourceKind::User => Self {
                base: "\"ou=people,{base_dn}\"",
                object_class: "[\"top\", \"person\", \"organizationalPerson\", \"inetOrgPerson\"]",
                rdn: "\"uid\"",
                attributes: "[{ scim = \"userName\", ldap = \"uid\", required = true }]",
            },
            ResourceKind::Group => Self {
                base: "\"ou=groups,{base_dn}\"",
                object_class: "[\"top\", \"groupOfNames\"]",
                rdn: "\"cn\"",
                attributes: "[{ scim = \"displayName\", ldap = \"cn\", required = true }]",
            },
        }
    }
}

struct Names<'a> {
    base_dn: &'a Dn,
    id_default: &'a IdAttribute,
}

impl Names<'_> {
    fn sketch(&self, kind: ResourceKind, reader: TableReader<'_>) -> Sketch {
        let standard = ResourceSchema::standard(kind);
        let mut schema = standard.clone();
        let examples = Examples::of(kind);
        let mut rows = Vec::new();
        let written = reader.list_of_tables("attributes", "this row", &format!("attributes = {}", examples.attributes));
        let (named, written): (Vec<_>, Vec<_>) = written.into_iter().partition(|row| group_names::is_one(row, kind));
        let count = written.len();
        for row in written {
            let Some(mut draft) = read_row(row, &standard, self.base_dn) else { continue };
            self.fill_suffix(&mut draft, reader.findings());
            if let (Some(custom), Some(path)) = (&draft.custom, &draft.row.scim) {
                schema.add_custom(&path.path, custom.clone());
            }
            rows.push(draft);
        }
        if reader.node("attributes").is_none() {
            reader.missing("attributes", examples.attributes);
        }
        check::complete(&mut rows, &schema, reader.findings());
        let sketch = Sketch {
            kind,
            spot: reader.spot().clone(),
            root: domain_root(self.base_dn),
            base: self.base(&reader, &schema, examples.base),
            object_class: object_class(&reader, examples.object_class),
            rdn: attribute(&reader, "rdn", Some(examples.rdn)),
            filter: self.filter(&reader),
            id: self.id(&reader),
            disable: self.disable(&reader, kind),
            has_disable: reader.node("disable").is_some(),
            initial_password: reader
                .choice("initial_password", &[("random", InitialPassword::Random), ("none", InitialPassword::Missing)]),
            must_change: reader.optional("must_change"),
            delete: self.delete(&reader, kind),
            members: self.members(&reader, kind),
            groups: groups(&reader, kind),
            nested_groups: nested_groups(&reader, kind),
            group_names: named.into_iter().filter_map(group_names::read).collect(),
            unique: reader.choice("unique", &[("naming", Unique::Naming), ("search", Unique::Search)]),
            all_rows: count == rows.len()
                && matches!(reader.node("attributes").map(|it| &it.value), Some(Value::List(_))),
            rows,
            schema,
        };
        reader.finish();
        sketch
    }

    /// `{domain}` in a suffix is the DNS name that `base_dn` spells.
    fn fill_suffix(&self, draft: &mut Draft, findings: &Findings) {
        let Some(suffix) = draft.row.suffix.as_mut().filter(|suffix| suffix.contains("{domain}")) else { return };
        let domain = domain_of(self.base_dn);
        if domain.is_empty() {
            let message = format!("`{{domain}}` stands for nothing: base_dn \"{}\" has no dc parts", self.base_dn);
            findings.report(&draft.spot, message, "write the domain: suffix = \"@example.com\"".to_owned());
        }
        *suffix = suffix.replace("{domain}", &domain);
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{base_dn}", self.base_dn.as_str())
    }

    fn base(&self, reader: &TableReader<'_>, schema: &ResourceSchema, example: &str) -> Option<Located<Base>> {
        let text = reader.required::<String>("base", example)?;
        let squeezed = text.replace(' ', "");
        if squeezed.contains("{{base_dn}}") {
            let help = "write {base_dn} with single braces; double braces are for attributes of the resource";
            reader.findings().report(&text.spot, "`base_dn` is no attribute of a resource", help.to_owned());
            return None;
        }
        let parsed = DnTemplate::parse(&self.filled(&text));
        let template = parsed.map_err(|fault| {
            let spot = text.spot.inside(&text.value, fault.span);
            reader.findings().report(&spot, fault.message, format!("write `base = {example}`"));
        });
        let template = template.ok()?;
        check::names(template.attributes(), schema, &text.spot, reader.findings());
        let root = template.root().clone();
        if root.is_root() {
            let help = format!("end the name with {{base_dn}}: base = {example}");
            reader.findings().report(
                &text.spot,
                "`base` has no fixed end, so every search would start at the root",
                help,
            );
        }
        let value = if template.is_fixed() { Base::Fixed(root) } else { Base::Template { template, root } };
        Some(Located { value, spot: text.spot })
    }

    fn filter(&self, reader: &TableReader<'_>) -> Option<Located<Filter>> {
        let base_dn = Filter::escaped(self.base_dn.as_str());
        let parse = |text: &str| Filter::parse(&text.replace("{base_dn}", &base_dn));
        reader.parsed("filter", parse, "write `filter = \"(objectClass=inetOrgPerson)\"`")
    }

    fn id(&self, reader: &TableReader<'_>) -> IdAttribute {
        let Some(id) = attribute(reader, "id", None) else { return self.id_default.clone() };
        let form = match id.value.as_str().to_ascii_lowercase().as_str() {
            "entryuuid" => IdForm::EntryUuid,
            "objectguid" => IdForm::ObjectGuid,
            "nsuniqueid" => IdForm::NsUniqueId,
            _ => IdForm::Writable,
        };
        IdAttribute { attribute: id.value, form }
    }

    fn dn(&self, reader: &TableReader<'_>, key: &'static str) -> Option<Located<Dn>> {
        reader.parsed(key, |text| Dn::parse(&self.filled(text)), "write a DN: \"ou=disabled,{base_dn}\"")
    }

    fn disable(&self, reader: &TableReader<'_>, kind: ResourceKind) -> Option<Located<Disable>> {
        let node = reader.node("disable")?;
        if kind == ResourceKind::Group {
            reader.findings().report(&node.spot, "only users can be disabled", "leave `disable` out".to_owned());
            return None;
        }
        if let Value::Table(_) = node.value {
            let inner = reader.table("disable")?;
            let value = self.disable_by_attribute(&inner);
            inner.finish();
            return Some(Located { value: value?, spot: node.spot.clone() });
        }
        let words = [
            ("ad-account-control", Disable::AdAccountControl),
            ("ppolicy", Disable::Ppolicy),
            ("ns-account-lock", Disable::NsAccountLock),
        ];
        let or = ", { attribute = \"...\", enabled = \"...\", disabled = \"...\" } or { move_to = \"ou=...\" }";
        reader.choice_or("disable", &words, or)
    }

    fn disable_by_attribute(&self, inner: &TableReader<'_>) -> Option<Disable> {
        if let Some(dn) = self.dn(inner, "move_to") {
            return Some(Disable::MoveTo(dn.value));
        }
        let enabled = inner.optional::<String>("enabled");
        if inner.node("move_to").is_some() {
            return None;
        }
        let attribute = attribute(inner, "attribute", Some("\"employeeType\""));
        let disabled = inner.required::<String>("disabled", "\"inactive\"");
        Some(Disable::Attribute {
            attribute: attribute?.value,
            enabled: enabled.map(|it| it.value),
            disabled: disabled?.value,
        })
    }

    fn members(&self, reader: &TableReader<'_>, kind: ResourceKind) -> Option<Located<Members>> {
        let node = reader.node("members")?;
        let place = node.spot.place();
        let plain = |attribute: AttributeName| Members {
            holds: usual_value(&attribute),
            attribute,
            placeholder: String::new(),
            within: Vec::new(),
            place,
        };
        if !matches!(node.value, Value::Table(_)) || kind == ResourceKind::User {
            let found = members_attribute(reader, kind)?;
            return Some(Located { value: plain(found.value), spot: found.spot });
        }
        let inner = reader.table("members")?;
        let found = attribute(&inner, "attribute", Some("\"member\""));
        let value = attribute(&inner, "value", None);
        let placeholder = self.dn(&inner, "placeholder");
        inner.finish();
        let mut members = plain(found?.value);
        match value.map(|it| it.value) {
            Some(name) if name == AttributeName::literal("dn") => members.holds = MemberValue::Dn,
            Some(name) => members.holds = MemberValue::Name(name),
            None => {}
        }
        members.placeholder = placeholder.map(|it| it.value.as_str().to_owned()).unwrap_or_default();
        Some(Located { value: members, spot: node.spot.clone() })
    }

    fn delete(&self, reader: &TableReader<'_>, kind: ResourceKind) -> Option<Located<Delete>> {
        let node = reader.node("delete")?;
        if let Value::Table(_) = node.value {
            let inner = reader.table("delete")?;
            let dn = self.dn(&inner, "move_to");
            if inner.node("move_to").is_none() {
                inner.missing("move_to", "\"ou=deleted,{base_dn}\"");
            }
            inner.finish();
            return Some(Located { value: Delete::MoveTo(dn?.value), spot: node.spot.clone() });
        }
        let words = [("delete", Delete::Delete), ("disable", Delete::Disable)];
        let delete = reader.choice_or("delete", &words, " or { move_to = \"ou=...\" }")?;
        if kind == ResourceKind::Group && delete.value == Delete::Disable {
            let help = "write `delete = \"delete\"` or `delete = { move_to = \"ou=deleted,{base_dn}\" }`".to_owned();
            reader.findings().report(&delete.spot, "only users can be disabled", help);
            return None;
        }
        Some(delete)
    }
}

/// The part of `base_dn` that names a domain, where there is one: names are unique in a domain, not below some unit.
fn domain_root(base_dn: &Dn) -> Dn {
    let dc = AttributeName::literal("dc");
    let mut names = std::iter::successors(Some(base_dn.clone()), Dn::parent);
    let domain = names.find(|dn| dn.rdn().is_some_and(|rdn| rdn.value_of(&dc).is_some()));
    domain.unwrap_or_else(|| base_dn.clone())
}

/// `example.com` for `dc=example,dc=com`.
fn domain_of(base_dn: &Dn) -> String {
    let dc = AttributeName::literal("dc");
    let names = std::iter::successors(Some(base_dn.clone()), Dn::parent);
    let parts = names.filter_map(|dn| dn.rdn()?.value_of(&dc).map(ToOwned::to_owned));
    parts.collect::<Vec<_>>().join(".")
}

fn attribute(reader: &TableReader<'_>, key: &'static str, example: Option<&str>) -> Option<Located<AttributeName>> {
    if let Some(example) = example.filter(|_| reader.node(key).is_none()) {
        reader.missing(key, example);
    }
    reader.parsed(key, AttributeName::parse, "an LDAP attribute name is made of letters, digits and hyphens")
}

fn object_class(reader: &TableReader<'_>, example: &str) -> Option<Located<Vec<Located<String>>>> {
    let classes = reader.required::<Vec<Located<String>>>("object_class", example)?;
    if classes.value.is_empty() {
        reader.findings().report(&classes.spot, "an entry needs an object class", format!("write {example}"));
    }
    for class in classes.value.iter().filter(|class| AttributeName::parse(class).is_err()) {
        let message = format!("\"{}\" is no name of an object class", class.value);
        reader.findings().report(&class.spot, message, "write one name in each pair of quotes".to_owned());
    }
    Some(classes)
}

fn members_attribute(reader: &TableReader<'_>, kind: ResourceKind) -> Option<Located<AttributeName>> {
    let members = attribute(reader, "members", None)?;
    if kind == ResourceKind::User {
        let help = "move it to the [group] table".to_owned();
        reader.findings().report(&members.spot, "users have no members", help);
        return None;
    }
    Some(members)
}

fn groups(reader: &TableReader<'_>, kind: ResourceKind) -> GroupsOf {
    if kind == ResourceKind::Group {
        return GroupsOf::None;
    }
    let words = [
        ("memberOf", GroupsOf::Attribute(AttributeName::literal("memberOf"))),
        ("search", GroupsOf::Search),
        ("none", GroupsOf::None),
    ];
    reader.choice("groups", &words).map_or_else(|| words[0].1.clone(), |it| it.value)
}

fn nested_groups(reader: &TableReader<'_>, kind: ResourceKind) -> bool {
    let Some(nested) = reader.optional::<bool>("nested_groups") else { return false };
    if kind == ResourceKind::Group {
        let help = "move it to the [user] table".to_owned();
        reader.findings().report(&nested.spot, "`nested_groups` is about the groups of users", help);
    }
    nested.value
}

/// Of `memberUid` everybody knows what it holds.
fn usual_value(attribute: &AttributeName) -> MemberValue {
    if *attribute == AttributeName::literal("memberUid") {
        MemberValue::Name(AttributeName::literal("uid"))
    } else {
        MemberValue::Dn
    }
}
