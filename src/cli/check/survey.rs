//! Going to each directory and looking whether it is as the mapping tables take it to be.

mod domain;
mod protect;
mod rights;

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::store;
use crate::config::{Config, DirectoryConfig, Tenant};
use crate::directory::{Bind, Directory, Dn, Entry, Fault, FaultKind, Filter, SchemaView, Scope, Search};
use crate::mapping::check::{Finding, Severity, check};
use crate::mapping::{Base, Delete, Disable, ResourceMapping, Unique};
use crate::scim::ResourceKind;
use crate::tables::{Place, Warning};

/// A finding, and what it is about.
#[derive(Debug)]
pub(super) struct Remark {
    /// `directory NAME`, or `tenant NAME, User`.
    pub(super) about: String,
    pub(super) finding: Finding,
}

/// A directory that lets the service account in, with its schema.
struct Known {
    directory: Directory,
    schema: SchemaView,
}

/// Everything that is found, in the order of the configuration.
pub(super) async fn all(config: &Config) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = config.warnings.iter().map(warned).collect();
    let mut known = HashMap::new();
    for settings in &config.directories {
        let name = settings.settings.name.as_str();
        match meet(settings).await {
            Ok(directory) => {
                let found = domain::levels(&settings.place, &directory.directory).await;
                remarks.extend(found.map(|finding| Remark { about: format!("directory {name}"), finding }));
                known.insert(name, directory);
            }
            Err(finding) => remarks.push(Remark { about: format!("directory {name}"), finding }),
        }
    }
    for tenant in &config.tenants {
        if let Some(known) = known.get(tenant.directory.as_str()) {
            remarks.extend(tenant_remarks(tenant, known).await);
        }
    }
    remarks.extend(store::remarks(config).await);
    remarks
}

fn warned(Warning { place, message, help }: &Warning) -> Remark {
    let finding = finding(Severity::Warning, place, message.clone(), help);
    Remark { about: "configuration".to_owned(), finding }
}

/// Connects to a directory, binds, and reads its schema.
async fn meet(config: &DirectoryConfig) -> Result<Known, Finding> {
    let prefix = format!("directory {}: ", config.settings.name);
    let error = |message: String, help: &str| {
        let message = message.strip_prefix(&prefix).unwrap_or(&message).to_owned();
        finding(Severity::Error, &config.place, message, help)
    };
    let directory = Directory::new(config.settings.clone())
        .map_err(|fault| error(fault.to_string(), "change the settings of this directory"))?;
    directory.ping().await.map_err(|fault| error(fault.to_string(), way_in(&fault, &config.settings.bind)))?;
    let schema = directory.schema().await;
    let schema =
        schema.map_err(|fault| error(fault.to_string(), "let the service account read the schema of the server"))?;
    Ok(Known { directory, schema })
}

/// What helps when a directory can't be reached or lets nobody in.
const fn way_in(fault: &Fault, bind: &Bind) -> &'static str {
    match (fault.kind, bind) {
        (FaultKind::BindFailed, Bind::Simple { .. }) => {
            "check bind_dn and the password, and that the account is not locked"
        }
        (FaultKind::BindFailed, _) => "check how the server maps the user that the bridge runs as",
        _ => "check urls (or srv), ca_file, the firewall, and whether the server runs",
    }
}

/// What is found in one tenant's mapping.
async fn tenant_remarks(tenant: &Tenant, known: &Known) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for kind in [ResourceKind::User, ResourceKind::Group] {
        let served = kind == ResourceKind::User || tenant.groups;
        let Some(mapping) = tenant.mapping.of(kind).filter(|_| served) else { continue };
        let about = format!("tenant {}, {}", tenant.name, kind.name());
        let mut findings = check(mapping, &known.schema, known.directory.dialect());
        findings.extend(containers(mapping, &known.directory).await);
        findings.extend(entries(mapping, &known.directory).await);
        findings.extend(rights::missing(mapping, known).await);
        findings.extend(domain::guarded(tenant, mapping, &known.directory).await);
        remarks.extend(findings.into_iter().map(|finding| Remark { about: about.clone(), finding }));
    }
    let about = format!("tenant {}, protect", tenant.name);
    let findings = protect::lines(tenant, &known.directory).await;
    remarks.extend(findings.into_iter().map(|finding| Remark { about: about.clone(), finding }));
    remarks
}

/// The entries below which others are put are there.
async fn containers(mapping: &ResourceMapping, directory: &Directory) -> Vec<Finding> {
    let mut wanted = vec![("base", mapping.base.root())];
    if let Some(Disable::MoveTo(container)) = &mapping.disable {
        wanted.push(("disable", container));
    }
    if let Delete::MoveTo(container) = &mapping.delete {
        wanted.push(("delete", container));
    }
    let mut findings = Vec::new();
    for (key, container) in wanted {
        let search = search(container, Scope::Base, Filter::any(), mapping);
        let message = match directory.search(&search).await {
            Ok(entries) if !entries.is_empty() => continue,
            Ok(_) => format!("the service account can't see {container}, the {key} of the mapping"),
            Err(fault) if fault.kind == FaultKind::NotFound => {
                format!("the directory has no entry {container}, the {key} of the mapping")
            }
            Err(fault) => fault.to_string(),
        };
        let help = "create the entry, let the service account read it, or write another one";
        findings.push(finding(Severity::Error, &mapping.place, message, help));
    }
    findings
}

