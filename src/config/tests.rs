use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use insta::assert_snapshot;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::directory::{Bind, Kind};
use crate::store::StoreUrl;

/// A folder with a configuration in it and what it refers to.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir(place.0.path().join("mapping")).unwrap();
        for name in ["openldap", "active-directory", "389ds"] {
            let file = format!("mapping/{name}.toml");
            place.write(&file, &fs::read_to_string(repository().join("conf").join(&file)).unwrap());
        }
        place.write("bind", "bind secret\n");
        place.write("okta", "okta-secret");
        place.write("empty", "\n");
        place.write("lines", "a\nb\n");
        place.write("ca.pem", "nothing");
        place.write("store-key", &"0f".repeat(32));
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn load(&self, text: &str, variables: &[(&str, &str)]) -> Result<Config, Diagnostics> {
        self.write("scim2ldap.toml", text);
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load_with(&self.0.path().join("scim2ldap.toml"), variables.collect())
    }

    /// What is said about `text`, with the folder left out.
    fn complaint(&self, text: &str, variables: &[(&str, &str)]) -> String {
        let folder = format!("{}/", self.0.path().display());
        self.load(text, variables).map(|_| ()).expect_err(text).to_string().replace(&folder, "")
    }
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

const DIRECTORY: &str = "[directory.corp]\nkind = \"openldap\"\nurls = \"ldaps://ldap.example.com\"\n\
    base_dn = \"dc=example,dc=com\"\nbind_dn = \"cn=scim,dc=example,dc=com\"\nbind_password_file = \"bind\"\n";
const TENANT: &str = "[tenant.okta]\npath = \"/scim/v2\"\ndirectory = \"corp\"\nmapping = \"mapping/openldap.toml\"\n";
const CREDENTIAL: &str =
    "[[tenant.okta.credential]]\nkind = \"basic\"\nusername = \"scim-user\"\npassword_file = \"okta\"\n";

/// A configuration that is right, with lines of `[server]` in front.
fn right(server: &str) -> String {
    format!("[server]\n{server}\n{DIRECTORY}{TENANT}{CREDENTIAL}")
}

/// A right configuration with one line exchanged (or added, when `old` ends a table's heading).
fn changed(old: &str, new: &str) -> String {
    let text = right("");
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}

#[test]
fn a_short_file_gets_every_default() {
    let config = Place::new().load(&right(""), &[]).unwrap();
    let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    assert_eq!(config.server.listen, [Listen::Address(address)]);
    assert_eq!(config.server.public_url, "http://127.0.0.1:8080");
    assert_eq!(config.server.max_body, 8 << 20);
    assert!(matches!(&config.store.settings.url, StoreUrl::Sqlite(path) if path.ends_with("scim2ldap/store.db")));
    assert_eq!(config.log, Log { level: "info".to_owned(), format: LogFormat::Human });
    let corp = config.directory("corp").unwrap();
    assert_eq!(corp.settings.kind, Kind::OpenLdap);
    assert_eq!(corp.settings.operation_timeout, Duration::from_secs(20));
    let Bind::Simple { password, .. } = &corp.settings.bind else { panic!() };
    assert_eq!(password.expose_secret(), "bind secret");
    let okta = &config.tenants[0];
    assert!(okta.groups && okta.enabled && !okta.bulk && !okta.password_sync);
    assert_eq!(okta.patch_response, PatchResponse { user: PatchAnswer::Resource, group: PatchAnswer::NoContent });
    let Credential::Basic { password, .. } = &okta.credentials[0] else { panic!() };
    assert_eq!(password.expose_secret(), "okta-secret");
}

#[test]
fn the_store_and_its_key_are_found_beside_the_file() {
    let place = Place::new();
    let text = format!("[store]\nurl = \"sqlite:store.db\"\nkey_file = \"store-key\"\n{}", right(""));
    let store = place.load(&text, &[]).unwrap().store;
    assert!(matches!(&store.settings.url, StoreUrl::Sqlite(path) if *path == place.0.path().join("store.db")));
    let sealed = store.key.unwrap().seal(b"secret", b"").unwrap();
    let same = crate::store::seal::SealKey::read(&[0x0f; 32]).unwrap();
    assert_eq!(**same.open(&sealed, b"").unwrap(), *b"secret");
}

