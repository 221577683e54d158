//! OpenLDAP's slapd, set up from nothing in a quarter of a second.

use super::{Keeper, Raw, ports, tls, wait_until};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// The naming context of every instance.
pub const SUFFIX: &str = "dc=example,dc=test";

const SERVICE: &str = "cn=scim,ou=services,dc=example,dc=test";
const SERVICE_PASSWORD: &str = "Service-Account-9";
const ADMIN: &str = "cn=admin,dc=example,dc=test";
const ADMIN_PASSWORD: &str = "Root-Account-7";

/// What may differ between two instances.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `uid` must be unique below `ou=people`, and `gidNumber` everywhere (the overlay `unique`).
    pub unique: bool,
    /// Every write waits for the disk, as in production. Tests don't survive a power cut and need not wait.
    pub fsync: bool,
    /// refint leaves this instance's root DN as the only member where it would otherwise leave a group without any.
    pub refint_nothing: bool,
}

/// A running OpenLDAP on 127.0.0.1, with ldap, ldaps and ldapi, that ends and is removed with this value.
#[derive(Debug)]
pub struct Slapd {
    // Before `directory`: the server ends before its files are removed.
    keeper: Option<Keeper>,
    port: u16,
    tls_port: u16,
    authority: PathBuf,
    directory: TempDir,
}

impl Slapd {
    /// The instance that all tests of this process share; use [`Slapd::suffix`] to keep out of each other's way.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Slapd> = OnceLock::new();
        SHARED.get_or_init(Self::own)
    }

    /// An instance of one's own, to stop, pause and break.
    pub fn own() -> Self {
        Self::with(Options::default())
    }

    /// The same, not quite like the others.
    pub fn with(options: Options) -> Self {
        let directory = tempfile::Builder::new().prefix("scim2ldap-slapd-").tempdir().expect("a scratch directory");
        let authority = tls::Authority::new().issue(&directory.path().join("tls")).ca;
        set_up(directory.path(), options);
        let mut slapd = Self { keeper: None, port: 0, tls_port: 0, authority, directory };
        for _ in 0..20 {
            (slapd.port, slapd.tls_port) = (ports::free(), ports::free());
            if slapd.try_start() {
                return slapd;
            }
        }
        panic!("slapd does not start:\n{}", slapd.log());
    }

    /// `ldap://127.0.0.1:PORT`; `StartTLS` is offered.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// `ldaps://localhost:PORT`.
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// `ldapi://` and the percent-encoded path of the socket.
    pub fn socket_url(&self) -> String {
        format!("ldapi://{}", self.socket().to_string_lossy().replace('/', "%2F"))
    }

    /// The port of [`Slapd::url`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of [`Slapd::tls_url`].
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The certificate of the authority that signed the server's, a PEM file.
    pub fn ca_file(&self) -> &Path {
        &self.authority
    }

    /// DN and password of the bridge's account: write access to everything, size limit 500.
    pub fn service_account(&self) -> (&'static str, &'static str) {
        (SERVICE, SERVICE_PASSWORD)
    }

    /// DN and password of the account that may do anything.
    pub fn admin(&self) -> (&'static str, &'static str) {
        (ADMIN, ADMIN_PASSWORD)
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// A connection as root.
    pub async fn raw(&self) -> Raw {
        Raw::bind(&self.url(), ADMIN, ADMIN_PASSWORD).await
    }

    /// A connection that may change the server's configuration, `cn=config`.
    pub async fn raw_config(&self) -> Raw {
        Raw::bind(&self.url(), "cn=config", ADMIN_PASSWORD).await
    }

    /// A part of the tree for one test: creates `ou=NAME` with `ou=people` and `ou=groups` below it, returns its DN.
    pub async fn suffix(&self, name: &str) -> String {
        let raw = self.raw().await;
        let base = format!("ou={name},{SUFFIX}");
        raw.add(&base, &[("objectClass", &["organizationalUnit"])]).await;
        for part in ["people", "groups"] {
            raw.add(&format!("ou={part},{base}"), &[("objectClass", &["organizationalUnit"])]).await;
        }
        base
    }

    /// Ends the server in good order; the data stay.
    pub fn stop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            keeper.stop(Duration::from_secs(10));
        }
    }

    /// Ends the server as a crash would; the data stay.
    pub fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            keeper.kill();
        }
    }

    /// Starts the stopped server again, with its data, on the same ports.
    pub fn start(&mut self) {
        assert!(self.keeper.is_none(), "slapd is running");
        assert!(self.try_start(), "slapd does not start again:\n{}", self.log());
    }

    /// The server stands still: connections stay open, new ones are accepted by the kernel, nothing is answered.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// The server goes on.
    pub fn resume(&self) {
        self.running().resume();
    }

    /// What the server printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn running(&self) -> &Keeper {
        self.keeper.as_ref().expect("slapd has been stopped")
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("ldapi")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("slapd.log")
    }

    /// False when the server ended at once, for instance because another process took one of the ports.
    fn try_start(&mut self) -> bool {
        let directory = self.directory.path();
        // slapd opens its listeners in this order: when the socket answers, the ports are ours.
        let listeners =
            format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{} {}", self.port, self.tls_port, self.socket_url());
        let _ = fs::remove_file(self.socket());
        let arguments =
            ["-d", "0", "-F", &directory.join("slapd.d").to_string_lossy(), "-h", &listeners].map(String::from);
        let keeper = Keeper::start(&find("slapd"), arguments, &[], &self.log_file(), Some(directory));
        let answers = wait_until("slapd neither answers nor ends", Duration::from_secs(20), || {
            if UnixStream::connect(self.socket()).is_ok() {
                return Some(true);
            }
            (!keeper.running()).then_some(false)
        });
        self.keeper = answers.then_some(keeper);
        answers
    }
}

/// Makes the data base and the configuration.
fn set_up(directory: &Path, options: Options) {
    for folder in ["db", "slapd.d"] {
        fs::create_dir_all(directory.join(folder)).expect("a folder");
    }
    let unique = format!(
        "overlay unique\nunique_uri ldap:///ou=people,{SUFFIX}?uid?sub\nunique_uri ldap:///{SUFFIX}?gidNumber?sub\n"
    );
    let nothing = format!("refint_nothing {ADMIN}\n");
    let fill = |template: &str| {
        template
            .replace("@DIR@", &directory.to_string_lossy())
            .replace("@SUFFIX@", SUFFIX)
            .replace("@SERVICE@", SERVICE)
            .replace("@SERVICE_PASSWORD@", SERVICE_PASSWORD)
            .replace("@PASSWORD@", ADMIN_PASSWORD)
            .replace("@SYNC@", if options.fsync { "" } else { "dbnosync" })
            .replace("@UNIQUE@", if options.unique { &unique } else { "" })
            .replace("@NOTHING@", if options.refint_nothing { &nothing } else { "" })
    };
    let (configuration, base) = (directory.join("slapd.conf"), directory.join("base.ldif"));
    fs::write(&configuration, fill(include_str!("slapd/slapd.conf"))).expect("slapd.conf");
    fs::write(&base, fill(include_str!("slapd/base.ldif"))).expect("base.ldif");
    // In this order: slaptest opens the data base that slapadd makes.
    run(Command::new(find("slapadd")).args(["-q", "-b", SUFFIX, "-f"]).arg(&configuration).arg("-l").arg(&base));
    run(Command::new(find("slaptest")).arg("-f").arg(&configuration).arg("-F").arg(directory.join("slapd.d")));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Where a program of the slapd package is; `/usr/sbin` is not on everybody's path.
fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{program}` is not installed: run tests/setup.sh (or `make setup`) first"))
}
