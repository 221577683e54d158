//! Whether the keys of a row fit together.

use serde_json::Value;

use super::read::{Written, each, typed};
use super::{Direction, RowPath};
use crate::mapping::codec::Codec;
use crate::mapping::lookup::Lookup;
use crate::scim::AttributeType;
use crate::tables::{Findings, Located, Spot};

const STORABLE: &str = "write a value of the type that `as` names";

fn at<'w, T>(key: &'static str, value: Option<&'w Located<T>>) -> Option<(&'static str, &'w Spot)> {
    value.map(|value| (key, &value.spot))
}

/// A row needs something to write or something to read into; `None` when it has neither.
pub(super) fn shape(written: &Written, findings: &Findings) -> Option<()> {
    if !written.has_content {
        let help = "add `scim = \"...\"` for an attribute of the resource, or `value = \"...\"` for a computed value";
        findings.report(&written.spot, "the row has neither `scim` nor `value`", help.to_owned());
        return None;
    }
    let computed = written.value.is_some() || written.next.is_some() || written.generate.is_some();
    if written.scim.is_none() && !computed {
        return None;
    }
    if written.scim.is_none() {
        computed_only(written, findings);
    }
    if written.direction.as_ref().is_some_and(|it| it.value == Direction::FromLdap) {
        read_only(written, findings);
    }
    Some(())
}

fn computed_only(written: &Written, findings: &Findings) {
    if let Some(direction) = written.direction.as_ref().filter(|it| it.value != Direction::ToLdap) {
        let help = "add `scim = \"...\"` for the attribute it is read into, or leave `direction` out";
        findings.report(&direction.spot, "a row without `scim` can't read", help.to_owned());
    }
    let spots = [
        at("required", written.required.as_ref()),
        at("default", written.default.as_ref()),
        at("one_of", written.one_of.as_ref()),
        at("only_if", written.only_if.as_ref()),
        at("lookup", written.lookup.as_ref()),
        at("reference", written.reference.as_ref()),
    ];
    each(findings, spots, "is about what the client sends, and the row has no `scim`", "leave it out, or add `scim`");
}

fn read_only(written: &Written, findings: &Findings) {
    let spots = [
        written.required.as_ref().filter(|it| it.value).map(|it| ("required", &it.spot)),
        at("value", written.value.as_ref()),
        at("fallback", written.fallback.as_ref()),
        at("default", written.default.as_ref()),
        at("when", written.when.as_ref()),
        at("only_if", written.only_if.as_ref()).or_else(|| at("next", written.next.as_ref())),
    ];
    each(findings, spots, "is about writing, and the row only reads", "leave it out, or leave `direction` out");
}

/// `multi` belongs to lists, and a list without `multi` needs to know which element is meant.
pub(super) fn list(written: &Written, path: Option<&RowPath>, multi_valued: bool, findings: &Findings) {
    let (Some(path), Some(scim)) = (path, &written.scim) else { return };
    if written.is_multi() && !multi_valued {
        let spot = written.multi.as_ref().map_or(&written.spot, |multi| &multi.spot);
        let message = format!("`multi` is for attributes with many values, and `{}` has one", path.path);
        findings.report(spot, message, "leave `multi` out".to_owned());
    }
    if !written.is_multi() && path.multi_valued && path.selectors.is_empty() {
        let name = &path.path.attribute;
        let sub = path.path.sub.as_ref().map(|sub| format!(".{sub}")).unwrap_or_default();
        findings.report(
            &scim.spot,
            format!("`{name}` has many values, and the row doesn't say which one is meant"),
            format!("write `{name}[type eq \"work\" or primary eq true]{sub}`, or add `multi = true` for all of them"),
        );
    }
}