#[test]
fn a_tenant_may_live_by_tokens_that_are_made_on_the_command_line() {
    for credential in ["", "credential = []"] {
        let config = Place::new().load(&changed(CREDENTIAL, credential), &[]).unwrap();
        assert!(config.tenants[0].enabled && config.tenants[0].credentials.is_empty());
    }
}

#[test]
fn secrets_never_show() {
    let place = Place::new();
    let text = changed("password_file = \"okta\"", "password = \"geheim\"");
    let config = place.load(&text, &[("SCIM2LDAP__STORE__URL", "postgres://me:geheim@db/x")]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("geheim") && !shown.contains("okta-secret") && !shown.contains("bind secret"), "{shown}");
}

#[test]
fn the_shipped_file_is_right_and_so_are_the_keys_that_are_commented_out() {
    let place = Place::new();
    place.write("tls.pem", "");
    place.write("okta-token", "geheim");
    let own = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    place.write("ca.pem", &own.cert.pem());
    place.write("ca.key", &own.signing_key.serialize_pem());
    let shipped = fs::read_to_string(repository().join("conf/scim2ldap.toml")).unwrap();
    let here = shipped.replace("/run/credentials/scim2ldap.service/", "");
    let config = place.load(&here, &[]).unwrap();
    assert_eq!(config.server.public_url, "https://scim.example.com");
    let uncommented: Vec<String> = here
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => key.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let all = uncommented.join("\n");
    let all =
        all.replace("/etc/scim2ldap/tls/fullchain.pem", "tls.pem").replace("/etc/scim2ldap/tls/privkey.pem", "tls.pem");
    let all = all.replace("/etc/ssl/certs/corp-ca.pem", "ca.pem");
    let all = all.replace("/etc/scim2ldap/tls/client.pem", "ca.pem").replace("/etc/scim2ldap/tls/client.key", "ca.key");
    let full = place.load(&all, &[]).unwrap();
    assert_eq!(full.tenants[0].credentials.len(), 3);
    assert!(full.server.tls.is_some() && full.store.key.is_some());
    // What is commented out is the default.
    assert_eq!(full.log, config.log);
    assert_eq!(full.server.max_body, config.server.max_body);
    let (full, short) = (&full.directories[0], &config.directories[0]);
    assert_eq!(full.settings.connect_timeout, short.settings.connect_timeout);
    assert_eq!(full.settings.operation_timeout, short.settings.operation_timeout);
    assert_eq!(full.settings.connections, short.settings.connections);
    assert_eq!(full.settings.page_size, short.settings.page_size);
    assert_eq!(full.when_unreachable, short.when_unreachable);
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = Place::new()
        .load(
            &right("listen = \"127.0.0.1:1\""),
            &[
                ("SCIM2LDAP__SERVER__LISTEN", "127.0.0.1:2,[::1]:3"),
                ("SCIM2LDAP__SERVER__WORKERS", "3"),
                ("SCIM2LDAP__DIRECTORY__CORP__URLS", "[\"ldaps://a\", \"ldaps://b\"]"),
                ("SCIM2LDAP__DIRECTORY__CORP__BIND_DN", "cn=other,dc=example,dc=com"),
                ("SCIM2LDAP__DIRECTORY__CORP__BIND_PASSWORD_FILE", "okta"),
                ("SCIM2LDAP__DIRECTORY__CORP__OPERATION_TIMEOUT", "1.5"),
                ("SCIM2LDAP__TENANT__OKTA__GROUPS", "false"),
                ("SCIM2LDAP__LOG__LEVEL", "debug"),
                ("SCIM2LDAP_OTHER", "not ours"),
                ("HOME", "/"),
            ],
        )
        .unwrap();
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.workers, 3);
    let settings = &config.directories[0].settings;
    assert_eq!(settings.urls.len(), 2);
    assert_eq!(settings.operation_timeout, Duration::from_millis(1500));
    let Bind::Simple { dn, password } = &settings.bind else { panic!() };
    assert_eq!((dn.as_str(), password.expose_secret()), ("cn=other,dc=example,dc=com", "okta-secret"));
    assert!(!config.tenants[0].groups);
    assert_eq!(config.log.level, "debug");
}

#[test]
fn a_secret_in_the_environment_is_taken_as_it_is() {
    let text = right("");
    for secret in ["12345", "true", "a b", "[x]"] {
        let config = Place::new().load(&text, &[("SCIM2LDAP__DIRECTORY__CORP__BIND_PASSWORD", secret)]).unwrap();
        let Bind::Simple { password, .. } = &config.directories[0].settings.bind else { panic!() };
        assert_eq!(password.expose_secret(), secret);
    }
}

