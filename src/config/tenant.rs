//! `[tenant.NAME]` and its credentials.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::directory::check_names;
use super::secret::secret;
use super::server::Server;
use crate::mapping::Mapping;
use crate::mapping::protect::Protect;
use crate::tables::{Located, Origin, Place, Spot, TableReader};

/// One identity provider's view of a directory.
#[expect(clippy::struct_excessive_bools, reason = "switches that do not depend on one another")]
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its name in the file.
    pub name: Arc<str>,
    /// Where the file describes it.
    pub place: Place,
    /// Follows `public_url`; begins with a slash and doesn't end with one. Empty: the tenant has the whole server.
    pub path: String,
    /// The name of its directory.
    pub directory: String,
    /// The file that `mapping` was read from.
    pub mapping_path: PathBuf,
    /// How users and groups look in the directory.
    pub mapping: Arc<Mapping>,
    /// Groups are served.
    pub groups: bool,
    /// Bulk requests are served.
    pub bulk: bool,
    /// Requests are served.
    pub enabled: bool,
    /// What a PATCH is answered with.
    pub patch_response: PatchResponse,
    /// Passwords in requests are set in the directory.
    pub password_sync: bool,
    /// What is never written.
    pub protect: Arc<[Protect]>,
    /// What the identity provider may present, besides tokens that were made on the command line.
    pub credentials: Vec<Credential>,
}

/// What a PATCH is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchResponse {
    /// For a user.
    pub user: PatchAnswer,
    /// For a group.
    pub group: PatchAnswer,
}

/// What a PATCH is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchAnswer {
    /// 200 and the resource.
    Resource,
    /// 204 and nothing.
    NoContent,
}

/// How an identity provider proves who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// HTTP Basic (RFC 7617).
    Basic {
        /// Without a colon.
        username: String,
        /// Never empty.
        password: SecretString,
    },
    /// `Authorization: Bearer` (RFC 6750).
    Bearer {
        /// Never empty.
        token: SecretString,
    },
    /// The bare token in a header.
    Header {
        /// The header.
        name: String,
        /// Never empty.
        token: SecretString,
    },
}

/// A tenant as the file has it; what is wrong is reported and missing.
#[expect(clippy::struct_excessive_bools, reason = "switches that do not depend on one another")]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) spot: Spot,
    pub(super) path: Option<Located<String>>,
    pub(super) directory: Option<Located<String>>,
    pub(super) mapping: Option<Located<PathBuf>>,
    pub(super) groups: bool,
    /// Where `groups` stands, if it does.
    pub(super) groups_spot: Option<Spot>,
    pub(super) bulk: bool,
    pub(super) enabled: bool,
    pub(super) patch_response: PatchResponse,
    pub(super) password_sync: bool,
    /// Where `password_sync` stands, if it does.
    pub(super) password_sync_spot: Option<Spot>,
    pub(super) protect: Vec<Located<String>>,
    pub(super) credentials: Vec<Credential>,
}

impl Written {
    /// The tenant with its mapping and what it protects, if all of it is right.
    pub(super) fn finish(self, mapping: Option<Arc<Mapping>>, protect: Option<Arc<[Protect]>>) -> Option<Tenant> {
        Some(Tenant {
            name: self.name.into(),
            place: self.spot.place(),
            path: self.path?.value,
            directory: self.directory?.value,
            mapping_path: self.mapping?.value,
            mapping: mapping?,
            groups: self.groups,
            bulk: self.bulk,
            enabled: self.enabled,
            patch_response: self.patch_response,
            password_sync: self.password_sync,
            protect: protect?,
            credentials: self.credentials,
        })
    }
}

pub(super) fn tenants(root: &TableReader<'_>, folder: &Path) -> Vec<Written> {
    let named = root.named_tables("tenant");
    check_names(root, "tenant", named.iter().map(|(key, _)| *key));
    named.into_iter().map(|(key, reader)| tenant(&key.name, reader, folder)).collect()
}

