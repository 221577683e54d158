//! The command line.

mod check;
mod columns;
mod exit;
mod explain;
pub(crate) mod keytab;
mod queue;
mod status;
mod token;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::{Value, json};

pub use exit::Exit;

use crate::config::{Config, LogFormat, Tenant};
use crate::mapping::check::Severity;
use crate::store::StoreFault;
use crate::tables::{Diagnostics, Place};
use crate::{daemon, telemetry};

/// Carries users and groups that an identity provider pushes over SCIM 2.0 out in an LDAP directory.
#[derive(Debug, Parser)]
#[command(name = "scim2ldap", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/scim2ldap/scim2ldap.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 good, 1 found problems, 64 usage, 78 bad configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground.
    Serve,
    /// Load the configuration and the mapping tables, connect to each directory, and compare the tables with its schema.
    Check {
        /// Print the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a request would do: what each row of the mapping table makes of it, and the LDIF that would be written.
    /// Nothing is written.
    Explain(explain::Request),
    /// What is still owed to the directory, and what waits for a person and why.
    #[command(subcommand)]
    Queue(queue::Action),
    /// Show how each tenant stands: its directory, what was synced last, and what is owed.
    Status {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make, list and revoke credentials of a tenant.
    #[command(subcommand)]
    Token(token::Action),
}

/// Does what the command line of this process says.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Arguments::try_parse() {
        Ok(arguments) => run(&arguments),
        Err(message) => not_run(&message),
    };
    exit.into()
}

fn run(arguments: &Arguments) -> Exit {
    match &arguments.command {
        Command::Serve => daemon::run(&arguments.config),
        Command::Check { json } => check::run(&arguments.config, *json),
        Command::Explain(request) => explain::run(&arguments.config, request),
        Command::Queue(action) => queue::run(&arguments.config, action),
        Command::Status { json } => status::run(&arguments.config, *json),
        Command::Token(action) => token::run(&arguments.config, action),
    }
}

/// Does `work` to its end; a command needs no more than one thread for that.
fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => Ok(runtime.block_on(work)),
        Err(fault) => {
            complain(format!("the system refuses what is needed to wait for answers: {fault}"));
            Err(Exit::Problems)
        }
    }
}

/// Tells of a store that fails.
fn finish(done: Result<Result<Exit, StoreFault>, Exit>) -> Exit {
    match done {
        Ok(Ok(exit)) | Err(exit) => exit,
        Ok(Err(fault)) => {
            complain(&fault);
            Exit::of_store(&fault)
        }
    }
}

/// Prints the help or the version that was asked for, or what is wrong with the command line.
fn not_run(message: &clap::Error) -> Exit {
    // Where it can't be printed there is nobody to tell.
    let _ = message.print();
    exit_for(message.kind())
}

fn exit_for(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Good,
        _ => Exit::Usage,
    }
}

/// Says what is wrong with a command line that can be read but makes no sense.
fn usage(kind: ErrorKind, mistake: &str) -> Exit {
    not_run(&Arguments::command().error(kind, mistake))
}

/// The configuration for a command that is not the daemon: it is silent, unless the environment asks for a log. What is
/// wrong has been printed when there is none.
fn load(path: &Path, as_json: bool) -> Result<Config, Exit> {
    if let Err(fault) = telemetry::start("off", LogFormat::Human) {
        complain(fault);
        return Err(Exit::Usage);
    }
    let config = Config::load(path).map_err(|mistakes| {
        if as_json {
            print(&mistakes_as_json(&mistakes).to_string());
        } else {
            complain(mistakes.render());
        }
        Exit::BadConfiguration
    })?;
    keytab::settle(&config)?;
    Ok(config)
}

/// The tenant called `name`, or the only one there is; or what is wrong with the command line.
fn find_tenant<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Tenant, String> {
    let found = match (name, config.tenants.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(name), tenants) => tenants.iter().find(|tenant| &*tenant.name == name),
    };
    let names: Vec<&str> = config.tenants.iter().map(|tenant| &*tenant.name).collect();
    found.ok_or_else(|| {
        let mistake = name.map_or_else(
            || "the configuration has several tenants".to_owned(),
            |name| format!("there is no tenant \"{name}\""),
        );
        format!("{mistake}: write --tenant with one of {}", names.join(", "))
    })
}

fn mistakes_as_json(mistakes: &Diagnostics) -> Value {
    let findings: Vec<Value> = mistakes
        .iter()
        .map(|mistake| {
            let mut value = place_as_json(mistake.place().as_ref());
            value["severity"] = Severity::Error.name().into();
            value["about"] = "configuration".into();
            value["message"] = mistake.message.as_str().into();
            value["help"] = mistake.help.as_deref().into();
            value
        })
        .collect();
    json!({ "ok": false, "findings": findings })
}

fn place_as_json(place: Option<&Place>) -> Value {
    match place {
        Some(place) => json!({ "file": &*place.file, "line": place.line, "column": place.column }),
        None => json!({}),
    }
}

/// Prints what a command found to standard output.
fn print(text: &str) {
    // Where it can't be printed there is nobody to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints a line for people to standard error.
pub(crate) fn complain(line: impl std::fmt::Display) {
    // Where it can't be printed there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_configuration_file_may_stand_before_and_behind_the_command() {
        for line in ["scim2ldap --config x.toml serve", "scim2ldap serve --config x.toml"] {
            assert_eq!(parsed(line).unwrap().config, Path::new("x.toml"));
        }
    }

    #[test]
    fn without_a_file_the_one_in_etc_is_meant() {
        assert_eq!(parsed("scim2ldap check --json").unwrap().config, Path::new("/etc/scim2ldap/scim2ldap.toml"));
    }

    #[test]
    fn a_command_line_that_makes_no_sense_is_a_usage_error_and_help_is_not() {
        for line in ["scim2ldap", "scim2ldap fly", "scim2ldap serve --loud", "scim2ldap check extra"] {
            assert_eq!(exit_for(parsed(line).unwrap_err().kind()), Exit::Usage, "{line}");
        }
        for line in ["scim2ldap --version", "scim2ldap --help", "scim2ldap serve --help"] {
            assert_eq!(exit_for(parsed(line).unwrap_err().kind()), Exit::Good, "{line}");
        }
    }
}
