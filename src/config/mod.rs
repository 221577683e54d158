//! The configuration file, and the mapping files that it names.
//!
//! [`Config::load`] reads everything that the daemon needs to know: the file, the environment laid over it, the
//! secrets and the mapping tables. Either all of it is right, or every mistake in any of these files is reported at
//! once. `conf/scim2ldap.toml` explains every key.

mod directory;
mod environment;
mod mappings;
mod secret;
mod server;
mod store;
mod tenant;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use directory::{DirectoryConfig, WhenUnreachable};
pub use server::{Listen, Log, LogFormat, Server, Tls};
pub use store::Store;
pub use tenant::{Credential, PatchAnswer, PatchResponse, Tenant};

use crate::tables::{Diagnostic, Diagnostics, Findings, Origin, Source, Spot, TableReader, Warning, document};

/// Where the file is looked for when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/scim2ldap/scim2ldap.toml";

/// The configuration, complete and right.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// What identity providers talk to.
    pub server: Server,
    /// What outlives the process.
    pub store: Store,
    /// What is logged.
    pub log: Log,
    /// The LDAP directories, in the order of the file.
    pub directories: Vec<DirectoryConfig>,
    /// The identity providers, in the order of the file.
    pub tenants: Vec<Tenant>,
    /// What works but is not as it should be.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Reads the file at `path`, with the environment of this process laid over it, and the mapping of every tenant.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        Self::read(path, None)
    }

    /// As [`load`](Self::load), with these environment variables in place of those of the process.
    pub fn load_with(path: &Path, environment: HashMap<String, String>) -> Result<Self, Diagnostics> {
        Self::read(path, Some(environment))
    }

    /// The directory called `name`.
    #[must_use]
    pub fn directory(&self, name: &str) -> Option<&DirectoryConfig> {
        self.directories.iter().find(|directory| directory.settings.name == name)
    }

    fn read(path: &Path, environment: Option<HashMap<String, String>>) -> Result<Self, Diagnostics> {
        let source = Arc::new(read_file(path).map_err(Diagnostics::from)?);
        let findings = Findings::new();
        let mut table = document::parse(&source, &findings);
        environment::overlay(&mut table, environment, &findings);
        let spot = Spot { origin: Origin::File(source), span: 0..0 };
        let root = TableReader::new(&table, "the configuration", spot, &findings);
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = read_tables(path, folder, &root);
        root.finish();
        let warnings = findings.take_warnings();
        findings.into_result(config.map(|config| Self { warnings, ..config }))
    }
}

fn read_tables(path: &Path, folder: &Path, root: &TableReader<'_>) -> Option<Config> {
    let server = server::server(root, folder);
    let store = store::store(root, folder);
    let log = server::log(root);
    let directories = directory::directories(root, folder);
    let tenants = tenant::tenants(root, folder);
    tenant::check(&tenants, server.as_ref(), root);
    let tenants = mappings::load(tenants, &directories, root.findings());
    Some(Config {
        path: path.to_owned(),
        server: server?,
        store: store?,
        log: log?,
        directories: directories.into_iter().map(|named| named.config).collect::<Option<_>>()?,
        tenants: tenants?,
        warnings: Vec::new(),
    })
}

/// Reads a text file; the diagnostic is about the file as a whole.
fn read_file(path: &Path) -> Result<Source, Diagnostic> {
    let name = path.display().to_string();
    let reason = match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Ok(Source { name, text }),
        Ok(Err(_)) => "it is not UTF-8".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Diagnostic {
        message: format!("can't read {name}: {reason}"),
        origin: Origin::File(Arc::new(Source { name, text: String::new() })),
        span: None,
        help: Some("name the configuration file with --config, and let the user scim2ldap read it".to_owned()),
    })
}