/// The entries that are there already can be told apart and read.
async fn entries(mapping: &ResourceMapping, directory: &Directory) -> Vec<Finding> {
    let mut seen = Seen::new(mapping);
    let search = search(mapping.base.root(), Scope::Sub, mapping.filter.clone(), mapping);
    match directory.scan(&search, &mut |entry| seen.take(&entry)).await {
        // That is reported for the container.
        Err(fault) if fault.kind == FaultKind::NotFound => Vec::new(),
        Err(fault) => vec![finding(
            Severity::Error,
            &mapping.place,
            format!("the entries can't be listed: {fault}"),
            "let the service account read everything below base",
        )],
        Ok(()) => seen.findings(),
    }
}

/// What stands out among the entries.
struct Seen<'a> {
    mapping: &'a ResourceMapping,
    /// The parent of every entry, where the name alone guards against duplicates.
    parent: Option<&'a Dn>,
    deeper: Option<Dn>,
    nameless: Option<Dn>,
}

impl<'a> Seen<'a> {
    const fn new(mapping: &'a ResourceMapping) -> Self {
        let parent = match (&mapping.base, mapping.unique) {
            (Base::Fixed(base), Unique::Naming) => Some(base),
            _ => None,
        };
        Self { mapping, parent, deeper: None, nameless: None }
    }

    fn take(&mut self, entry: &Entry) -> ControlFlow<()> {
        if self.nameless.is_none() && !entry.has(&self.mapping.id.attribute) {
            self.nameless = Some(entry.dn.clone());
        }
        if let (None, Some(parent)) = (&self.deeper, self.parent)
            && entry.dn.parent().as_ref() != Some(parent)
        {
            self.deeper = Some(entry.dn.clone());
        }
        let enough = self.nameless.is_some() && (self.deeper.is_some() || self.parent.is_none());
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn findings(self) -> Vec<Finding> {
        let place = &self.mapping.place;
        let deeper = self.deeper.map(|dn| {
            let message = format!(
                "{dn} lies deeper than directly below base, so the directory does not refuse a second entry with its name"
            );
            finding(Severity::Warning, place, message, r#"write unique = "search""#)
        });
        let nameless = self.nameless.map(|dn| {
            let id = &self.mapping.id.attribute;
            let message = format!("{dn} has no {id} that the service account can read, so it can't be served");
            finding(Severity::Error, place, message, "let the service account read it, or narrow the filter")
        });
        nameless.into_iter().chain(deeper).collect()
    }
}

pub(super) fn finding(severity: Severity, place: &Place, message: String, help: &str) -> Finding {
    Finding { severity, place: place.clone(), message, help: help.to_owned() }
}

fn search(base: &Dn, scope: Scope, filter: Filter, mapping: &ResourceMapping) -> Search {
    Search { base: base.clone(), scope, filter, attributes: vec![mapping.id.attribute.clone()], size_limit: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{AttributeName, IdForm};
    use crate::mapping::{IdAttribute, Mapping};
    use crate::tables::Source;

    fn mapping(unique: &str) -> Mapping {
        let text = format!(
            "[user]\nbase = \"ou=people,{{base_dn}}\"\nobject_class = [\"person\"]\nrdn = \"uid\"\n\
             filter = \"(objectClass=person)\"\nunique = \"{unique}\"\n\
             attributes = [{{ scim = \"userName\", ldap = \"uid\", required = true }}]\n"
        );
        let id = IdAttribute { attribute: AttributeName::literal("entryUUID"), form: IdForm::EntryUuid };
        let base = Dn::parse("dc=example").unwrap();
        Mapping::parse(Source { name: "mapping.toml".into(), text }, &base, &id).unwrap()
    }

    fn found(unique: &str, entries: &[(&str, bool)]) -> Vec<Severity> {
        let mapping = mapping(unique);
        let mut seen = Seen::new(&mapping.user);
        for (dn, with_id) in entries {
            let mut entry = Entry::new(Dn::parse(dn).unwrap());
            if *with_id {
                entry.insert(AttributeName::literal("entryUUID"), vec![b"1".to_vec()]);
            }
            if seen.take(&entry).is_break() {
                break;
            }
        }
        seen.findings().into_iter().map(|finding| finding.severity).collect()
    }

    #[test]
    fn entries_directly_below_the_base_are_as_they_should_be() {
        assert_eq!(found("naming", &[("uid=a,ou=people,dc=example", true)]), []);
    }

    #[test]
    fn an_entry_further_down_is_a_warning_where_the_name_alone_guards_against_duplicates() {
        let deep = [("uid=a,ou=x,ou=people,dc=example", true)];
        assert_eq!(found("naming", &deep), [Severity::Warning]);
        assert_eq!(found("search", &deep), []);
    }

    #[test]
    fn an_entry_whose_id_can_not_be_read_is_an_error() {
        assert_eq!(found("search", &[("uid=a,ou=people,dc=example", false)]), [Severity::Error]);
    }
}
