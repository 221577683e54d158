//! Reads one row from its table.

use serde_json::Value;

use super::{Case, Direction, NumberRange, Reference, Row, RowPath, When, checks, next, path};
use crate::directory::{AttributeName, Dn};
use crate::mapping::codec::Codec;
use crate::mapping::generate::Generate;
use crate::mapping::lookup::Lookup;
use crate::mapping::template::Template;
use crate::scim::{Attribute, AttributeType, Mutability, ResourceKind, ResourceSchema, Returned};
use crate::tables::{Findings, Key, Located, Node, Spot, TableReader, Value as TomlValue};

/// A lookup table as written: SCIM values and LDAP values.
pub(super) type Pairs = Vec<(Key, Located<String>)>;

/// What was written in a row, key by key, each checked for itself.
pub(super) struct Written {
    pub(super) spot: Spot,
    /// There is a `scim`, a `value` or a `next` key, right or wrong.
    pub(super) has_content: bool,
    pub(super) scim: Option<Located<String>>,
    pub(super) ldap: Option<Located<AttributeName>>,
    pub(super) value: Option<Located<Template>>,
    pub(super) fallback: Option<Located<Template>>,
    pub(super) default: Option<Located<Value>>,
    pub(super) required: Option<Located<bool>>,
    pub(super) direction: Option<Located<Direction>>,
    pub(super) when: Option<Located<When>>,
    pub(super) one_of: Option<Located<Vec<Located<String>>>>,
    pub(super) only_if: Option<Located<String>>,
    pub(super) lookup: Option<Located<Pairs>>,
    pub(super) case: Option<Located<Case>>,
    pub(super) max_length: Option<Located<u64>>,
    pub(super) multi: Option<Located<bool>>,
    pub(super) codec: Option<Located<Codec>>,
    pub(super) reference: Option<Located<(ResourceKind, Vec<Located<String>>)>>,
    pub(super) generate: Option<Located<Generate>>,
    pub(super) suffix: Option<Located<String>>,
    pub(super) next: Option<Located<NumberRange>>,
}

/// A row that is read, and what can only be finished when all rows are.
pub(in crate::mapping) struct Draft {
    /// The row, without `only_if` and the keys of `reference`.
    pub(in crate::mapping) row: Row,
    /// Where it stands.
    pub(in crate::mapping) spot: Spot,
    /// Where its `ldap` key stands.
    pub(in crate::mapping) ldap_spot: Spot,
    /// The text of `only_if`.
    pub(in crate::mapping) only_if: Option<Located<String>>,
    /// What `reference.by` says.
    pub(in crate::mapping) by: Vec<Located<String>>,
    /// The templates and where they stand.
    pub(in crate::mapping) templates: Vec<Located<Template>>,
    /// The definition of an attribute that no standard schema has.
    pub(in crate::mapping) custom: Option<Attribute>,
}

/// Reads a row; `None` when it is so wrong that nothing can be made of it.
pub(in crate::mapping) fn read_row(reader: TableReader<'_>, schema: &ResourceSchema, base_dn: &Dn) -> Option<Draft> {
    let findings = reader.findings();
    let written = Written::read(reader, base_dn);
    let target = match &written.scim {
        Some(scim) => Some(path::parse(scim, schema, findings)?),
        None => None,
    };
    checks::shape(&written, findings)?;
    let custom = target.as_ref().filter(|target| target.attribute.is_none()).map(|_| written.custom_attribute());
    let kind = target.as_ref().and_then(|target| target.attribute.as_ref()).or(custom.as_ref()).map(|it| it.kind);
    let multi_valued = target.as_ref().is_some_and(|target| target.path.multi_valued);
    let mut scim = target.map(|target| target.path);
    checks::list(&written, scim.as_ref(), multi_valued || custom.is_some(), findings);
    if let Some(path) = scim.as_mut().filter(|_| custom.is_some()) {
        path.multi_valued = written.is_multi();
    }
    let codec = checks::codec(&written, scim.as_ref(), kind, findings);
    checks::one_of(&written, kind, codec, findings);
    let lookup = checks::lookup(&written, kind, codec, findings);
    checks::reference(&written, findings);
    checks::generate(&written, codec, findings);
    next::check(&written, findings);
    let ldap_spot = written.ldap.as_ref()?.spot.clone();
    Some(Draft {
        row: written.row(scim, codec, lookup)?,
        ldap_spot,
        templates: written.templates(),
        by: written.reference.map(|it| it.value.1).unwrap_or_default(),
        spot: written.spot,
        only_if: written.only_if,
        custom,
    })
}

