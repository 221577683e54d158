//! The suites: how each is started, and how its results are read.

mod scim_sim;

use super::report::{Check, Verdict};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A conformance suite.
pub struct Suite {
    /// Its name.
    pub name: &'static str,
    /// The number of checks it carries out when nothing keeps it from going on.
    pub least: usize,
    /// Runs it.
    pub run: fn(&Service) -> Result<Vec<Check>, String>,
}

/// All of them, in the order they run.
pub const ALL: &[Suite] = &[
    Suite { name: "scim2-tester", least: 90, run: scim2_tester },
    Suite { name: "scim-sanity", least: 28, run: scim_sanity },
    Suite { name: "scim-sim", least: 15, run: scim_sim::run },
];

/// The service that is looked at, and what looks at it.
pub struct Service {
    url: String,
    token: String,
    programs: PathBuf,
    /// Some suites keep files in the home directory.
    home: TempDir,
}

impl Service {
    /// `programs` is the folder with the suites' programs.
    pub fn new(url: String, token: &str, programs: PathBuf) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|error| format!("no scratch directory: {error}"))?;
        Ok(Self { url, token: token.to_owned(), programs, home })
    }

    /// A program of a suite that knows nothing of this machine's proxies, home directory and language.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.envs([("NO_PROXY", "*"), ("PYTHONUTF8", "1")]).env("HOME", self.home.path());
        command.env("SCIM_TOKEN", &self.token);
        command
    }
}

fn output(mut command: Command) -> Result<Output, String> {
    command.output().map_err(|error| format!("{} can't be run: {error}", command.get_program().display()))
}

/// What the program printed, for an error message.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn scim2_tester(service: &Service) -> Result<Vec<Check>, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/scim2_tester.py");
    let mut command = service.program("python");
    command.args([OsStr::new(script), OsStr::new(&service.url)]);
    let output = output(command)?;
    if !output.status.success() {
        return Err(format!("scim2-tester broke off: {}", said(&output)));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| json(line).map(|result| tester_check(&result))).collect()
}

fn tester_check(result: &Value) -> Check {
    let name: Vec<&str> = ["kind", "title"].into_iter().filter_map(|key| result[key].as_str()).collect();
    let verdict = match text(result, "status") {
        "SUCCESS" | "COMPLIANT" | "ACCEPTABLE" => Verdict::Good,
        "DEVIATION" => Verdict::Remark,
        "SKIPPED" => Verdict::Skipped,
        _ => Verdict::Wrong,
    };
    Check { name: name.join(" "), verdict, detail: text(result, "reason").to_owned() }
}

fn scim_sanity(service: &Service) -> Result<Vec<Check>, String> {
    let mut command = service.program("scim-sanity");
    command.args(["probe", &service.url, "--token", &service.token, "--i-accept-side-effects", "--json-output"]);
    let output = output(command)?;
    let report = json(&String::from_utf8_lossy(&output.stdout))
        .map_err(|error| format!("scim-sanity broke off ({error}): {}", said(&output)))?;
    let results = report["results"].as_array().ok_or("scim-sanity reports no results")?;
    Ok(results.iter().map(sanity_check).collect())
}

fn sanity_check(result: &Value) -> Check {
    let verdict = match text(result, "status") {
        "pass" => Verdict::Good,
        "warn" => Verdict::Remark,
        "skip" => Verdict::Skipped,
        _ => Verdict::Wrong,
    };
    let detail = [text(result, "message"), text(result, "details")].join(" ");
    Check { name: text(result, "name").to_owned(), verdict, detail: detail.trim().to_owned() }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