fn tenant(name: &str, reader: TableReader<'_>, folder: &Path) -> Written {
    let groups = reader.optional::<bool>("groups");
    let enabled = reader.optional::<bool>("enabled").is_none_or(|it| it.value);
    let password_sync = reader.optional::<bool>("password_sync");
    let mapping = reader.required::<String>("mapping", "\"mapping/openldap.toml\"");
    let written = Written {
        name: name.to_owned(),
        spot: reader.spot().clone(),
        path: path(&reader),
        directory: reader.required("directory", "\"NAME\""),
        mapping: mapping.map(|it| Located { value: folder.join(&it.value), spot: it.spot }),
        groups: groups.as_ref().is_none_or(|it| it.value),
        groups_spot: groups.map(|it| it.spot),
        bulk: reader.optional::<bool>("bulk").is_some_and(|it| it.value),
        enabled,
        patch_response: patch_response(&reader),
        password_sync: password_sync.as_ref().is_some_and(|it| it.value),
        password_sync_spot: password_sync.map(|it| it.spot),
        protect: protect(&reader),
        credentials: credentials(&reader, folder),
    };
    reader.finish();
    written
}

/// The lines of `protect` as they are written.
fn protect(reader: &TableReader<'_>) -> Vec<Located<String>> {
    let Some(lines) = reader.optional::<Vec<Located<String>>>("protect") else { return Vec::new() };
    if matches!(lines.spot.origin, Origin::Variable(_)) {
        let help =
            "write `protect` in the file: its names have commas, and so have lists in the environment".to_owned();
        reader.findings().report(&lines.spot, "`protect` can't be set in the environment", help);
        return Vec::new();
    }
    lines.value
}

fn path(reader: &TableReader<'_>) -> Option<Located<String>> {
    let path = reader.required::<String>("path", "\"/scim/v2\"")?;
    let value = path.trim_end_matches('/').to_owned();
    let fits = |segment: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        !matches!(segment, "" | "." | "..") && segment.chars().all(allowed)
    };
    let problem = if !path.starts_with('/') {
        Some(("`path` must begin with a slash", format!("write `path = \"/{}\"`", path.trim_start_matches('/'))))
    } else if !value.split('/').skip(1).all(fits) {
        let help = "write segments of letters, digits, `-`, `.`, `_` and `~`: path = \"/scim/v2\"".to_owned();
        Some(("`path` can't be part of a URL as it is", help))
    } else {
        None
    };
    if let Some((message, help)) = problem {
        reader.findings().report(&path.spot, message, help);
        return None;
    }
    Some(Located { value, spot: path.spot })
}

fn patch_response(reader: &TableReader<'_>) -> PatchResponse {
    let default = PatchResponse { user: PatchAnswer::Resource, group: PatchAnswer::NoContent };
    let Some(inner) = reader.table("patch_response") else { return default };
    let words = [("resource", PatchAnswer::Resource), ("no_content", PatchAnswer::NoContent)];
    let answer = |key, default| inner.choice(key, &words).map_or(default, |it| it.value);
    let response = PatchResponse { user: answer("user", default.user), group: answer("group", default.group) };
    inner.finish();
    response
}