impl Written {
    fn read(reader: TableReader<'_>, base_dn: &Dn) -> Self {
        let name = "an LDAP attribute name is made of letters, digits and hyphens: ldap = \"mail\"";
        let ldap = reader.parsed("ldap", AttributeName::parse, name);
        if ldap.is_none() && reader.node("ldap").is_none() {
            reader.missing("ldap", "\"mail\"");
        }
        let written = Self {
            spot: reader.spot().clone(),
            has_content: ["scim", "value", "next", "generate"].iter().any(|key| reader.node(key).is_some()),
            scim: reader.optional("scim"),
            ldap,
            required: reader.optional("required"),
            value: template(&reader, "value"),
            fallback: template(&reader, "fallback"),
            default: default(&reader),
            direction: reader.choice(
                "direction",
                &[("both", Direction::Both), ("to-ldap", Direction::ToLdap), ("from-ldap", Direction::FromLdap)],
            ),
            when: reader.choice(
                "when",
                &[("always", When::Always), ("create-only", When::CreateOnly), ("if-empty", When::IfEmpty)],
            ),
            one_of: reader.optional("one_of"),
            only_if: reader.optional("only_if"),
            lookup: lookup(&reader),
            case: reader.choice("case", &[("lower", Case::Lower), ("upper", Case::Upper)]),
            max_length: reader.number("max_length", 1..=1_000_000),
            multi: reader.optional("multi"),
            codec: reader.choice("as", &Codec::NAMES),
            reference: reference(&reader),
            generate: generate(&reader),
            suffix: reader.optional("suffix"),
            next: next::read(&reader, base_dn),
        };
        reader.finish();
        written
    }

    /// The row, once its keys are checked; conditions and references come later.
    fn row(&self, scim: Option<RowPath>, codec: Codec, lookup: Option<Lookup>) -> Option<Row> {
        Some(Row {
            place: self.spot.place(),
            direction: self.direction(codec),
            scim,
            ldap: self.ldap.as_ref()?.value.clone(),
            value: self.value.as_ref().map(|it| it.value.clone()),
            fallback: self.fallback.as_ref().map(|it| it.value.clone()),
            default: self.default.as_ref().map(|it| it.value.clone()),
            required: self.required.as_ref().is_some_and(|it| it.value),
            when: self.when(),
            one_of: self.one_of.iter().flat_map(|it| &it.value).map(|it| it.value.clone()).collect(),
            only_if: None,
            lookup,
            case: self.case.as_ref().map(|it| it.value),
            max_length: self.max_length.as_ref().and_then(|it| usize::try_from(it.value).ok()),
            multi: self.is_multi(),
            codec,
            reference: self.reference.as_ref().map(|it| Reference { to: it.value.0, by: Vec::new() }),
            generate: self.generate.as_ref().map(|it| it.value.clone()),
            suffix: self.suffix.as_ref().map(|it| it.value.clone()),
            next: self.next.as_ref().map(|it| it.value.clone()),
        })
    }

    /// When the row writes. A value that was made up once is never made up again.
    fn when(&self) -> When {
        if self.generate.is_some() {
            return When::CreateOnly;
        }
        self.when.as_ref().map(|it| it.value).unwrap_or_default()
    }

    fn templates(&self) -> Vec<Located<Template>> {
        let from = self.generate.as_ref().map(|it| Located { value: it.value.from.clone(), spot: it.spot.clone() });
        self.value.iter().chain(&self.fallback).cloned().chain(from).collect()
    }

    pub(super) fn is_multi(&self) -> bool {
        self.multi.as_ref().is_some_and(|it| it.value)
    }

    /// The direction, which a computed value without a SCIM attribute and a password only have one of.
    fn direction(&self, codec: Codec) -> Direction {
        let one_way = self.scim.is_none() || codec == Codec::Password;
        let given = self.direction.as_ref().map(|it| it.value);
        given.unwrap_or(if one_way { Direction::ToLdap } else { Direction::Both })
    }

    fn custom_attribute(&self) -> Attribute {
        let codec = if self.next.is_some() { Some(Codec::Integer) } else { self.codec.as_ref().map(|it| it.value) };
        let codec = codec.unwrap_or_default();
        let (mutability, returned) = match self.direction(codec) {
            // Clients may choose a number for something new.
            Direction::Both if self.next.is_some() => (Mutability::Immutable, Returned::Default),
            Direction::Both => (Mutability::ReadWrite, Returned::Default),
            Direction::FromLdap => (Mutability::ReadOnly, Returned::Default),
            Direction::ToLdap => (Mutability::WriteOnly, Returned::Never),
        };
        Attribute {
            multi_valued: self.is_multi(),
            description: "An attribute of this organisation's own".to_owned(),
            required: self.required.as_ref().is_some_and(|it| it.value),
            canonical_values: self.one_of.iter().flat_map(|it| &it.value).map(|it| it.value.clone()).collect(),
            mutability,
            returned,
            ..Attribute::new("", codec.attribute_type())
        }
    }
}

