//! 389 Directory Server, set up from its own templates in a second.
//!
//! The package's `dscreate` wants root, systemd, and folders of the whole machine. All that it does for an instance is
//! to fill the template of the configuration; that is done here, and takes no privilege.

use super::server::{Launch, find, run};
use super::{Kind, Options, Raw};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

const DATA: &str = "/usr/share/dirsrv/data";
const CONFIG: &str = "cn=config";
const DATABASE: &str = "cn=ldbm database,cn=plugins,cn=config";

/// The command that runs the server. The ports are in the configuration, which the server writes, too.
pub(super) fn launch(directory: &Path, port: u16, tls_port: u16) -> Launch {
    let (file, text) = (directory.join("conf/dse.ldif"), configuration(directory));
    let ports = [("nsslapd-port", port), ("nsslapd-secureport", tls_port)];
    fs::write(&file, with(&text, CONFIG, &ports.map(|(name, port)| (name, port.to_string())))).expect("dse.ldif");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (folder, process) = (text(&directory.join("conf")), text(&directory.join("run/pid")));
    let arguments = ["-d", "0", "-D", &folder, "-i", &process].map(String::from).into();
    Launch { program: find("ns-slapd"), arguments, environment: Vec::new() }
}

fn configuration(directory: &Path) -> String {
    fs::read_to_string(directory.join("conf/dse.ldif")).expect("dse.ldif")
}

/// Writes the configuration.
pub(super) fn set_up(directory: &Path, options: Options) {
    for folder in ["conf/schema", "db", "home", "run", "log", "lock", "bak", "ldif", "tmp"] {
        fs::create_dir_all(directory.join(folder)).expect("a folder");
    }
    let template = Path::new(DATA).join("template-dse.ldif");
    let template = fs::read_to_string(&template)
        .unwrap_or_else(|_| panic!("389-ds-base is not installed: run tests/setup.sh (or `make setup`) first"));
    let text = adapted(&filled(&template, directory), options);
    let file = |name: &str, text: &str| fs::write(directory.join("conf").join(name), text).expect("a file");
    file("dse.ldif", &text);
    // The package's own files of these names may be read by its own account only, and say nothing that is needed here.
    file("slapd-collations.conf", "");
    file("certmap.conf", "certmap default default\n");
    file("schema/99user.ldif", "dn: cn=schema\ncn: schema\n");
    import_certificate(directory);
}

/// The template with the folders and names of this instance.
fn filled(template: &str, directory: &Path) -> String {
    let (admin, password) = Kind::Ds389.facts().admin;
    let user = Command::new("id").arg("-un").output().expect("the name of this account").stdout;
    let mut text = template.to_owned();
    for (name, folder) in [
        ("schema_dir", "conf/schema"),
        ("lock_dir", "lock"),
        ("tmp_dir", "tmp"),
        ("cert_dir", "conf"),
        ("ldif_dir", "ldif"),
        ("bak_dir", "bak"),
        ("run_dir", "run"),
        ("inst_dir", "run"),
        ("log_dir", "log"),
        ("config_dir", "conf"),
        ("db_dir", "db"),
        ("db_home_dir", "home"),
    ] {
        text = text.replace(&format!("%{name}%"), &directory.join(folder).to_string_lossy());
    }
    for (name, value) in [
        ("fqdn", "localhost"),
        ("ds_port", "0"),
        ("ds_user", String::from_utf8_lossy(&user).trim()),
        ("rootdn", admin),
        // The scheme tells the server that this is what a password is compared with, not one to hash.
        ("ds_passwd", &format!("{{CLEAR}}{password}")),
        ("ds_suffix", Kind::Ds389.facts().suffix),
        ("ldapi_enabled", "off"),
        ("ldapi_autobind", "off"),
        ("ldapi", &directory.join("run/ldapi").to_string_lossy()),
        ("db_lib", "bdb"),
    ] {
        text = text.replace(&format!("%{name}%"), value);
    }
    text
}

