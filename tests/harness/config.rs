//! Configurations for the daemon under test.

use super::{Credential, Server};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The tenant's Basic credential.
pub const BASIC: Credential<'static> = Credential::Basic("scim-user", "Basic-Secret-41");
/// The tenant's Bearer credential.
pub const BEARER: Credential<'static> = Credential::Bearer("Bearer-Secret-42-0123456789abcdef");
/// The tenant's raw credential in a header of its own.
pub const HEADER: Credential<'static> = Credential::Header("X-Scim-Token", "Header-Secret-43-0123456789abcdef");

/// `scim2ldap.toml`, one directory named `corp` and one tenant named `okta` at `/scim/v2`.
///
/// The sections can be extended line by line; [`Config::from_text`] takes a whole file instead.
#[derive(Clone, Debug)]
pub struct Config {
    whole: Option<String>,
    server: String,
    directory: String,
    urls: Vec<String>,
    tenant: String,
    store: String,
    log: String,
    further: String,
    mapping: Mapping,
    secrets: Vec<String>,
    files: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Mapping {
    File(PathBuf),
    Text(String),
}

impl Config {
    /// The bridge's account on this `OpenLDAP`, and the rest as [`Config::for_server`] has it.
    pub fn for_slapd(slapd: &Server, base_dn: &str) -> Self {
        Self::for_server(slapd, base_dn)
    }

    /// The bridge's account on this server, by ldaps, everything below `base_dn`, with the shipped mapping of its kind.
    pub fn for_server(server: &Server, base_dn: &str) -> Self {
        let (bind_dn, password) = server.service_account();
        let mut directory = String::new();
        for (key, value) in [
            ("kind", server.facts().text),
            ("bind_dn", bind_dn),
            ("bind_password", password),
            ("ca_file", &server.ca_file().to_string_lossy()),
            ("base_dn", base_dn),
        ] {
            let _ = writeln!(directory, "{key} = {}", quoted(value));
        }
        Self {
            whole: None,
            server: "listen = \"127.0.0.1:0\"\n".to_owned(),
            directory,
            urls: vec![server.tls_url()],
            tenant: String::new(),
            store: "url = \"sqlite:store.db\"\n".to_owned(),
            log: "info".to_owned(),
            further: String::new(),
            mapping: Mapping::File(shipped(server.facts().mapping)),
            secrets: vec![password.to_owned()],
            files: Vec::new(),
        }
    }

    /// A whole configuration file.
    pub fn from_text(text: &str) -> Self {
        Self {
            whole: Some(text.to_owned()),
            server: String::new(),
            directory: String::new(),
            urls: Vec::new(),
            tenant: String::new(),
            store: "url = \"sqlite:store.db\"\n".to_owned(),
            log: "info".to_owned(),
            further: String::new(),
            mapping: Mapping::Text(String::new()),
            secrets: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Other URLs of the directory than its ldaps port: through a proxy, several, by `StartTLS` ...
    #[must_use]
    pub fn urls(mut self, urls: &[&str]) -> Self {
        self.urls = urls.iter().map(|url| (*url).to_owned()).collect();
        self
    }

    /// Servers that are looked up: `lines` in place of the URLs.
    #[must_use]
    pub fn srv(mut self, lines: &str) -> Self {
        self.urls.clear();
        self.directory(lines)
    }

    /// Another way to bind: `lines` in place of the account and its password.
    #[must_use]
    pub fn bind(mut self, lines: &str) -> Self {
        self.drop_from_directory("bind_");
        self.directory(lines)
    }

    /// Other authorities than the server's own.
    #[must_use]
    pub fn ca_file(mut self, path: &Path) -> Self {
        self.drop_from_directory("ca_file");
        self.directory(&format!("ca_file = {}", quoted(&path.to_string_lossy())))
    }

    fn drop_from_directory(&mut self, key: &str) {
        self.directory = self.directory.split_inclusive('\n').filter(|line| !line.starts_with(key)).collect();
    }

    /// A mapping table of one's own.
    #[must_use]
    pub fn mapping_text(mut self, text: &str) -> Self {
        self.mapping = Mapping::Text(text.to_owned());
        self
    }

    /// Another mapping file.
    #[must_use]
    pub fn mapping_file(mut self, path: &Path) -> Self {
        self.mapping = Mapping::File(path.to_owned());
        self
    }

    /// Lines for `[server]`, in place of the listener on a free port.
    #[must_use]
    pub fn server(mut self, lines: &str) -> Self {
        self.server = format!("{lines}\n");
        self
    }

    /// More lines for `[directory.corp]`.
    #[must_use]
    pub fn directory(mut self, lines: &str) -> Self {
        let _ = writeln!(self.directory, "{lines}");
        self
    }

    /// More lines for `[tenant.okta]`.
    #[must_use]
    pub fn tenant(mut self, lines: &str) -> Self {
        let _ = writeln!(self.tenant, "{lines}");
        self
    }

    /// More lines for `[store]`, whose file lies beside the configuration.
    #[must_use]
    pub fn store(mut self, lines: &str) -> Self {
        let _ = writeln!(self.store, "{lines}");
        self
    }

    /// Another level of the log than `info`, for instance `trace`.
    #[must_use]
    pub fn log(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log);
        self
    }

    /// A file beside the configuration.
    #[must_use]
    pub fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// More sections at the end of the file.
    #[must_use]
    pub fn further(mut self, sections: &str) -> Self {
        let _ = writeln!(self.further, "{sections}");
        self
    }

    /// Every secret the configuration holds: none of them may ever show up in a log or an answer.
    pub fn secrets(&self) -> Vec<String> {
        let credentials = [BASIC, BEARER, HEADER].map(|credential| credential.secret().to_owned());
        self.secrets.iter().cloned().chain(credentials).collect()
    }

    /// Writes the files to `folder` and returns the path of `scim2ldap.toml`.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let mapping = match &self.mapping {
            Mapping::File(path) => path.clone(),
            Mapping::Text(text) => {
                fs::write(folder.join("mapping.toml"), text).expect("the mapping table");
                PathBuf::from("mapping.toml")
            }
        };
        for (name, content) in &self.files {
            fs::write(folder.join(name), content).expect("a file beside the configuration");
        }
        let file = folder.join("scim2ldap.toml");
        fs::write(&file, self.whole.clone().unwrap_or_else(|| self.text(&mapping))).expect("the configuration");
        file
    }

    fn text(&self, mapping: &Path) -> String {
        let Self { server, directory, tenant, store, log, further, .. } = self;
        let urls: Vec<String> = self.urls.iter().map(|url| quoted(url)).collect();
        let urls = if urls.is_empty() { String::new() } else { format!("urls = [{}]\n", urls.join(", ")) };
        let mapping = quoted(&mapping.to_string_lossy());
        let mut text = format!(
            "[log]\nformat = \"json\"\nlevel = {log:?}\n\n[server]\n{server}\n[directory.corp]\n{urls}{directory}\n[tenant.okta]\n\
             path = \"/scim/v2\"\ndirectory = \"corp\"\nmapping = {mapping}\n{tenant}\n"
        );
        for credential in [BASIC, BEARER, HEADER] {
            let _ = writeln!(text, "[[tenant.okta.credential]]\n{}", credential.to_toml());
        }
        let _ = writeln!(text, "[store]\n{store}");
        text.push_str(further);
        text
    }
}

/// A file of the shipped configuration, `conf/...`.
pub fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)
}

/// A TOML string.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