/// The codec of the row, checked against the type of the attribute.
pub(super) fn codec(
    written: &Written,
    path: Option<&RowPath>,
    kind: Option<AttributeType>,
    findings: &Findings,
) -> Codec {
    if written.next.is_some() {
        return super::next::codec(written, kind, findings);
    }
    let is_password = path.is_some_and(|path| path.path.schema.is_none() && path.path.attribute == "password");
    let suited = if is_password { Codec::Password } else { kind.map_or(Codec::Text, Codec::for_type) };
    let Some(given) = &written.codec else {
        password_only_goes_in(written, suited, findings);
        return suited;
    };
    let fits = match kind {
        _ if is_password != (given.value == Codec::Password) => false,
        Some(AttributeType::String | AttributeType::Reference) => !matches!(
            given.value.attribute_type(),
            AttributeType::Boolean | AttributeType::Integer | AttributeType::Decimal
        ),
        Some(AttributeType::DateTime) => {
            given.value == Codec::Text || given.value.attribute_type() == AttributeType::DateTime
        }
        Some(kind) => given.value.attribute_type() == kind,
        None => true,
    };
    if !fits {
        let name = path.map_or_else(|| "the value".to_owned(), |path| format!("`{}`", path.path));
        let message = format!("`as = \"{}\"` doesn't fit {name}", given.value.name());
        findings.report(&given.spot, message, format!("write `as = \"{}\"`, or leave it out", suited.name()));
    }
    let text_only = [at("case", written.case.as_ref()), at("max_length", written.max_length.as_ref())];
    if given.value != Codec::Text {
        let [case, max_length] = text_only;
        let message = "is for texts, and `as` says that this is none";
        each(findings, [case, max_length, None, None, None, None], message, "leave it out");
    }
    password_only_goes_in(written, given.value, findings);
    check_default(written, given.value, findings);
    given.value
}

fn password_only_goes_in(written: &Written, codec: Codec, findings: &Findings) {
    if codec != Codec::Password {
        return check_default(written, codec, findings);
    }
    if let Some(direction) = written.direction.as_ref().filter(|it| it.value != Direction::ToLdap) {
        let help = "leave `direction` out, or write `direction = \"to-ldap\"`";
        findings.report(&direction.spot, "a password is never read back", help.to_owned());
    }
}

/// The default must be storable.
fn check_default(written: &Written, codec: Codec, findings: &Findings) {
    let Some(default) = &written.default else { return };
    let items = match &default.value {
        Value::Array(items) if written.is_multi() => items.iter().collect(),
        Value::Array(_) => {
            findings.report(
                &default.spot,
                "`default` is a list, and the row has one value",
                Some("write one value".to_owned()),
            );
            return;
        }
        single => vec![single],
    };
    if let Some(reason) = items.into_iter().find_map(|item| codec.encode(item).err()) {
        findings.report(&default.spot, format!("`default` can't be stored: {reason}"), STORABLE.to_owned());
    }
}

/// The allowed values are texts, and the default is one of them.
pub(super) fn one_of(written: &Written, kind: Option<AttributeType>, codec: Codec, findings: &Findings) {
    let Some(one_of) = &written.one_of else { return };
    if one_of.value.is_empty() {
        findings.report(
            &one_of.spot,
            "`one_of` allows nothing",
            Some("name the values allowed, or leave it out".to_owned()),
        );
    }
    let text = matches!(kind, None | Some(AttributeType::String | AttributeType::Reference));
    if !text || codec != Codec::Text {
        let help = "leave it out; true, false, numbers and dates are checked by their type".to_owned();
        findings.report(&one_of.spot, "`one_of` is for texts", help);
    }
    let words: Vec<String> = one_of.value.iter().map(|it| format!("\"{}\"", it.value)).collect();
    let allowed = |text: &str| one_of.value.iter().any(|it| it.value == text);
    if let Some(default) = written.default.as_ref()
        && default.value.as_str().is_some_and(|text| !allowed(text))
    {
        let message = format!("`default` is {}, which `one_of` doesn't allow", default.value);
        findings.report(&default.spot, message, format!("write one of {}, or add it there", words.join(", ")));
    }
}