/// The plug-ins that directories in the field have switched on, loopback only, TLS, and no waiting for the disk.
fn adapted(text: &str, options: Options) -> String {
    let set = |pairs: &[(&'static str, &str)]| {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect::<Vec<_>>()
    };
    let general = set(&[
        ("nsslapd-listenhost", "127.0.0.1"),
        ("nsslapd-securelistenhost", "127.0.0.1"),
        ("nsslapd-security", "on"),
        ("nsslapd-sizelimit", "500"),
        ("nsslapd-accesslog-logging-enabled", "off"),
    ]);
    let mut text = with(text, CONFIG, &general);
    for (plugin, on) in [
        ("MemberOf Plugin", true),
        ("referential integrity postoperation", true),
        ("attribute uniqueness", options.unique),
        // It lets nobody in whose uid or mail is not plain ASCII.
        ("7-bit check", false),
    ] {
        let state = if on { "on" } else { "off" };
        text = with(&text, &format!("cn={plugin},cn=plugins,cn=config"), &set(&[("nsslapd-pluginenabled", state)]));
    }
    let small = set(&[("nsslapd-cache-autosize", "0"), ("nsslapd-dbcachesize", "10000000")]);
    text = with(&text, &format!("cn=config,{DATABASE}"), &small);
    let _ = writeln!(text, "\ndn: cn=bdb,cn=config,{DATABASE}\nobjectClass: extensibleObject\ncn: bdb");
    with(&text, &format!("cn=bdb,cn=config,{DATABASE}"), &set(&[("nsslapd-db-durable-transaction", "off")]))
}

/// The LDIF with these values in one of its entries, in place of those that it has.
fn with(text: &str, dn: &str, values: &[(&'static str, String)]) -> String {
    // An entry without any line keeps the server from starting, without a word.
    let entries = text.split("\n\n").map(str::trim).filter(|entry| !entry.is_empty());
    let mut entries: Vec<String> = entries.map(str::to_owned).collect();
    let first = format!("dn: {dn}");
    let entry = entries
        .iter_mut()
        .find(|entry| entry.lines().next().is_some_and(|line| line.eq_ignore_ascii_case(&first)))
        .unwrap_or_else(|| panic!("no {first} in dse.ldif"));
    let other = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        !values.iter().any(|(changed, _)| changed.eq_ignore_ascii_case(name))
    };
    let kept = entry.lines().filter(other).map(str::to_owned);
    let new = values.iter().map(|(name, value)| format!("{name}: {value}"));
    *entry = kept.chain(new).collect::<Vec<_>>().join("\n");
    entries.join("\n\n") + "\n"
}

/// Puts the certificate where the server looks for it, under the name that the template has for it.
fn import_certificate(directory: &Path) {
    let (tls, bundle) = (directory.join("tls"), directory.join("tls/server.p12"));
    let store = format!("sql:{}", directory.join("conf").to_string_lossy());
    let mut export = Command::new(find("openssl"));
    export.args(["pkcs12", "-export", "-name", "Server-Cert", "-passout", "pass:x", "-out"]).arg(&bundle);
    export.arg("-inkey").arg(tls.join("server.key")).arg("-in").arg(tls.join("server.pem"));
    run(&mut export);
    run(Command::new(find("certutil")).args(["-N", "--empty-password", "-d", &store]));
    run(Command::new(find("pk12util")).args(["-d", &store, "-K", "", "-W", "x", "-i"]).arg(&bundle));
    let authority = ["-A", "-n", "authority", "-t", "CT,,", "-d", &store, "-i"];
    run(Command::new(find("certutil")).args(authority).arg(tls.join("ca.pem")));
}

/// Makes the data base, the base entries and the bridge's account, over LDAP.
pub(super) fn fill(url: &str) {
    let url = url.to_owned();
    // A thread of its own: whoever asks for a server may be in a runtime already.
    let filling = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(add_everything(&url));
    });
    filling.join().expect("the base entries");
}

async fn add_everything(url: &str) {
    let facts = Kind::Ds389.facts();
    let ((service, service_password), (admin, password), suffix) = (facts.service, facts.admin, facts.suffix);
    let raw = Raw::bind(url, admin, password).await;
    let classes = |name: &'static str| ("objectClass", [vec!["top", "extensibleObject"], vec![name]].concat());
    let entries = [
        (
            format!("cn=userRoot,{DATABASE}"),
            vec![classes("nsBackendInstance"), ("cn", vec!["userRoot"]), ("nsslapd-suffix", vec![suffix])],
        ),
        (
            format!("cn=\"{suffix}\",cn=mapping tree,cn=config"),
            vec![
                classes("nsMappingTree"),
                ("cn", vec![suffix]),
                ("nsslapd-state", vec!["backend"]),
                ("nsslapd-backend", vec!["userRoot"]),
            ],
        ),
    ];
    for (dn, attributes) in &entries {
        let attributes: Vec<(&str, &[&str])> = attributes.iter().map(|(name, list)| (*name, &**list)).collect();
        raw.add(dn, &attributes).await;
    }
    let rights = format!(
        "(targetattr=\"* || nsAccountLock\")(version 3.0; acl \"bridge\"; allow(all) userdn=\"ldap:///{service}\";)"
    );
    raw.add(suffix, &[("objectClass", &["domain"]), ("aci", &[&rights])]).await;
    for name in ["people", "groups", "services"] {
        raw.add(&format!("ou={name},{suffix}"), &[("objectClass", &["organizationalUnit"])]).await;
    }
    // As an administrator has to arrange it: lists in pages are not limited, plain searches are.
    let account: [(&str, &[&str]); 5] = [
        ("objectClass", &["applicationProcess", "simpleSecurityObject"]),
        ("cn", &["scim"]),
        ("userPassword", &[service_password]),
        ("nsPagedSizeLimit", &["-1"]),
        ("nsPagedLookThroughLimit", &["-1"]),
    ];
    raw.add(service, &account).await;
}