#[test]
fn names_with_capitals_are_found_from_the_environment() {
    let text = right("").replace("directory.corp", "directory.Corp").replace("= \"corp\"", "= \"Corp\"");
    let config = Place::new().load(&text, &[("SCIM2LDAP__DIRECTORY__CORP__PAGE_SIZE", "7")]).unwrap();
    assert_eq!(config.directory("Corp").unwrap().settings.page_size, 7);
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let cases = [
        ("SCIM2LDAP__DIRECTORY__CORP__CONNECTIONS", "four"),
        ("SCIM2LDAP__DIRECTORY__CORP__CONECTIONS", "4"),
        ("SCIM2LDAP__TENANT__OKTA__ENABLED", "no"),
        ("SCIM2LDAP__TENANT__OKTA__CREDENTIAL__0__PASSWORD", "geheim"),
        ("SCIM2LDAP__SERVER", "x"),
        ("SCIM2LDAP__TENNANT__OKTA__PATH", "/x"),
    ];
    let place = Place::new();
    let shown: Vec<String> =
        cases.iter().map(|case| format!("## {}\n{}\n", case.0, place.complaint(&right(""), &[*case]))).collect();
    let shown = shown.join("\n");
    assert!(!shown.contains("geheim"));
    assert_snapshot!(shown);
}

#[test]
fn mistakes_in_the_server_section_are_explained() {
    let cases = [
        "listen = \"8080\"",
        "listen = \":8080\"",
        "listen = \"127.0.0.1\"",
        "listen = []",
        "listen = \"systemd\"",
        "public_url = \"scim.example.com\"",
        "public_url = \"https://scim_bridge.example.com\"",
        "public_url = \"https://scim.example.com/?x=1\"",
        "public_url = \"https://scim.example.com/scim/v2/\"",
        "max_body = \"1 TB\"",
        "max_body = 10",
        "workers = 0",
        "[server.tls]\ncertificate = \"none.pem\"",
        "[store]\nurl = \"mysql://x\"",
        "[store]\nkey_file = \"no-key\"",
        "[store]\nkey_file = \"lines\"",
        "[store]\nkey_fil = \"store-key\"",
        "[log]\nlevel = \"inof\"",
        "[log]\nlevel = \"info,x=inof\"",
        "[log]\nformat = \"xml\"",
        "[admin]\nlisten = \"127.0.0.1:1\"",
    ];
    let place = Place::new();
    let shown: Vec<String> =
        cases.iter().map(|case| format!("## {case}\n{}\n", place.complaint(&right(case), &[]))).collect();
    assert_snapshot!(shown.join("\n"));
}

#[test]
fn mistakes_in_a_directory_are_explained() {
    let cases = [
        ("kind = \"openldap\"", "kind = \"ad\""),
        ("kind = \"openldap\"\n", ""),
        ("urls = \"ldaps://ldap.example.com\"", "urls = [\"https://x\", \"ldap://x/dc=x\"]"),
        ("urls = \"ldaps://ldap.example.com\"", "urls = []"),
        ("urls = \"ldaps://ldap.example.com\"", "urls = [\"ldaps://a\", \"ldap://b\"]"),
        ("base_dn = \"dc=example,dc=com\"", "base_dn = \"example.com\""),
        ("base_dn = \"dc=example,dc=com\"", "base_dn = \"\""),
        ("bind_dn = \"cn=scim,dc=example,dc=com\"\n", ""),
        ("bind_dn = \"cn=scim,dc=example,dc=com\"", "bind_dn = \"scim@example.com\""),
        ("bind_password_file = \"bind\"\n", ""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"bind\"\nbind_password = \"geheim\""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"none\""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"empty\""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"lines\""),
        ("bind_password_file = \"bind\"", "bind_password = \"\""),
        ("bind_password_file = \"bind\"", "bind_pasword = \"geheim\""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"bind\"\nbind = \"external\""),
        ("bind_dn = \"cn=scim,dc=example,dc=com\"\nbind_password_file = \"bind\"", "bind = \"external\""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"bind\"\nca_file = \"ca.pem\""),
        ("bind_password_file = \"bind\"", "bind_password_file = \"bind\"\nca_file = \"none.pem\""),
        (
            "bind_password_file = \"bind\"",
            "bind_password_file = \"bind\"\nconnect_timeout = \"5 parsec\"\noperation_timeout = 0",
        ),
        ("bind_password_file = \"bind\"", "bind_password_file = \"bind\"\nwhen_unreachable = \"queue\""),
        ("urls = \"ldaps://ldap.example.com\"", "srv = \"ldap.example.com\"\nnameservers = \"dns.example.com\""),
        (
            "urls = \"ldaps://ldap.example.com\"",
            "srv = \"_ldap._tcp.example.com\"\nsrv_tls = \"none\"\nstart_tls = true",
        ),
        ("base_dn = ", "srv = \"_ldap._tcp.example.com\"\nbase_dn = "),
        ("base_dn = ", "srv_tls = \"ldaps\"\nbase_dn = "),
        ("bind_password_file = \"bind\"", "bind_password_file = \"bind\"\nclient_certificate = \"ca.pem\""),
        (
            "bind_password_file = \"bind\"",
            "bind_password_file = \"bind\"\nclient_certificate = \"none.pem\"\nclient_key = \"bind\"",
        ),
        ("[directory.corp]", "[directory.\"the corp\"]"),
        ("[directory.corp]", "[directory.CORP]\n[directory.corp]"),
    ];
    let place = Place::new();
    let complaint = |(old, new): &(&str, &str)| {
        format!("## {}\n{}\n", new.replace("geheim", "SECRET"), place.complaint(&changed(old, new), &[]))
    };
    let shown: Vec<String> = cases.iter().map(complaint).collect();
    let shown = shown.join("\n");
    assert!(!shown.contains("geheim"));
    assert_snapshot!(shown);
}

