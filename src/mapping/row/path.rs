//! The `scim` key of a row.

use super::RowPath;
use crate::scim::{Attribute, AttributePath, AttributeType, Filter, Literal, PatchPath, ResourceSchema};
use crate::tables::{Findings, Located, reader::nearest};

/// What a row's path names.
pub(super) struct Target {
    pub(super) path: RowPath,
    /// The definition of the attribute that holds the value; `None`: no schema has it, the row brings it along.
    pub(super) attribute: Option<Attribute>,
}

/// Reads a path and reports what is wrong with it.
pub(super) fn parse(text: &Located<String>, schema: &ResourceSchema, findings: &Findings) -> Option<Target> {
    match target(text, schema) {
        Ok(target) => Some(target),
        Err((message, help)) => {
            findings.report(&text.spot, message, help);
            None
        }
    }
}

type Complaint = (String, String);

fn target(text: &str, schema: &ResourceSchema) -> Result<Target, Complaint> {
    let example = "write userName, name.givenName, emails[type eq \"work\"].value or URN:attribute";
    let (path, filter) = match PatchPath::parse(text, schema) {
        Ok(PatchPath::Attribute { path, filter }) => (path, filter),
        Ok(PatchPath::Extension(urn)) => {
            return Err((format!("{urn} names a whole schema"), format!("add `:` and an attribute: {urn}:attribute")));
        }
        Err(fault) => return Err((fault.detail, example.to_owned())),
    };
    reserved(&path)?;
    let top = AttributePath { sub: None, ..path.clone() };
    let Some((_, attribute)) = schema.resolve(&top) else {
        return custom(path, filter.as_ref(), schema);
    };
    let (multi_valued, selectors) = (attribute.multi_valued, selectors(&path, attribute, filter.as_ref())?);
    let sub = sub_attribute(&path, attribute)?;
    let path = AttributePath { sub: sub.map(|sub| sub.name.clone()), ..path };
    let row_path = RowPath { path, selectors, multi_valued };
    Ok(Target { path: row_path, attribute: Some(sub.unwrap_or(attribute).clone()) })
}

/// Attributes that the bridge itself looks after.
fn reserved(path: &AttributePath) -> Result<(), Complaint> {
    let advice = match path.attribute.as_str() {
        _ if path.schema.is_some() => return Ok(()),
        "id" => "the key `id` of the table says which LDAP attribute it is",
        "active" => "the key `disable` of the table says how an entry is disabled",
        "members" => "the key `members` of the [group] table says which LDAP attribute holds them",
        "groups" => "the bridge finds the groups of a user itself; in [user], scim = \"groups\" writes their names",
        "meta" | "schemas" => "the bridge fills it in itself",
        _ => return Ok(()),
    };
    Err((format!("`{}` can't be in a row", path.attribute), format!("leave the row out: {advice}")))
}

/// The sub-attribute that holds the value; `None` when the attribute itself does.
fn sub_attribute<'s>(path: &AttributePath, attribute: &'s Attribute) -> Result<Option<&'s Attribute>, Complaint> {
    let names: Vec<&str> = attribute.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
    let name = &attribute.name;
    match &path.sub {
        Some(_) if names.is_empty() => {
            Err((format!("`{name}` has no parts"), format!("write `{name}` without what follows the dot")))
        }
        Some(sub) => attribute.sub_attribute(sub).map(Some).ok_or_else(|| {
            let help = match nearest(sub, &names) {
                Some(near) => format!("did you mean `{name}.{near}`?"),
                None => format!("its parts are {}", names.join(", ")),
            };
            (format!("`{name}` has no part `{sub}`"), help)
        }),
        None if attribute.kind != AttributeType::Complex => Ok(None),
        None => attribute.sub_attribute("value").map(Some).ok_or_else(|| {
            let help = format!("name one of its parts: {}", names.join(", "));
            (format!("`{name}` has several parts and can't be stored in one LDAP attribute"), help)
        }),
    }
}