fn credentials(reader: &TableReader<'_>, folder: &Path) -> Vec<Credential> {
    let name = format!("this credential of {}", reader.name());
    let example = "[[tenant.NAME.credential]] on a line of its own and its keys below it";
    let tables = reader.list_of_tables("credential", &name, example);
    tables.into_iter().filter_map(|table| credential(table, folder)).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum CredentialKind {
    Basic,
    Bearer,
    Header,
}

fn credential(reader: TableReader<'_>, folder: &Path) -> Option<Credential> {
    let words =
        [("basic", CredentialKind::Basic), ("bearer", CredentialKind::Bearer), ("header", CredentialKind::Header)];
    if reader.node("kind").is_none() {
        reader.missing("kind", "\"basic\"");
    }
    let kind = reader.choice("kind", &words).map(|it| it.value);
    let username = reader.optional::<String>("username");
    let name = reader.optional::<String>("name");
    for key in ["password", "password_file", "token", "token_file"] {
        reader.node(key);
    }
    let credential = kind.and_then(|kind| {
        foreign_keys(&reader, kind);
        match kind {
            CredentialKind::Basic => {
                let password = secret(&reader, folder, "password", "password_file");
                let username = basic_user(&reader, username);
                Some(Credential::Basic { username: username?, password: password? })
            }
            CredentialKind::Bearer => Some(Credential::Bearer { token: token(&reader, folder)? }),
            CredentialKind::Header => {
                let token = token(&reader, folder);
                let name = header_name(&reader, name);
                Some(Credential::Header { name: name?, token: token? })
            }
        }
    });
    reader.finish();
    credential
}

/// Keys of another kind of credential.
fn foreign_keys(reader: &TableReader<'_>, kind: CredentialKind) {
    let (word, foreign): (_, &[&'static str]) = match kind {
        CredentialKind::Basic => ("basic", &["token", "token_file", "name"]),
        CredentialKind::Bearer => ("bearer", &["username", "password", "password_file", "name"]),
        CredentialKind::Header => ("header", &["username", "password", "password_file"]),
    };
    for key in foreign {
        if let Some(node) = reader.node(key) {
            let help = match kind {
                CredentialKind::Basic => "a basic credential has `username` and `password` or `password_file`",
                CredentialKind::Bearer => "a bearer credential has `token` or `token_file`",
                CredentialKind::Header => "a header credential has `token` or `token_file`, and perhaps `name`",
            };
            let message = format!("`{key}` doesn't belong to a {word} credential");
            reader.findings().report(&node.spot, message, help.to_owned());
        }
    }
}

fn basic_user(reader: &TableReader<'_>, username: Option<Located<String>>) -> Option<String> {
    if reader.node("username").is_none() {
        reader.missing("username", "\"scim-user\"");
    }
    let username = username?;
    if username.is_empty() || username.contains(':') || username.chars().any(char::is_control) {
        let help = "write a name without colons, because a colon ends it in HTTP Basic".to_owned();
        reader.findings().report(&username.spot, "`username` can't be used with HTTP Basic", help);
        return None;
    }
    Some(username.value)
}

/// A token travels in a header, so it is made of visible ASCII characters.
fn token(reader: &TableReader<'_>, folder: &Path) -> Option<SecretString> {
    let token = secret(reader, folder, "token", "token_file")?;
    if !token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        let spot = reader.node("token").or_else(|| reader.node("token_file")).map_or(reader.spot(), |node| &node.spot);
        let help = "use letters, digits and signs without accents or blanks".to_owned();
        reader.findings().report(spot, "the token has a character that can't stand in a header", help);
        return None;
    }
    Some(token)
}

fn header_name(reader: &TableReader<'_>, name: Option<Located<String>>) -> Option<String> {
    let Some(name) = name else {
        return reader.node("name").is_none().then(|| "Authorization".to_owned());
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        let help = "write it like \"X-Api-Key\"".to_owned();
        reader.findings().report(&name.spot, format!("\"{}\" can't be the name of a header", name.value), help);
        return None;
    }
    Some(name.value)
}

/// Checks across tenants.
pub(super) fn check(tenants: &[Written], server: Option<&Server>, root: &TableReader<'_>) {
    if tenants.is_empty() && root.node("tenant").is_none() && !root.findings().is_broken(&root.spot().origin) {
        let help = "add [tenant.NAME] with path, directory and mapping; conf/scim2ldap.toml has an example".to_owned();
        root.findings().report(root.spot(), "there is no tenant, so nobody could use this server", help);
    }
    for (at, tenant) in tenants.iter().enumerate() {
        let Some(path) = &tenant.path else { continue };
        for other in tenants.iter().take(at) {
            let Some(other_path) = &other.path else { continue };
            let within = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
            let message = if path.value == other_path.value {
                format!("tenant {} has the same `path`", other.name)
            } else if within(&path.value, &other_path.value) || within(&other_path.value, &path.value) {
                format!("tenant {} has `path` \"{}\", and one lies within the other", other.name, other_path.value)
            } else {
                continue;
            };
            let help = format!("give each a path of its own, such as \"/{}/scim/v2\"", tenant.name);
            root.findings().report(&path.spot, message, help);
        }
        let public_url = server.map(|server| server.public_url.as_str()).unwrap_or_default();
        if !path.value.is_empty() && public_url.ends_with(path.value.as_str()) {
            let message = format!("the URL of this tenant would be {public_url}{}", path.value);
            let help = "`public_url` is the address without the tenant's path: leave the path out there".to_owned();
            root.findings().report(&path.spot, message, help);
        }
    }
}
