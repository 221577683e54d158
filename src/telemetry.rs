//! Logs: one line for each event, to standard error, for people or as JSON.

use std::env;
use std::io::{self, IsTerminal as _};
use std::panic;

use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;

/// The log can't be written as asked for.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The filter is not one.
    #[error("{origin}: \"{filter}\" is no log level or filter ({reason}); use for instance info or scim2ldap=debug")]
    Filter {
        /// Where the filter stands.
        origin: &'static str,
        /// The filter.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else in this process writes the log already.
    #[error("the log is set up already")]
    Twice,
}

/// What the libraries say about themselves at these levels says nothing about the bridge. The environment overrides it.
const QUIET: &str = "actix_server=warn,actix_http=warn,h2=warn,mio=warn,rustls=warn";

/// The environment variables that go before the configured level.
const VARIABLES: [&str; 2] = ["SCIM2LDAP_LOG", "RUST_LOG"];

/// Begins to log events of `level` (or as the environment has it, in the way of `tracing`'s filters) in `format`.
pub fn start(level: &str, format: LogFormat) -> Result<(), LogFault> {
    let filter = filter(level, |name| env::var(name).ok())?;
    // A log that can't be written, as on a full disk, must end no request: the library would tell it on the same
    // standard error, and panic when that fails.
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false);
    match format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).try_init(),
    }
    .map_err(|_| LogFault::Twice)?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place, reason = panic.payload_as_str(), "bug: a part of the program gave up");
    }));
    Ok(())
}

/// The filter that the environment asks for, or else the configuration.
fn filter(level: &str, environment: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, LogFault> {
    let set =
        |name: &'static str| environment(name).filter(|value| !value.trim().is_empty()).map(|value| (name, value));
    let (origin, filter) =
        VARIABLES.into_iter().find_map(set).unwrap_or_else(|| ("log.level", format!("{QUIET},{level}")));
    // The LDAP library warns by printing whole answers, which hold what the directory knows of people.
    let filter = if filter.contains("ldap3") { filter } else { format!("{filter},ldap3=off") };
    EnvFilter::try_new(&filter).map_err(|error| LogFault::Filter { origin, filter, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_none_is_refused_with_the_place_it_stands_at() {
        let fault = filter("scim2ldap=loud", |_| None).unwrap_err().to_string();
        assert!(fault.contains("log.level") && fault.contains("loud"), "{fault}");
        let fault = filter("info", |name| (name == "RUST_LOG").then(|| "x=loud".to_owned())).unwrap_err().to_string();
        assert!(fault.contains("RUST_LOG"), "{fault}");
    }

    #[test]
    fn the_environment_goes_before_the_configuration_and_an_empty_variable_counts_for_nothing() {
        let both = |name: &str| Some(if name == "RUST_LOG" { "trace" } else { "debug" }.to_owned());
        assert!(filter("info", both).unwrap().to_string().ends_with("debug"));
        assert!(filter("info", |_| Some(" ".to_owned())).unwrap().to_string().ends_with("info"));
    }
}