fn selectors(
    path: &AttributePath,
    attribute: &Attribute,
    filter: Option<&Filter>,
) -> Result<Vec<Vec<(String, Literal)>>, Complaint> {
    let Some(filter) = filter else { return Ok(Vec::new()) };
    let name = &path.attribute;
    if !attribute.multi_valued {
        let message = format!("`{name}` has one value only, so `[...]` has nothing to choose from");
        return Err((message, format!("write `{name}` without the brackets")));
    }
    let alternatives = match filter {
        Filter::Or(alternatives) => alternatives.as_slice(),
        single => std::slice::from_ref(single),
    };
    alternatives.iter().map(|alternative| selector(name, attribute, alternative)).collect()
}

fn selector(name: &str, attribute: &Attribute, alternative: &Filter) -> Result<Vec<(String, Literal)>, Complaint> {
    let Some(equalities) = alternative.simple_equalities() else {
        let help = format!(
            "inside [...] write equalities joined by `and`, and such alternatives joined by `or`: {name}[type eq \
             \"work\" or primary eq true].value"
        );
        return Err((format!("`{alternative}` can't choose a value of `{name}`"), help));
    };
    let names: Vec<&str> = attribute.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
    let known = |(sub, literal): (&str, &Literal)| match attribute.sub_attribute(sub) {
        Some(sub) => Ok((sub.name.clone(), literal.clone())),
        None => Err((format!("`{name}` has no part `{sub}`"), format!("its parts are {}", names.join(", ")))),
    };
    equalities.into_iter().map(known).collect()
}

/// An attribute that no standard schema has; it must stand under a URN.
fn custom(path: AttributePath, filter: Option<&Filter>, schema: &ResourceSchema) -> Result<Target, Complaint> {
    let Some(urn) = &path.schema else { return Err(unknown(&path, schema)) };
    if !is_urn(urn) {
        let help = "write it like urn:example:hr:2.0:User:role".to_owned();
        return Err((format!("`{urn}` is no URN"), help));
    }
    if path.sub.is_some() || filter.is_some() {
        let help = format!("write {urn}:{}; attributes of your own are plain values or lists of them", path.attribute);
        return Err((format!("`{}` is an attribute of your own and has no parts", path.attribute), help));
    }
    let siblings = schema.extensions.iter().find(|extension| extension.id == *urn);
    let slip = siblings
        .into_iter()
        .flat_map(|extension| &extension.attributes)
        .find(|known| strsim::damerau_levenshtein(&known.name.to_lowercase(), &path.attribute.to_lowercase()) == 1);
    if let Some(known) = slip {
        let help = format!("did you mean `{urn}:{}`?", known.name);
        return Err((format!("`{}` differs from `{}` by one letter", path.attribute, known.name), help));
    }
    Ok(Target { path: RowPath { path, selectors: Vec::new(), multi_valued: false }, attribute: None })
}

fn unknown(path: &AttributePath, schema: &ResourceSchema) -> Complaint {
    let wanted = path.sub.as_ref().map_or(path.attribute.clone(), |sub| format!("{}.{sub}", path.attribute));
    let mut known = Vec::new();
    for extension in std::iter::once(&schema.core).chain(&schema.extensions) {
        for attribute in &extension.attributes {
            known.push((attribute.name.clone(), attribute.name.clone()));
            for sub in attribute.sub_attributes.iter().filter(|_| !attribute.multi_valued) {
                let full = format!("{}.{}", attribute.name, sub.name);
                known.extend([(sub.name.clone(), full.clone()), (full.clone(), full)]);
            }
        }
    }
    let words: Vec<&str> = known.iter().map(|(word, _)| word.as_str()).collect();
    let meant = nearest(&wanted, &words).and_then(|near| known.iter().find(|(word, _)| word == near));
    let help = match meant {
        Some((_, full)) => format!("did you mean `{full}`?"),
        None => format!("an attribute of your own needs a URN in front: urn:example:hr:2.0:User:{}", path.attribute),
    };
    (format!("SCIM has no attribute `{wanted}` for a {}", schema.kind.name()), help)
}

/// RFC 8141: `urn:`, a namespace, and something in it.
fn is_urn(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let scheme = parts.next().unwrap_or_default();
    let namespace = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    let namespace_fits = (2..=32).contains(&namespace.len())
        && namespace.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    scheme.eq_ignore_ascii_case("urn")
        && namespace_fits
        && !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_graphic())
}