#[test]
fn mistakes_in_a_tenant_are_explained() {
    let basic = CREDENTIAL;
    let cases = [
        ("path = \"/scim/v2\"\n", ""),
        ("path = \"/scim/v2\"", "path = \"scim/v2\""),
        ("path = \"/scim/v2\"", "path = \"/scim//v 2\""),
        ("directory = \"corp\"", "directory = \"crop\""),
        ("mapping = \"mapping/openldap.toml\"", "mapping = \"mapping/none.toml\""),
        (
            "directory = \"corp\"",
            "directory = \"corp\"\nprotect = [\"(adminCount=1\", \"wheel\", \"cn=wheel,{base_dn}\"]",
        ),
        ("directory = \"corp\"", "directory = \"corp\"\npassword_sync = \"yes\""),
        ("directory = \"corp\"", "directory = \"corp\"\npatch_response = { user = \"204\", groups = \"resource\" }"),
        (basic, "credential = { kind = \"basic\" }"),
        ("kind = \"basic\"\n", ""),
        ("kind = \"basic\"", "kind = \"oauth\""),
        ("kind = \"basic\"", "kind = \"bearer\""),
        ("username = \"scim-user\"", "username = \"scim:user\""),
        ("username = \"scim-user\"\n", ""),
        ("password_file = \"okta\"", "token_file = \"okta\""),
        (
            "kind = \"basic\"\nusername = \"scim-user\"\npassword_file = \"okta\"",
            "kind = \"bearer\"\ntoken = \"geheim geheim\"",
        ),
        (
            "kind = \"basic\"\nusername = \"scim-user\"\npassword_file = \"okta\"",
            "kind = \"header\"\nname = \"X Key\"\ntoken_file = \"okta\"",
        ),
        (
            "[tenant.okta]",
            "[tenant.a]\npath = \"/scim/v2/\"\ndirectory = \"corp\"\nenabled = false\nmapping = \"mapping/openldap.toml\"\n[tenant.okta]",
        ),
        (
            "[tenant.okta]",
            "[tenant.a]\npath = \"/scim\"\ndirectory = \"corp\"\nenabled = false\nmapping = \"mapping/openldap.toml\"\n[tenant.okta]",
        ),
    ];
    let place = Place::new();
    let complaint = |(old, new): &(&str, &str)| {
        format!("## {}\n{}\n", new.replace("geheim", "SECRET"), place.complaint(&changed(old, new), &[]))
    };
    let mut shown: Vec<String> = cases.iter().map(complaint).collect();
    shown.push(format!("## no tenant\n{}", place.complaint(DIRECTORY, &[])));
    let shown = shown.join("\n");
    assert!(!shown.contains("geheim"));
    assert_snapshot!(shown);
}