fn template(reader: &TableReader<'_>, key: &'static str) -> Option<Located<Template>> {
    let text = reader.optional::<String>(key)?;
    match Template::parse(&text) {
        Ok(value) => Some(Located { value, spot: text.spot }),
        Err(fault) => {
            let spot = text.spot.inside(&text.value, fault.span);
            let help = "a template looks like {{ name.givenName }} or {{ userName | lower }}; filters: lower, upper, \
                        trim, replace, default, ascii, slug, without, split, first, join";
            reader.findings().report(&spot, fault.message, help.to_owned());
            None
        }
    }
}

/// `{ from = "{{ userName }}", forbidden = "@", max_length = 20, number = true }`
fn generate(reader: &TableReader<'_>) -> Option<Located<Generate>> {
    let inner = reader.table("generate")?;
    if inner.node("from").is_none() {
        inner.missing("from", "\"{{ userName }}\"");
    }
    let from = template(&inner, "from");
    let forbidden = inner.optional::<String>("forbidden").map(|it| it.value).unwrap_or_default();
    let max_length = inner.number("max_length", 1..=1_000_000).and_then(|it| usize::try_from(it.value).ok());
    let number = inner.optional::<bool>("number").is_none_or(|it| it.value);
    let spot = inner.spot().clone();
    inner.finish();
    let value = Generate { from: from?.value, forbidden, max_length: max_length.unwrap_or(usize::MAX), number };
    Some(Located { value, spot })
}

fn default(reader: &TableReader<'_>) -> Option<Located<Value>> {
    let node = reader.node("default")?;
    let value = scalar(node).or_else(|| match &node.value {
        TomlValue::List(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>().map(Value::Array),
        _ => None,
    });
    if value.is_none() {
        let message =
            format!("`default` must be a text, a number, true, false or a list, and is {}", node.value.describe());
        reader.findings().report(&node.spot, message, "write `default = \"...\"`".to_owned());
    }
    Some(Located { value: value?, spot: node.spot.clone() })
}

fn scalar(node: &Node) -> Option<Value> {
    match &node.value {
        TomlValue::Text(text) | TomlValue::Moment(text) => Some(Value::from(text.as_str())),
        TomlValue::Integer(number) => number.map(Value::from),
        TomlValue::Decimal(number) => serde_json::Number::from_f64(*number).map(Value::Number),
        TomlValue::Boolean(flag) => Some(Value::Bool(*flag)),
        TomlValue::List(_) | TomlValue::Table(_) => None,
    }
}

fn lookup(reader: &TableReader<'_>) -> Option<Located<Pairs>> {
    let node = reader.node("lookup")?;
    let example = "write lookup = { \"SCIM value\" = \"LDAP value\", \"another\" = \"X\" }".to_owned();
    let TomlValue::Table(table) = &node.value else {
        let message = format!("`lookup` must be a table, and is {}", node.value.describe());
        reader.findings().report(&node.spot, message, example);
        return None;
    };
    let mut pairs = Vec::new();
    for (key, node) in table.iter() {
        if let TomlValue::Text(text) = &node.value {
            pairs.push((key.clone(), Located { value: text.clone(), spot: node.spot.clone() }));
        } else {
            let message = format!("an LDAP value must be a text in quotes, and this is {}", node.value.describe());
            reader.findings().report(&node.spot, message, example.clone());
        }
    }
    Some(Located { value: pairs, spot: node.spot.clone() })
}

fn reference(reader: &TableReader<'_>) -> Option<Located<(ResourceKind, Vec<Located<String>>)>> {
    let inner = reader.table("reference")?;
    let kinds = [("user", ResourceKind::User), ("group", ResourceKind::Group)];
    let to = inner.choice("to", &kinds);
    if inner.node("to").is_none() {
        inner.missing("to", "\"user\"");
    }
    let by = inner.optional::<Vec<Located<String>>>("by");
    let spot = inner.spot().clone();
    inner.finish();
    let by = by.map_or_else(|| vec![Located { value: "id".to_owned(), spot: spot.clone() }], |by| by.value);
    Some(Located { value: (to?.value, by), spot })
}

/// The JSON value that a key of a lookup table stands for.
pub(super) fn typed(text: &str, kind: Option<AttributeType>) -> Option<Value> {
    match kind {
        Some(AttributeType::Boolean) => text.parse::<bool>().ok().map(Value::Bool),
        Some(AttributeType::Integer) => text.parse::<i64>().ok().map(Value::from),
        Some(AttributeType::Decimal) => text.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        _ => Some(Value::from(text)),
    }
}

/// Notes `message` at each of `spots` that is there.
pub(super) fn each(findings: &Findings, spots: [Option<(&'static str, &Spot)>; 6], message: &str, help: &str) {
    for (key, spot) in spots.into_iter().flatten() {
        findings.report(spot, format!("`{key}` {message}"), help.to_owned());
    }
}
