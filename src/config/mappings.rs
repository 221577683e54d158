//! The mapping of every tenant.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::directory::Named;
use super::read_file;
use super::tenant::{Tenant, Written};
use crate::directory::{Dn, Kind, Settings};
use crate::mapping::protect::{Protect, Protected};
use crate::mapping::{IdAttribute, InitialPassword, Mapping};
use crate::tables::reader::nearest;
use crate::tables::{Findings, Located};

/// Mappings that were read already: tenants may share a file. `None`: it is wrong, and reported.
type Known = HashMap<(PathBuf, String), Option<Arc<Mapping>>>;

/// Reads the mapping of every tenant; all mistakes in all of them are reported.
pub(super) fn load(tenants: Vec<Written>, directories: &[Named], findings: &Findings) -> Option<Vec<Tenant>> {
    let mut known = Known::new();
    let mut loaded = Vec::new();
    for tenant in tenants {
        let directory = tenant.directory.as_ref().and_then(|name| find(name, directories, findings));
        let mapping = tenant.mapping.as_ref().and_then(|path| one(path, directory, &mut known, findings));
        if let Some(mapping) = &mapping {
            check_groups(&tenant, mapping, findings);
            if let Some(settings) = directory.and_then(|it| it.config.as_ref()).map(|it| &it.settings) {
                check_passwords(&tenant, mapping, settings, findings);
            }
        }
        let protect = protect(&tenant, directory, findings);
        loaded.push(tenant.finish(mapping, protect));
    }
    loaded.into_iter().collect()
}

fn find<'d>(name: &Located<String>, directories: &'d [Named], findings: &Findings) -> Option<&'d Named> {
    let found = directories.iter().find(|directory| directory.name == name.value);
    if found.is_none() {
        let names: Vec<&str> = directories.iter().map(|directory| directory.name.as_str()).collect();
        let help = match nearest(name, &names) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if names.is_empty() => format!("add [directory.{}] with kind, urls and base_dn", name.value),
            None => format!("the directories in this file are {}", names.join(", ")),
        };
        findings.report(&name.spot, format!("there is no directory \"{}\"", name.value), help);
    }
    found
}

fn one(
    path: &Located<PathBuf>,
    directory: Option<&Named>,
    known: &mut Known,
    findings: &Findings,
) -> Option<Arc<Mapping>> {
    let key = (path.value.clone(), directory.map(|it| it.name.clone()).unwrap_or_default());
    if let Some(mapping) = known.get(&key) {
        return mapping.clone();
    }
    let source = match read_file(&path.value) {
        Ok(source) => source,
        Err(diagnostic) => {
            let help = "name a mapping file; openldap.toml, active-directory.toml and 389ds.toml are in conf/mapping";
            findings.report(&path.spot, diagnostic.message, help.to_owned());
            return None;
        }
    };
    // A directory that is wrong itself must not keep mistakes in the mapping from being seen.
    let id = IdAttribute::from(directory.and_then(|it| it.kind).unwrap_or(Kind::OpenLdap).dialect());
    let base_dn = directory.and_then(|it| it.base_dn.clone()).filter(|dn| !dn.is_root()).unwrap_or_else(stand_in);
    let mapping = Mapping::parse(source, &base_dn, &id).map(Arc::new).map_err(|wrong| findings.absorb(wrong)).ok();
    known.insert(key, mapping.clone());
    mapping
}

/// A password travels over a protected connection, and some servers take it over no other.
fn check_passwords(tenant: &Written, mapping: &Mapping, settings: &Settings, findings: &Findings) {
    let dialect = settings.kind.dialect();
    if settings.is_protected() {
        return;
    }
    let help = "write ldaps:// in urls of the directory, or add `start_tls = true`";
    if tenant.password_sync && (dialect.password_needs_tls || !settings.allow_plaintext) {
        let spot = tenant.password_sync_spot.as_ref().unwrap_or(&tenant.spot);
        let message = format!(
            "`password_sync` needs a protected connection, and directory {} has none: {}",
            settings.name,
            if dialect.password_needs_tls { "it takes a password over no other" } else { "passwords could be read" },
        );
        findings.report(spot, message, format!("{help}, or leave `password_sync` out"));
    }
    if mapping.user.initial_password == InitialPassword::Random && dialect.password_needs_tls {
        let spot = tenant.mapping.as_ref().map_or(&tenant.spot, |it| &it.spot);
        let message = format!(
            "new accounts of tenant {} get a password, and directory {} takes one over a protected connection only",
            tenant.name, settings.name
        );
        let help = format!("{help}, or write `initial_password = \"none\"` in the mapping's [user] table");
        findings.report(spot, message, help);
    }
}

fn stand_in() -> Dn {
    Dn::parse("dc=example,dc=com").unwrap_or_else(|_| Dn::root())
}

/// What the tenant never writes; a mistake in one line is one too many.
fn protect(tenant: &Written, directory: Option<&Named>, findings: &Findings) -> Option<Arc<[Protect]>> {
    let base_dn = directory.and_then(|it| it.base_dn.clone()).filter(|dn| !dn.is_root()).unwrap_or_else(stand_in);
    let parse = |line: &Located<String>| match Protected::parse(line, &base_dn) {
        Ok(what) => Some(Protect { what, place: line.spot.place() }),
        Err(reason) => {
            let help = "write the DN of an entry, a group or a container, or a filter in parentheses: \
                        \"cn=admins,ou=groups,{base_dn}\", \"(adminCount=1)\"";
            findings.report(&line.spot, format!("`protect` can't be read: {reason}"), help.to_owned());
            None
        }
    };
    tenant.protect.iter().map(parse).collect::<Vec<_>>().into_iter().collect()
}

/// Groups can only be served when the mapping has them.
fn check_groups(tenant: &Written, mapping: &Mapping, findings: &Findings) {
    if tenant.groups && mapping.group.is_none() {
        let mapping_spot = tenant.mapping.as_ref().map(|it| &it.spot);
        let spot = tenant.groups_spot.as_ref().or(mapping_spot).unwrap_or(&tenant.spot);
        let help = "write `groups = false`, or add a [group] table to the mapping".to_owned();
        findings.report(spot, format!("the mapping of tenant {} has no [group] table", tenant.name), help);
    }
}
