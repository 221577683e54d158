//! `scim2ldap check`: whether configuration, mapping tables and directories go together.

mod store;
mod survey;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use self::survey::Remark;
use super::{Exit, load, place_as_json, print, wait_for};
use crate::config::Config;
use crate::mapping::check::Severity;

/// Checks everything that the configuration at `path` names, and prints what was found.
pub(super) fn run(path: &Path, as_json: bool) -> Exit {
    let config = match load(path, as_json) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let remarks = match wait_for(survey::all(&config)) {
        Ok(remarks) => remarks,
        Err(exit) => return exit,
    };
    print(&if as_json { as_json_text(&remarks) } else { as_text(&config, &remarks) });
    if has_errors(&remarks) { Exit::Problems } else { Exit::Good }
}

fn has_errors(remarks: &[Remark]) -> bool {
    remarks.iter().any(|remark| remark.finding.severity == Severity::Error)
}

/// For people: a line for each finding, the advice below it, and the sum at the end.
fn as_text(config: &Config, remarks: &[Remark]) -> String {
    let mut text = String::new();
    for Remark { about, finding } in remarks {
        let severity = finding.severity.name();
        // Writing to a string can't fail.
        let _ = writeln!(text, "{severity}: {}: {about}: {}\n  help: {}", finding.place, finding.message, finding.help);
    }
    let count = |severity| remarks.iter().filter(|remark| remark.finding.severity == severity).count();
    let (tenants, directories) = (config.tenants.len(), config.directories.len());
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let _ = write!(
        text,
        "checked: {tenants} tenants, {directories} directories; found: {errors} errors, {warnings} warnings"
    );
    text
}

fn as_json_text(remarks: &[Remark]) -> String {
    let finding = |Remark { about, finding }: &Remark| {
        let mut value = place_as_json(Some(&finding.place));
        value["severity"] = finding.severity.name().into();
        value["about"] = about.as_str().into();
        value["message"] = finding.message.as_str().into();
        value["help"] = finding.help.as_str().into();
        value
    };
    let findings: Vec<Value> = remarks.iter().map(finding).collect();
    json!({ "ok": !has_errors(remarks), "findings": findings }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::check::Finding;
    use crate::tables::Place;

    fn remark(severity: Severity) -> Remark {
        let place = Place { file: "mapping.toml".into(), line: 3, column: 5 };
        let finding = Finding { severity, place, message: "there is no such thing".into(), help: "make one".into() };
        Remark { about: "tenant okta, User".into(), finding }
    }

    #[test]
    fn warnings_alone_are_no_problem() {
        assert!(!has_errors(&[remark(Severity::Warning)]));
        assert!(has_errors(&[remark(Severity::Warning), remark(Severity::Error)]));
    }

    #[test]
    fn findings_as_json_say_where_what_and_what_to_do() {
        let report: Value = serde_json::from_str(&as_json_text(&[remark(Severity::Error)])).unwrap();
        assert_eq!(report["ok"], false);
        let expected = json!({
            "file": "mapping.toml", "line": 3, "column": 5, "severity": "error", "about": "tenant okta, User",
            "message": "there is no such thing", "help": "make one",
        });
        assert_eq!(report["findings"], json!([expected]));
    }
}
