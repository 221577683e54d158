//! What most tests start from: a directory, a bridge before it, and a client of each.

use crate::harness::{Attributes, BASIC, Config, Daemon, Raw, Scim, Slapd};
use serde_json::{Value, json};

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_scim2ldap");

/// The core schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Its enterprise extension.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of a PATCH request.
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A bridge with a part of the shared directory to itself.
pub struct World {
    pub daemon: Daemon,
    pub scim: Scim,
    pub raw: Raw,
    /// Where this world's entries are, `ou=NAME,dc=example,dc=test`.
    pub base: String,
}

impl World {
    /// The shipped mapping on a fresh part of the shared directory, named after the test.
    pub async fn new(name: &str) -> Self {
        Self::with(name, |config| config).await
    }

    /// The same with changes to the configuration.
    pub async fn with(name: &str, change: impl FnOnce(Config) -> Config) -> Self {
        let slapd = Slapd::shared();
        let base = slapd.suffix(name).await;
        Self::on(slapd, base, change).await
    }

    /// A bridge to another server.
    pub async fn on(slapd: &Slapd, base: String, change: impl FnOnce(Config) -> Config) -> Self {
        let daemon = Daemon::start(BINARY, &change(Config::for_slapd(slapd, &base)));
        Self { scim: daemon.scim(BASIC), raw: slapd.raw().await, daemon, base }
    }

    /// The user's entry, by its `uid`, with its operational attributes.
    pub async fn user(&self, uid: &str) -> Attributes {
        self.raw.find_one(&self.base, &format!("(uid={uid})")).await.1
    }

    /// Where new users go.
    pub fn people(&self) -> String {
        format!("ou=people,{}", self.base)
    }
}

/// What differs between two states of an entry, for an assertion in one piece: `"title: [A] -> [B]"`, sorted. Clocks and
/// change counters are left out.
pub fn changes(before: &Attributes, after: &Attributes) -> Vec<String> {
    const CLOCKS: [&str; 4] = ["entryCSN", "modifyTimestamp", "modifiersName", "pwdChangedTime"];
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let show = |values: Option<&Vec<String>>| format!("[{}]", values.map_or(String::new(), |values| values.join(", ")));
    names
        .into_iter()
        .filter(|name| !CLOCKS.contains(&name.as_str()) && before.get(*name) != after.get(*name))
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
