//! `make conformance`: what independent SCIM conformance suites say about the daemon with the shipped mapping and a
//! throw-away OpenLDAP. Everything runs on loopback and is gone afterwards.
//!
//! Complaints that are expected are listed, with the reason, in `expected.rs`. Any other one makes the run fail, and so
//! does an expected one that is no longer heard.

// A run that can't go on says so and stops.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod expected;
mod report;
mod suites;

use harness::{BEARER, Config, Daemon, Slapd};
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use suites::Service;

/// Groups answer a PATCH like users do: scim-sanity wants to see the resource, and the RFC allows both.
const TENANT: &str = "patch_response = { user = \"resource\", group = \"resource\" }";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("\nconformance: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that is started here ends when this function returns.
async fn run() -> Result<bool, String> {
    let build = build_folder()?;
    let slapd = Slapd::own();
    let base = slapd.suffix("conformance").await;
    let daemon = Daemon::start(binary(&build)?, &Config::for_slapd(&slapd, &base).tenant(TENANT));
    println!("scim2ldap at {} with conf/mapping/openldap.toml and an OpenLDAP", daemon.scim_url());

    let service = Service::new(daemon.scim_url(), BEARER.secret(), venv(&build)?)?;
    let mut reports = Vec::new();
    for suite in suites::ALL {
        println!("\n=== {}", suite.name);
        let report = Report::new(suite.name, suite.least, (suite.run)(&service)?);
        report.print_remarkable();
        reports.push(report);
    }
    println!();
    reports.iter().for_each(Report::print_summary);
    let good = reports.iter().all(Report::is_good);
    if !good {
        eprintln!("\nWhat the bridge logged:\n{}", daemon.log_text());
    }
    Ok(good)
}

/// `target`, where this program is `target/PROFILE/examples/conformance`.
fn build_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    own.ancestors().nth(3).map(Path::to_owned).ok_or_else(|| "this program is in no build directory".to_owned())
}

/// The daemon that was built along with this program.
fn binary(build: &Path) -> Result<PathBuf, String> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    existing(build.join(profile).join("scim2ldap"))
}

/// The programs of the suites.
fn venv(build: &Path) -> Result<PathBuf, String> {
    existing(build.join("conformance/venv/bin"))
}

fn existing(path: PathBuf) -> Result<PathBuf, String> {
    if path.exists() { Ok(path) } else { Err(format!("{} is missing: run `make conformance`", path.display())) }
}
