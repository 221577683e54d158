//! What most tests start from: a directory, a bridge before it, and a client of each.

use crate::harness::{
    Attributes, BASIC, Config, Daemon, Facts, Kind, Lease, Proxy, Raw, Refusal, Scim, Server, shipped,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_scim2ldap");

/// The core schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Its enterprise extension.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of a PATCH request.
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// How long a bridge waits for a directory that a test keeps away.
pub const PATIENCE: &str = "allow_plaintext = true\nconnect_timeout = 1\noperation_timeout = 1";

/// A bridge with a part of a directory to itself.
pub struct World {
    pub daemon: Daemon,
    pub scim: Scim,
    pub raw: Raw,
    /// Where this world's entries are, `ou=NAME,dc=example,dc=test`.
    pub base: String,
    pub kind: Kind,
    // Behind the daemon: the next test gets the server when this one's bridge is gone.
    lease: Option<Lease>,
}

impl World {
    /// The shipped mapping on a fresh part of the shared `OpenLDAP`, named after the test.
    pub async fn new(name: &str) -> Self {
        Self::on(Kind::OpenLdap, name).await
    }

    /// The same with changes to the configuration.
    pub async fn with(name: &str, change: impl FnOnce(Config) -> Config) -> Self {
        Self::on_with(Kind::OpenLdap, name, change).await
    }

    /// The shared `OpenLDAP` reached through `proxy`, with this much patience; the bridge has read it once.
    pub async fn behind(proxy: &Proxy, name: &str, patience: &str) -> Self {
        let world = Self::with(name, |config| config.urls(&[&proxy.url()]).directory(patience)).await;
        world.is_read();
        world
    }

    /// The same with a directory of this kind and the usual patience, and the proxy that leads there.
    pub async fn away(kind: Kind, name: &str) -> (Proxy, Self) {
        let lease = Lease::of(kind).await;
        let proxy = Proxy::to(&lease);
        let world = Self::leased(lease, name, |config| config.urls(&[&proxy.url()]).directory(PATIENCE)).await;
        world.is_read();
        (proxy, world)
    }

    /// Waits until the bridge has read the directory once.
    pub fn is_read(&self) {
        self.daemon.wait_for_log("the directory was read; an outage is invisible from now on");
    }

    /// The shipped mapping on a fresh part of a directory of this kind, named after the test.
    pub async fn on(kind: Kind, name: &str) -> Self {
        Self::on_with(kind, name, |config| config).await
    }

    /// The same with changes to the configuration.
    pub async fn on_with(kind: Kind, name: &str, change: impl FnOnce(Config) -> Config) -> Self {
        Self::leased(Lease::of(kind).await, name, change).await
    }

    /// The same on a server that the test knows already.
    pub async fn leased(lease: Lease, name: &str, change: impl FnOnce(Config) -> Config) -> Self {
        let base = lease.suffix(name).await;
        let world = Self::before(&lease, base, change).await;
        Self { lease: Some(lease), ..world }
    }

    /// A bridge before a server of the test's own.
    pub async fn before(server: &Server, base: String, change: impl FnOnce(Config) -> Config) -> Self {
        let daemon = Daemon::start(BINARY, &change(Config::for_server(server, &base)));
        let (scim, raw, kind) = (daemon.scim(BASIC), server.raw().await, server.kind());
        Self { scim, raw, daemon, base, kind, lease: None }
    }

    /// What the bridge complained about last.
    pub fn complaints(&self) -> String {
        let loud = |line: &Value| matches!(line["level"].as_str(), Some("WARN" | "ERROR"));
        let lines: Vec<String> = self.daemon.log().iter().filter(|line| loud(line)).map(Value::to_string).collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// What is special about this kind of directory.
    pub fn facts(&self) -> &'static Facts {
        self.kind.facts()
    }

    /// The user's entry, by the userName, with its operational attributes.
    pub async fn user(&self, name: &str) -> Attributes {
        self.raw.find_one(&self.base, &format!("({}={name})", self.facts().user_name)).await.1
    }

    /// Whether there is an entry of a user with this userName.
    pub async fn has_user(&self, name: &str) -> bool {
        !self.raw.find(&self.base, &format!("({}={name})", self.facts().user_name)).await.is_empty()
    }

    /// The names of the members that the directory holds; "" stands for nobody.
    pub async fn members(&self, group: &str) -> BTreeSet<String> {
        let entry = self.raw.find_one(&self.groups(), &format!("(cn={group})")).await.1;
        let name = |dn: &String| dn.split([',', '=']).nth(1).unwrap_or_default().to_owned();
        entry.get("member").map(|list| list.iter().map(name).collect()).unwrap_or_default()
    }

    /// The members of a group that has none, as the directory holds them.
    pub fn nobody(&self) -> BTreeSet<String> {
        self.facts().empty_group.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Whether the entry of this user says that the account is locked.
    pub async fn locked(&self, name: &str) -> bool {
        let (entry, facts) = (self.user(name).await, self.facts());
        let value = entry.get(facts.lock).map_or(&[][..], Vec::as_slice);
        assert!(value == [facts.locked] || value == facts.unlocked, "{}: {value:?}", facts.lock);
        value == [facts.locked]
    }

    /// Where new users go.
    pub fn people(&self) -> String {
        format!("{},{}", self.facts().people, self.base)
    }

    /// Where new groups go.
    pub fn groups(&self) -> String {
        format!("{},{}", self.facts().groups, self.base)
    }

    /// The DN of the user with this userName, as the server spells it.
    pub fn dn(&self, name: &str) -> String {
        format!("{}={name},{}", self.facts().rdn, self.people())
    }

    /// The DN of the group with this displayName, as the server spells it.
    pub fn group_dn(&self, name: &str) -> String {
        format!("{}={name},{}", self.facts().group_rdn, self.groups())
    }

    /// A user that another hand than the bridge's makes.
    pub async fn add_user(&self, name: &str, attributes: &[(&str, &[&str])]) {
        self.add_user_at(&self.dn(name), name, attributes).await;
    }

    /// The same somewhere else.
    pub async fn add_user_at(&self, dn: &str, name: &str, attributes: &[(&str, &[&str])]) {
        let facts = self.facts();
        let account: String = name.chars().take(20).collect();
        let (name, account) = ([name], [account.as_str()]);
        let given = |attribute: &str| attributes.iter().any(|(given, _)| *given == attribute);
        let mut all: Vec<(&str, &[&str])> = vec![("objectClass", facts.person), (facts.user_name, &name)];
        if self.kind == Kind::ActiveDirectory {
            all.extend([("sAMAccountName", &account as &[&str]), (facts.lock, facts.unlocked)]);
        } else {
            all.extend(["cn", "sn"].into_iter().filter(|required| !given(required)).map(|it| (it, &["x"] as &[&str])));
        }
        // Active Directory's cn is the name in the DN.
        let further = attributes.iter().filter(|(given, _)| *given != "cn" || facts.rdn != "CN");
        all.extend(further.copied());
        self.raw.add(dn, &all).await;
    }

    /// Has the directory itself give the user a password, as the helpdesk would.
    pub async fn set_password(&self, name: &str, password: &str) {
        let dn = self.dn(name);
        if self.kind == Kind::ActiveDirectory {
            self.raw.replace_bytes(&dn, "unicodePwd", &quoted_utf16(password)).await;
        } else {
            self.raw.replace(&dn, "userPassword", &[password]).await;
        }
    }

    /// Whether the user may log in with this password.
    pub async fn try_login(&self, name: &str, password: &str) -> Result<(), Refusal> {
        self.lease.as_ref().expect("a leased server").try_bind(&self.dn(name), password).await
    }

    /// What differs between two states of an entry, without what follows from its DN.
    pub fn changes(&self, before: &Attributes, after: &Attributes) -> Vec<String> {
        let derived = |change: &String| self.facts().derived.iter().any(|name| change.starts_with(&format!("{name}:")));
        changes(before, after).into_iter().filter(|change| !derived(change)).collect()
    }
}

/// The shipped mapping, but new accounts of Active Directory get no password, and are disabled.
pub fn without_passwords(kind: Kind, config: Config) -> Config {
    if kind != Kind::ActiveDirectory {
        return config;
    }
    let table = std::fs::read_to_string(shipped(kind.facts().mapping)).unwrap();
    config.mapping_text(&table.replace("initial_password = \"random\"", "initial_password = \"none\""))
}

/// A password as Active Directory takes it (MS-ADTS 3.1.1.3.1.5).
fn quoted_utf16(password: &str) -> Vec<u8> {
    format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// What differs between two states of an entry, for an assertion in one piece: `"title: [A] -> [B]"`, sorted. Clocks and
/// change counters are left out.
pub fn changes(before: &Attributes, after: &Attributes) -> Vec<String> {
    let clock = |name: &str| Kind::ALL.iter().any(|kind| kind.facts().clocks.contains(&name));
    let names = before.keys().chain(after.keys()).collect::<BTreeSet<_>>();
    let show = |values: Option<&Vec<String>>| format!("[{}]", values.map_or(String::new(), |values| values.join(", ")));
    names
        .into_iter()
        .filter(|name| !clock(name) && before.get(*name) != after.get(*name))
        .map(|name| format!("{name}: {} -> {}", show(before.get(name)), show(after.get(name))))
        .collect()
}

/// What Okta sends to create a user: a password that nobody asked for and an empty `groups`, always.
pub fn okta_user(user_name: &str, given: &str, family: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": user_name,
        "name": {"givenName": given, "familyName": family},
        "emails": [{"primary": true, "value": user_name, "type": "work"}],
        "displayName": format!("{given} {family}"),
        "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7",
        "groups": [],
        "password": "1mz050nq",
        "active": true
    })
}

/// A PATCH request.
pub fn patch(operations: &Value) -> Value {
    json!({"schemas": [PATCH], "Operations": operations})
}

/// A command of the program that ended.
pub struct Ran {
    pub code: Option<i32>,
    /// Standard output, with `DIR` for the folder of the configuration.
    pub out: String,
    /// Standard error, likewise.
    pub err: String,
}

/// Writes the configuration to a folder of its own and runs a command of the program with it.
pub fn run(config: &Config, arguments: &[&str]) -> Ran {
    run_with(config, arguments, &[], "")
}

/// The same with environment variables, and something to read on standard input.
pub fn run_with(config: &Config, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Ran {
    use std::io::Write as _;
    let folder = tempfile::tempdir().expect("a scratch directory");
    let file = config.write(folder.path());
    let mut command = std::process::Command::new(BINARY);
    command.args(arguments).arg("--config").arg(file).envs(environment.iter().copied());
    let (stdin, piped) = (std::process::Stdio::piped(), std::process::Stdio::piped);
    let mut child = command.stdin(stdin).stdout(piped()).stderr(piped()).spawn().expect("the program");
    // Who reads nothing may be gone already.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program's output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&*folder.path().to_string_lossy(), "DIR");
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}
