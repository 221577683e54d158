//! What the service account may not do, where the server says what it may.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::{Known, finding, search};
use crate::directory::{AttributeName, Directory, Dn, Entry, Filter, PasswordWay, Scope, Search};
use crate::mapping::check::{Finding, Severity};
use crate::mapping::{Disable, ResourceMapping, When};
use crate::tables::Place;

/// Entries that can't be made and attributes that can't be written. What can't be asked is passed over: that is
/// reported where the entries are looked at.
pub(super) async fn missing(mapping: &ResourceMapping, known: &Known) -> Vec<Finding> {
    let mut findings: Vec<Finding> = children(mapping, known).await.into_iter().collect();
    if let Some(example) = example(mapping, &known.directory).await {
        findings.extend(attributes(mapping, known, &example).await);
    }
    findings
}

/// That no entries of this kind may be made below the base.
async fn children(mapping: &ResourceMapping, known: &Known) -> Option<Finding> {
    let names = known.directory.dialect().effective_rights.as_ref()?;
    let base = mapping.base.root();
    let allowed = told(base, &names.children, &known.directory).await?;
    // The class that says what an entry is comes last.
    let class = mapping.object_class.last()?;
    if allowed.contains(&class.to_lowercase()) {
        return None;
    }
    let message = format!("the service account may not create entries of the class {class} below {base}");
    let help = format!("delegate the right to create and delete {class} objects in {base} to it");
    Some(finding(Severity::Error, &mapping.place, message, &help))
}

/// Attributes of rows, and of what else is written, that the account may not write to `example`.
async fn attributes(mapping: &ResourceMapping, known: &Known, example: &Dn) -> Vec<Finding> {
    let dialect = known.directory.dialect();
    let Some(names) = &dialect.effective_rights else { return Vec::new() };
    let Some(allowed) = told(example, &names.attributes, &known.directory).await else { return Vec::new() };
    let mut written: Vec<(AttributeName, &Place)> = mapping
        .writers()
        .filter(|row| row.when != When::CreateOnly)
        .map(|row| (row.ldap.clone(), &row.place))
        .collect();
    written.extend(mapping.members.iter().map(|members| (members.attribute.clone(), &members.place)));
    written.extend(mapping.disable.as_ref().and_then(Disable::attribute).map(|name| (name, &mapping.place)));
    let must_change = dialect.must_change.iter().filter(|_| mapping.must_change);
    written.extend(must_change.map(|(name, _)| (name.clone(), &mapping.place)));
    let mut seen = HashSet::new();
    let refused = written.into_iter().filter(|(name, _)| {
        let known_by_schema = known.schema.attribute(name.as_str()).is_some();
        // The server does not list passwords: they are set by a right of their own.
        known_by_schema
            && PasswordWay::Attribute(name.clone()) != dialect.password
            && !allowed.contains(&name.base().to_lowercase())
    });
    refused
        .filter(|(name, _)| seen.insert(name.clone()))
        .map(|(name, place)| {
            let message = format!("the service account may not write {name} (asked of {example})");
            let help = format!(
                "delegate the right to write {name} to it, or take the row out, or write direction = \"from-ldap\""
            );
            finding(Severity::Error, place, message, &help)
        })
        .collect()
}

/// An entry of this kind to ask about: one whose rights are like those of the others.
async fn example(mapping: &ResourceMapping, directory: &Directory) -> Option<Dn> {
    let dialect = directory.dialect();
    dialect.effective_rights.as_ref()?;
    let mut filter = mapping.filter.clone();
    if let Some((name, value)) = &dialect.guarded {
        filter = filter.and(Filter::Not(Box::new(Filter::equal(name, value))));
    }
    let search = search(mapping.base.root(), Scope::Sub, filter, mapping);
    let mut found = None;
    let each = &mut |entry: Entry| {
        found = Some(entry.dn);
        ControlFlow::Break(())
    };
    directory.scan(&search, each).await.ok()?;
    found
}

/// The values, in small letters, of an attribute that the server computes; `None` where it does not.
async fn told(dn: &Dn, attribute: &AttributeName, directory: &Directory) -> Option<HashSet<String>> {
    let attributes = vec![attribute.clone(), AttributeName::literal("objectClass")];
    let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
    let entry = directory.search(&search).await.ok()?.into_iter().next()?;
    Some(entry.texts(attribute).map(str::to_lowercase).collect())
}
