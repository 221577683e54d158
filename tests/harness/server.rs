//! A directory server of any kind, running on loopback.

use super::{Keeper, Kind, Options, Raw, Refusal, ds389, kind::Facts, ports, samba, slapd, tls, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A running server on 127.0.0.1, with ldap, `StartTLS` and ldaps, that ends and is removed with this value.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    // Before `directory`: the server ends before its files are removed.
    keeper: Option<Keeper>,
    port: u16,
    tls_port: u16,
    authority: PathBuf,
    directory: TempDir,
}

/// How a server is run in the foreground.
pub(super) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// The name in the certificate of the bridge.
pub(super) const CLIENT: &str = "scim-bridge";

impl Server {
    /// Certificate and key of the bridge, see [`Options::certificates`].
    pub fn client_files(&self) -> [PathBuf; 2] {
        ["client.pem", "client.key"].map(|name| self.directory.path().join("tls").join(name))
    }

    /// An instance of one's own, to stop, pause and break.
    pub fn own(kind: Kind) -> Self {
        Self::with(kind, Options::default())
    }

    /// The same, not quite like the others.
    pub fn with(kind: Kind, options: Options) -> Self {
        Self::prepared(kind, options, |_| ())
    }

    /// The same after `prepare` has seen to the files of the server, which does not run yet.
    pub(super) fn prepared(kind: Kind, options: Options, prepare: impl FnOnce(&Path)) -> Self {
        let prefix = format!("scim2ldap-{}-", kind.facts().text);
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a scratch directory");
        let issuer = tls::Authority::new();
        let authority = issuer.issue(&directory.path().join("tls")).ca;
        issuer.issue_client(CLIENT, &directory.path().join("tls"));
        match kind {
            Kind::OpenLdap => slapd::set_up(directory.path(), options),
            Kind::ActiveDirectory => samba::set_up(directory.path(), options),
            Kind::Ds389 => ds389::set_up(directory.path(), options),
        }
        prepare(directory.path());
        let mut server = Self { kind, keeper: None, port: 0, tls_port: 0, authority, directory };
        for _ in 0..20 {
            (server.port, server.tls_port) = (ports::free(), ports::free());
            if server.try_start() {
                if kind == Kind::Ds389 {
                    ds389::fill(&server.url());
                }
                return server;
            }
        }
        panic!("{} does not start:\n{}", kind.facts().label, server.log());
    }

    /// Which kind of server it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is special about this kind.
    pub fn facts(&self) -> &'static Facts {
        self.kind.facts()
    }

    /// `ldap://127.0.0.1:PORT`; `StartTLS` is offered.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// `ldaps://localhost:PORT`.
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }

    /// The port of [`Server::url`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port of [`Server::tls_url`].
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The certificate of the authority that signed the server's, a PEM file.
    pub fn ca_file(&self) -> &Path {
        &self.authority
    }

    /// The files of this instance.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// DN and password of the bridge's account.
    pub fn service_account(&self) -> (&'static str, &'static str) {
        self.facts().service
    }

    /// DN and password of the account that may do anything.
    pub fn admin(&self) -> (&'static str, &'static str) {
        self.facts().admin
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// Processor time used so far, by user and system, in steps of 10 ms.
    pub fn cpu_time(&self) -> Duration {
        super::cpu_time(self.pid())
    }

    /// A connection of the account that may do anything, with TLS where the server demands it.
    pub async fn raw(&self) -> Raw {
        let (dn, password) = self.admin();
        if !self.facts().needs_tls {
            return Raw::bind(&self.url(), dn, password).await;
        }
        let raw = Raw::bind_tls(&self.tls_url(), &self.authority, dn, password).await;
        raw.unwrap_or_else(|fault| panic!("bind as {dn} at {}: {fault}", self.tls_url()))
    }

    /// Whether somebody may log in with this password, and if not, why not.
    pub async fn try_bind(&self, dn: &str, password: &str) -> Result<(), Refusal> {
        Raw::try_bind_tls(&self.tls_url(), &self.authority, dn, password).await
    }

    /// A part of the tree for one test: creates `ou=NAME` with the containers for people and groups below it, returns
    /// its DN.
    pub async fn suffix(&self, name: &str) -> String {
        let Facts { part, suffix, people, groups, container, .. } = self.facts();
        let raw = self.raw().await;
        let base = format!("{part}={name},{suffix}");
        raw.add(&base, &[("objectClass", &["organizationalUnit"])]).await;
        let places = if people == groups { vec![people] } else { vec![people, groups] };
        for place in places {
            raw.add(&format!("{place},{base}"), &[("objectClass", &[container])]).await;
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
        assert!(self.keeper.is_none(), "{} is running", self.facts().label);
        assert!(self.try_start(), "{} does not start again:\n{}", self.facts().label, self.log());
    }

    /// The server stands still: connections stay open, new ones are accepted by the kernel, nothing is answered.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// The server goes on.
    pub fn resume(&self) {
        self.running().resume();
    }

    /// What the server printed, and what it wrote to a log of its own.
    pub fn log(&self) -> String {
        let files = [self.log_file(), self.folder().join("log/errors")];
        files.map(|file| fs::read_to_string(file).unwrap_or_default()).concat()
    }

    fn running(&self) -> &Keeper {
        self.keeper.as_ref().unwrap_or_else(|| panic!("{} has been stopped", self.facts().label))
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    /// False when the server ended at once, for instance because another process took one of the ports.
    fn try_start(&mut self) -> bool {
        let directory = self.directory.path();
        let Launch { program, arguments, environment } = match self.kind {
            Kind::OpenLdap => slapd::launch(directory, self.port, self.tls_port),
            Kind::ActiveDirectory => samba::launch(directory, self.port, self.tls_port),
            Kind::Ds389 => ds389::launch(directory, self.port, self.tls_port),
        };
        let keeper = Keeper::start(&program, arguments, &environment, &self.log_file(), Some(directory));
        // Only this server has a certificate of this authority: what answers is no other process on the same port.
        let what = format!("{} neither answers nor ends", self.facts().label);
        let answers = wait_until(&what, Duration::from_mins(1), || {
            if tls::proves_itself(self.tls_port, &self.authority) {
                return Some(true);
            }
            (!keeper.running()).then_some(false)
        });
        self.keeper = answers.then_some(keeper);
        answers
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody needs the data any more; 389 Directory Server takes seconds to end in good order.
        self.kill();
    }
}

/// Where a program is; `/usr/sbin` is not on everybody's path.
pub(super) fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("`{program}` is not installed: run tests/setup.sh (or `make setup`) first"))
}

/// Runs a command to its end, and expects it to succeed.
pub(super) fn run(command: &mut std::process::Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