#[test]
fn passwords_travel_over_protected_connections_only() {
    let place = Place::new();
    let protected = changed("kind = \"openldap\"", "kind = \"active-directory\"")
        .replace("mapping/openldap.toml", "mapping/active-directory.toml")
        .replace("directory = \"corp\"", "directory = \"corp\"\npassword_sync = true");
    assert!(place.load(&protected, &[]).unwrap().tenants[0].password_sync);
    let plain = protected
        .replace("ldaps://", "ldap://")
        .replace("[directory.corp]", "[directory.corp]\nallow_plaintext = true");
    assert_snapshot!(place.complaint(&plain, &[]));
    place.load(&plain.replace("allow_plaintext", "start_tls"), &[]).unwrap();
    // Other kinds take one, where the admin says that nobody can listen.
    let plain = plain.replace("kind = \"active-directory\"", "kind = \"openldap\"");
    place.load(&plain.replace("mapping/active-directory.toml", "mapping/openldap.toml"), &[]).unwrap();
}

#[test]
fn groups_need_a_group_table() {
    let place = Place::new();
    let mapping = fs::read_to_string(repository().join("conf/mapping/openldap.toml")).unwrap();
    place.write("users.toml", mapping.split("[group]\n").next().unwrap());
    let text = changed("mapping/openldap.toml", "users.toml");
    assert_snapshot!(place.complaint(&text, &[]));
    let without = text.replace("directory = \"corp\"", "directory = \"corp\"\ngroups = false");
    place.load(&without, &[]).unwrap();
}

#[test]
fn mistakes_in_all_files_come_out_together_and_once() {
    let place = Place::new();
    place.write("one.toml", "[user]\nbas = \"ou=people,{base_dn}\"\n");
    let text = changed("mapping/openldap.toml", "one.toml").replace("page_size", "");
    let second = "[tenant.b]\npath = \"/b\"\ndirectory = \"corp\"\nmapping = \"one.toml\"\nenabled = false\nx = 1\n";
    assert_snapshot!(place.complaint(&format!("{text}{second}"), &[]));
}

#[test]
fn a_file_that_is_not_there_is_reported() {
    let missing = Config::load_with(std::path::Path::new("/does/not/exist.toml"), HashMap::new());
    assert_snapshot!(missing.map(|_| ()).unwrap_err().to_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_slip_in_the_shipped_file_makes_the_reader_panic(at in 0usize..7000, cut in 0usize..30, put in "[\\PC\"{}\\[\\]=,.\\n]{0,3}") {
        let mut text = fs::read_to_string(repository().join("conf/scim2ldap.toml")).unwrap();
        let (from, to) = (at.min(text.len()), (at + cut).min(text.len()));
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            text.replace_range(from..to, &put);
        }
        let wrong = Place::new().load(&text, &[]).map(|_| ()).unwrap_err();
        prop_assert!(wrong.count() > 0 && !wrong.to_string().is_empty());
    }
}

#[test]
fn kerberos_needs_a_program_that_was_built_with_it_and_keys_of_its_own() {
    let place = Place::new();
    let credentials = "bind_dn = \"cn=scim,dc=example,dc=com\"\nbind_password_file = \"bind\"\n";
    let text = changed(credentials, "bind = \"gssapi\"\nprincipal = \"scim@EXAMPLE.COM\"\nkeytab = \"okta\"\n");
    let loaded = place.load(&text, &[]);
    assert_eq!(loaded.is_ok(), cfg!(feature = "gssapi"));
    match loaded {
        Ok(config) => {
            let corp = config.directory("corp").unwrap();
            assert!(
                matches!(&corp.settings.bind, Bind::Gssapi { principal: Some(name) } if name == "scim@EXAMPLE.COM")
            );
            assert!(corp.keytab.as_ref().unwrap().ends_with("okta"));
        }
        Err(wrong) => assert!(wrong.to_string().contains("built without Kerberos"), "{wrong}"),
    }
    let complaint = place.complaint(&changed(credentials, &format!("{credentials}keytab = \"okta\"\n")), &[]);
    assert!(complaint.contains("`keytab` is for `bind = \"gssapi\"` only"), "{complaint}");
    let bare = text.replace("ldaps://", "ldap://");
    assert!(place.complaint(&bare, &[]).contains("needs TLS"));
    let two = format!(
        "{text}[directory.two]\nkind = \"openldap\"\nurls = \"ldaps://x\"\nbase_dn = \"dc=x\"\nbind = \"gssapi\"\nkeytab = \"bind\"\n"
    );
    assert!(place.complaint(&two, &[]).contains("different keytabs"));
}
