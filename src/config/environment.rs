//! Environment variables that override keys: `SCIM2LDAP__DIRECTORY__CORP__BIND_DN`.

use std::collections::HashMap;
use std::sync::Arc;

use config::Source as _;

use crate::tables::{Diagnostic, Findings, Key, Node, Origin, Source, Spot, Table, Value, Variable, document};

const PREFIX: &str = "SCIM2LDAP";
const SEPARATOR: &str = "__";

/// Lays the variables over the table, so that they are checked as if they stood in the file.
pub(super) fn overlay(table: &mut Table, environment: Option<HashMap<String, String>>, findings: &Findings) {
    let source = environment.map(|variables| variables.into_iter().collect());
    let collected = config::Environment::with_prefix(PREFIX).separator(SEPARATOR).source(source).collect();
    let collected = match collected {
        Ok(collected) => collected,
        Err(error) => {
            let origin = Origin::File(Arc::new(Source { name: "the environment".to_owned(), text: String::new() }));
            return findings.add(Diagnostic { origin, span: None, message: error.to_string(), help: None });
        }
    };
    let mut variables: Vec<(String, String)> =
        collected.into_iter().filter_map(|(key, value)| Some((key, value.into_string().ok()?))).collect();
    // A variable for a table comes before those for its keys.
    variables.sort();
    for (key, value) in variables {
        let name = format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR).to_uppercase());
        apply(table, &key, &Arc::new(Variable { name, value }), findings);
    }
}

fn apply(table: &mut Table, path: &str, variable: &Arc<Variable>, findings: &Findings) {
    let node = document::parse_variable(variable);
    let key = |name: &str| Key { name: name.to_owned(), spot: node.spot.clone() };
    let (parents, last) = path.rsplit_once('.').map_or(("", path), |(parents, last)| (parents, last));
    let mut table = table;
    for segment in parents.split('.').filter(|segment| !segment.is_empty()) {
        let empty = || Node { value: Value::Table(Table::EMPTY), spot: node.spot.clone() };
        let Some(inner) = table.entry(segment, || (key(segment), empty())) else { return };
        let found = inner.value.describe();
        let Value::Table(next) = &mut inner.value else {
            let message = format!("{} reaches into `{segment}`, which is {found}", variable.name);
            let help = format!("set {segment} as a whole, or write it in the file");
            return findings.report(&whole(variable), message, help);
        };
        table = next;
    }
    if let Some(target) = table.entry(last, || (key(last), node.clone())) {
        *target = node.clone();
    }
}

fn whole(variable: &Arc<Variable>) -> Spot {
    Spot { origin: Origin::Variable(variable.clone()), span: 0..variable.value.len() }
}
