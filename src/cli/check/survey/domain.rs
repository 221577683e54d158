//! What is special about a domain: its functional level, and the accounts whose rights it looks after itself.

use std::ops::ControlFlow;

use super::{finding, search};
use crate::config::Tenant;
use crate::directory::{AttributeName, Directory, Dn, Filter, Scope, Search};
use crate::mapping::ResourceMapping;
use crate::mapping::check::{Finding, Severity};
use crate::mapping::protect::Protected;
use crate::tables::Place;

/// Tells the functional levels, where the server has such.
pub(super) async fn levels(place: &Place, directory: &Directory) -> Option<Finding> {
    let dialect = directory.dialect();
    let attributes: Vec<AttributeName> = dialect.levels.iter().map(|(_, name)| name.clone()).collect();
    if attributes.is_empty() {
        return None;
    }
    let root = Search { base: Dn::root(), scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
    let entry = directory.search(&root).await.ok()?.into_iter().next()?;
    let level = |(what, name): &(&str, AttributeName)| Some(format!("{what} {}", version(entry.text(name)?)));
    let levels: Vec<String> = dialect.levels.iter().filter_map(level).collect();
    let message = format!("{}: functional level of {}", dialect.label, levels.join(", of "));
    Some(finding(Severity::Note, place, message, "nothing to do; 2008 R2 and later will do"))
}

/// The version of Windows Server that a functional level is called after.
fn version(level: &str) -> String {
    let known = match level {
        "0" => "2000",
        "1" => "2003 interim",
        "2" => "2003",
        "3" => "2008",
        "4" => "2008 R2",
        "5" => "2012",
        "6" => "2012 R2",
        "7" => "2016",
        "10" => "2025",
        other => return format!("number {other}"),
    };
    known.to_owned()
}

/// Accounts that delegated rights don't reach, unless they are protected anyway.
pub(super) async fn guarded(tenant: &Tenant, mapping: &ResourceMapping, directory: &Directory) -> Option<Finding> {
    let (name, value) = directory.dialect().guarded.as_ref()?;
    let guarded = Filter::equal(name, value);
    if tenant.protect.iter().any(|line| line.what == Protected::Filter(guarded.clone())) {
        return None;
    }
    let mut count = 0;
    for base in mapping.search_bases() {
        let search = search(&base, Scope::Sub, mapping.filter.clone().and(guarded.clone()), mapping);
        let each = &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        };
        // A base that can't be read is reported where the entries are listed.
        directory.scan(&search, each).await.ok()?;
    }
    let message = format!(
        "{count} entries have {name}={value}: they are or were privileged, the directory takes delegated rights to write \
         them away again (AdminSDHolder), and the identity provider should not manage them"
    );
    let help = format!("write protect = [\"{guarded}\"], or take them out of the identity provider and of `filter`");
    (count > 0).then(|| finding(Severity::Warning, &tenant.place, message, &help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functional_levels_are_called_after_versions() {
        assert_eq!(version("4"), "2008 R2");
        assert_eq!(version("7"), "2016");
        assert_eq!(version("8"), "number 8");
    }
}