/// A lookup table can be read in both directions.
pub(super) fn lookup(
    written: &Written,
    kind: Option<AttributeType>,
    codec: Codec,
    findings: &Findings,
) -> Option<Lookup> {
    let lookup = written.lookup.as_ref()?;
    if matches!(codec, Codec::Binary | Codec::Password | Codec::GeneralizedTime | Codec::FileTime) {
        let message = format!("`lookup` and `as = \"{}\"` exclude each other", codec.name());
        findings.report(&lookup.spot, message, "leave one of them out".to_owned());
    }
    let mut pairs: Vec<(Value, String)> = Vec::new();
    for (key, ldap) in &lookup.value {
        let Some(scim) = typed(&key.name, kind) else {
            let message = format!("\"{}\" is no value that this attribute can have", key.name);
            findings.report(&key.spot, message, "write a value of the SCIM attribute in front of the `=`".to_owned());
            continue;
        };
        let twin = pairs.iter().find(|(_, known)| known.eq_ignore_ascii_case(&ldap.value)).map(|(scim, _)| scim);
        let read_back = written.direction.as_ref().is_none_or(|it| it.value != Direction::ToLdap);
        if let Some(twin) = twin.filter(|_| read_back) {
            let message = format!("\"{}\" stands for both {twin} and {scim}, so it can't be read back", ldap.value);
            let help = "give each its own LDAP value, or add `direction = \"to-ldap\"`".to_owned();
            findings.report(&ldap.spot, message, help);
        }
        pairs.push((scim, ldap.value.clone()));
    }
    let allowed = written.one_of.iter().flat_map(|it| &it.value);
    for word in allowed.filter(|word| !pairs.iter().any(|(scim, _)| scim.as_str() == Some(word.value.as_str()))) {
        let message = format!("\"{}\" is allowed by `one_of` but missing from `lookup`", word.value);
        findings.report(&word.spot, message, format!("add \"{}\" = \"...\" to `lookup`", word.value));
    }
    Some(Lookup::new(pairs))
}

/// A value that is made up is a text, and needs nothing else to come about. What is put behind a value is a text too.
pub(super) fn generate(written: &Written, codec: Codec, findings: &Findings) {
    if written.generate.is_some() {
        let spots = [
            at("value", written.value.as_ref()),
            at("fallback", written.fallback.as_ref()),
            at("default", written.default.as_ref()),
            at("when", written.when.as_ref()),
            at("lookup", written.lookup.as_ref()),
            at("reference", written.reference.as_ref()),
        ];
        each(findings, spots, "can't be combined with `generate`", "leave it out: the value is made up once");
        let multi = written.is_multi().then_some(written.multi.as_ref()).flatten();
        let spots = [at("multi", multi), at("suffix", written.suffix.as_ref()), None, None, None, None];
        each(findings, spots, "can't be combined with `generate`", "leave it out: one value is made up");
    }
    let Some(suffix) = &written.suffix else { return };
    if !suffix.value.starts_with(|first: char| first.is_ascii_punctuation()) {
        let help = "write it like suffix = \"@example.com\": values that have its first character stay as they are";
        findings.report(&suffix.spot, "`suffix` must begin with a sign", help.to_owned());
    }
    if codec != Codec::Text {
        findings.report(&suffix.spot, "`suffix` is for texts", "leave it out".to_owned());
    }
    let spots =
        [at("reference", written.reference.as_ref()), at("lookup", written.lookup.as_ref()), None, None, None, None];
    each(findings, spots, "can't be combined with `suffix`", "leave one of them out");
}

/// A reference stores a DN and nothing else.
pub(super) fn reference(written: &Written, findings: &Findings) {
    if written.reference.is_none() {
        return;
    }
    let spots = [
        at("value", written.value.as_ref()),
        at("fallback", written.fallback.as_ref()),
        at("lookup", written.lookup.as_ref()),
        at("case", written.case.as_ref()),
        at("max_length", written.max_length.as_ref()),
        at("as", written.codec.as_ref()),
    ];
    each(findings, spots, "can't be combined with `reference`", "leave it out: the directory stores a DN here");
}
