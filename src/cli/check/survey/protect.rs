//! What each line of `protect` keeps from being written.

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::finding;
use crate::config::Tenant;
use crate::directory::{AttributeName, Directory, Dn, Entry, Fault, FaultKind, Filter, Scope, Search};
use crate::mapping::ResourceMapping;
use crate::mapping::check::{Finding, Severity};
use crate::mapping::protect::{MEMBER_ATTRIBUTES, Protect, Protected};
use crate::scim::ResourceKind;

/// User names asked for by one search.
const AT_ONCE: usize = 200;

/// A finding for each line of the tenant.
pub(super) async fn lines(tenant: &Tenant, directory: &Directory) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in tenant.protect.iter() {
        findings.push(one(line, tenant, directory).await.unwrap_or_else(|fault| {
            let help = "let the service account read what the line names, or write another one";
            finding(Severity::Error, &line.place, fault.to_string(), help)
        }));
    }
    findings
}

async fn one(line: &Protect, tenant: &Tenant, directory: &Directory) -> Result<Finding, Fault> {
    let listed = match line.what.entry() {
        None => None,
        Some(dn) => match look(dn, directory).await? {
            None => {
                let message = format!("the directory has no entry {dn}, or the service account can't see it");
                let help = "write the name of an entry that is there; one that is not there has no members";
                return Ok(finding(Severity::Warning, &line.place, message, help));
            }
            there => there,
        },
    };
    let mut covered = HashSet::new();
    for kind in [ResourceKind::User, ResourceKind::Group] {
        if let Some(mapping) = tenant.mapping.of(kind) {
            gather(&line.what, listed.as_ref(), mapping, directory, &mut covered).await?;
        }
    }
    let (text, count) = (line.what.text(), covered.len());
    if count == 0 && listed.is_none() {
        let message = format!("no entry that this tenant could write matches {text}");
        let help = "check the filter, and that the service account may read the attributes in it";
        return Ok(finding(Severity::Warning, &line.place, message, help));
    }
    let message = format!("{text} keeps {count} entries of this tenant from being written");
    Ok(finding(Severity::Note, &line.place, message, "nothing to do, if that is about as many as you expect"))
}

/// The listed entry with its lists of members.
async fn look(dn: &Dn, directory: &Directory) -> Result<Option<Entry>, Fault> {
    let mut attributes = MEMBER_ATTRIBUTES.to_vec();
    attributes.extend(directory.dialect().primary_group.as_ref().map(|names| names.of_group.clone()));
    let search = Search { base: dn.clone(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
    match directory.search(&search).await {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        other => Ok(other?.into_iter().next()),
    }
}

/// Adds the entries of one kind that the line covers.
async fn gather(
    what: &Protected,
    listed: Option<&Entry>,
    mapping: &ResourceMapping,
    directory: &Directory,
    covered: &mut HashSet<Dn>,
) -> Result<(), Fault> {
    let dialect = directory.dialect();
    let number = dialect.primary_group.as_ref().zip(listed).and_then(|(names, entry)| entry.text(&names.of_group));
    let filter = what.filter(dialect, number);
    for base in mapping.search_bases() {
        covered.extend(found(&base, mapping.filter.clone().and(filter.clone()), directory).await?);
        let Some(listed) = listed else { continue };
        if listed.dn.is_within(&base) || base.is_within(&listed.dn) {
            let below = if base.is_within(&listed.dn) { &base } else { &listed.dn };
            covered.extend(found(below, mapping.filter.clone(), directory).await?);
        }
        covered.extend(members(listed, &base, mapping, directory).await?);
    }
    Ok(())
}

/// The members of the listed group that stand below `base`.
async fn members(
    listed: &Entry,
    base: &Dn,
    mapping: &ResourceMapping,
    directory: &Directory,
) -> Result<Vec<Dn>, Fault> {
    const UID: AttributeName = AttributeName::literal("uid");
    let [member, unique_member, member_uid] = &MEMBER_ATTRIBUTES;
    let dns = listed.names(member).chain(listed.names(unique_member));
    let named: HashSet<Dn> = dns.filter(|dn| dn.is_within(base)).collect();
    let mut members = Vec::new();
    if !named.is_empty() {
        // Only those that are entries of this kind count.
        let all = found(base, mapping.filter.clone(), directory).await?;
        members.extend(all.into_iter().filter(|dn| named.contains(dn)));
    }
    let users: Vec<Filter> = listed.texts(member_uid).map(|name| Filter::equal(&UID, name)).collect();
    for some in users.chunks(AT_ONCE) {
        members.extend(found(base, mapping.filter.clone().and(Filter::Or(some.to_vec())), directory).await?);
    }
    Ok(members)
}

async fn found(base: &Dn, filter: Filter, directory: &Directory) -> Result<Vec<Dn>, Fault> {
    let attributes = vec![AttributeName::NONE];
    let search = Search { base: base.clone(), scope: Scope::Sub, filter, attributes, size_limit: 0 };
    let mut dns = Vec::new();
    let each = &mut |entry: Entry| {
        dns.push(entry.dn);
        ControlFlow::Continue(())
    };
    match directory.scan(&search, each).await {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Vec::new()),
        other => other.map(|()| dns),
    }
}
