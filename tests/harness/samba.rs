//! Samba as a domain controller of Active Directory, cut down to its LDAP server.
//!
//! The domain is made once and kept below `target/`; an instance is a copy of it, which takes half a second instead of
//! three. All copies are the same domain, with the same SID.
//!
//! Samba's ports are compiled in. A small library that is loaded before it ([`SHIM`]) gives it others: that needs no
//! privilege, leaves the real ports alone, and lets instances run side by side. (Another 127.x.y.z address for each
//! instance would do without the library, but low ports take root.)

use super::server::{Launch, find, run};
use super::{Kind, Options};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

const PROVISION: &str = include_str!("samba/provision.py");
const SHIM: &str = include_str!("samba/bindport.c");
const CONFIGURATION: &str = include_str!("samba/smb.conf");

/// The command that runs the server. Port 0 for the global catalogue, which nobody uses: some free port.
pub(super) fn launch(directory: &Path, port: u16, tls_port: u16) -> Launch {
    let arguments = ["-i", "-M", "single", "--debug-stdout", "-d", "1", "-s"].map(String::from);
    let configuration = directory.join("etc/smb.conf").to_string_lossy().into_owned();
    let kdc = fs::read_to_string(directory.join(KDC_PORT)).unwrap_or_else(|_| "0".to_owned());
    let environment = [
        ("LD_PRELOAD", directory.join("bindport.so").to_string_lossy().into_owned()),
        ("BINDPORT", format!("389={port} 636={tls_port} 3268=0 3269=0 88={kdc} 464=0")),
        ("TDB_NO_FSYNC", "1".to_owned()),
    ];
    Launch {
        program: find("samba"),
        arguments: arguments.into_iter().chain([configuration]).collect(),
        environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Copies the domain and writes its configuration.
pub(super) fn set_up(directory: &Path, options: Options) {
    run(Command::new("cp").arg("-a").arg(template().join(".")).arg(directory));
    for folder in ["run", "cache", "etc"] {
        fs::create_dir_all(directory.join(folder)).expect("a folder");
    }
    let strong = match options {
        Options { plaintext: true, .. } => "no",
        // Without this Samba, unlike Microsoft's, takes no Kerberos inside TLS.
        Options { kerberos: true, .. } => "allow_sasl_over_tls",
        _ => "yes",
    };
    let services = if options.kerberos { "ldap, kdc" } else { "ldap" };
    let text = CONFIGURATION
        .replace("@SERVICES@", services)
        .replace("@DIR@", &directory.to_string_lossy())
        .replace("@STRONG@", strong);
    fs::write(directory.join("etc/smb.conf"), text).expect("smb.conf");
    if options.kerberos {
        set_up_kerberos(directory);
    }
    // Samba refuses a key that others may read.
    run(Command::new("chmod").arg("600").arg(directory.join("tls/server.key")));
}

/// The file with the port of the key distribution centre.
const KDC_PORT: &str = "kdc-port";

/// A keytab of the bridge's account, and what clients must know of the realm.
fn set_up_kerberos(directory: &Path) {
    let port = super::ports::free();
    fs::write(directory.join(KDC_PORT), port.to_string()).expect("the port");
    let text = format!(
        "[libdefaults]\ndefault_realm = EXAMPLE.TEST\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
         dns_canonicalize_hostname = false\nrdns = false\nudp_preference_limit = 1\n\
         [realms]\nEXAMPLE.TEST = {{\nkdc = 127.0.0.1:{port}\n}}\n[domain_realm]\n.example.test = EXAMPLE.TEST\n"
    );
    fs::write(directory.join("krb5.conf"), text).expect("krb5.conf");
    // Debian's own Python has Samba's modules; another one may be first on the path.
    let mut export = Command::new("/usr/bin/python3");
    export.arg(find("samba-tool")).args(["domain", "exportkeytab"]).arg(directory.join("scim.keytab"));
    export.args(["--principal=scim@EXAMPLE.TEST", "-s"]).arg(directory.join("etc/smb.conf"));
    run(&mut export);
}

/// The folder with the domain to copy and the library, made if it is not there.
///
/// Its name changes with Samba's version and with how it is made; a lock keeps test processes from making it at the
/// same time, and what is under its final name is complete.
fn template() -> PathBuf {
    let folder = build_folder().join("harness");
    fs::create_dir_all(&folder).expect("a folder below target");
    let template = folder.join(format!("samba-{:016x}", version()));
    if template.is_dir() {
        return template;
    }
    let lock = fs::File::create(folder.join("samba.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !template.is_dir() {
        let unfinished = folder.join("samba.unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        make(&unfinished);
        remove_others(&folder);
        fs::rename(&unfinished, &template).expect("the finished domain");
    }
    template
}

/// Domains of an earlier version of Samba, or of this file.
fn remove_others(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("samba-")) {
        let _ = fs::remove_dir_all(entry.path());
    }
}

fn make(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let ((service, service_password), (_, password)) =
        (Kind::ActiveDirectory.facts().service, Kind::ActiveDirectory.facts().admin);
    let account = service.split(['=', ',']).nth(1).expect("a name");
    let script = folder.join("provision.py");
    fs::write(&script, PROVISION).expect("the script");
    // Debian's own Python has Samba's modules; another one may be first on the path.
    let mut provision = Command::new("/usr/bin/python3");
    provision.arg(&script).arg(folder).args([password, account, service_password]).env("TDB_NO_FSYNC", "1");
    run(&mut provision);
    let source = folder.join("bindport.c");
    fs::write(&source, SHIM).expect("the library's source");
    let arguments = ["-O2", "-shared", "-fPIC", "-o"];
    run(Command::new(find("gcc")).args(arguments).arg(folder.join("bindport.so")).arg(&source).arg("-ldl"));
}

/// A number that changes when the result would be another one.
fn version() -> u64 {
    let program = find("samba");
    let data = fs::metadata(&program).expect("samba");
    let said = Command::new(&program).arg("--version").output().expect("samba's version").stdout;
    let mut hasher = DefaultHasher::new();
    // A new build of the same version has another time.
    (said, data.modified().ok(), data.len(), PROVISION, SHIM).hash(&mut hasher);
    (Kind::ActiveDirectory.facts().service, Kind::ActiveDirectory.facts().admin).hash(&mut hasher);
    hasher.finish()
}

/// `target`, or what stands for it: programs are in `target/PROFILE/deps` and `target/PROFILE/examples`.
fn build_folder() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.ancestors().nth(3).expect("a build folder").to_owned()
}
