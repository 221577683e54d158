//! The program under test, as an admin would run it.

use super::{Config, Credential, Keeper, Scim, ports, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// A running `scim2ldap serve` with a configuration directory of its own.
#[derive(Debug)]
pub struct Daemon {
    // Before `folder`: the daemon ends before its files are removed.
    keeper: Option<Keeper>,
    binary: PathBuf,
    folder: TempDir,
    configuration: PathBuf,
    environment: Vec<(String, String)>,
    /// Lines of the log that belong to earlier runs of this daemon.
    earlier: usize,
    base: String,
    secrets: Vec<String>,
}

impl Daemon {
    /// Writes the configuration, starts the daemon and waits until it says that it listens.
    pub fn start(binary: impl AsRef<Path>, config: &Config) -> Self {
        Self::start_with(binary, config, &[])
    }

    /// The same with environment variables, for instance `SCIM2LDAP__DIRECTORY__CORP__BASE_DN`.
    pub fn start_with(binary: impl AsRef<Path>, config: &Config, environment: &[(&str, &str)]) -> Self {
        let mut daemon = Self::prepare(binary, config, environment);
        daemon.launch().unwrap_or_else(|log| panic!("scim2ldap does not start:\n{log}"));
        daemon
    }

    /// Has systemd's own tool open the port and hand it over, as a socket unit does. The daemon starts with the first
    /// connection.
    pub fn start_by_socket_activation(binary: impl AsRef<Path>, config: &Config) -> Self {
        let mut daemon = Self::prepare(binary, config, &[]);
        let address = format!("127.0.0.1:{}", ports::free());
        let arguments: Vec<OsString> = vec![
            "-l".into(),
            address.clone().into(),
            daemon.binary.clone().into(),
            "serve".into(),
            "--config".into(),
            daemon.configuration.clone().into(),
        ];
        let keeper = daemon.keep(Path::new("systemd-socket-activate"), &arguments);
        let mut knock = None;
        let outcome = daemon.await_listening(keeper, || {
            knock = knock.take().or_else(|| TcpStream::connect(&address).ok());
        });
        outcome.unwrap_or_else(|log| panic!("scim2ldap does not start by socket activation:\n{log}"));
        daemon
    }

    /// Expects the start to fail and returns what the daemon printed.
    pub fn fails_to_start(binary: impl AsRef<Path>, config: &Config) -> String {
        let mut daemon = Self::prepare(binary, config, &[]);
        daemon.launch().expect_err("scim2ldap started with a configuration that it should refuse")
    }

    fn prepare(binary: impl AsRef<Path>, config: &Config, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("scim2ldap-daemon-").tempdir().expect("a scratch directory");
        let configuration = config.write(folder.path());
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self {
            keeper: None,
            binary: binary.as_ref().to_owned(),
            folder,
            configuration,
            environment,
            earlier: 0,
            base: String::new(),
            secrets: config.secrets(),
        }
    }

    /// Starts a stopped daemon again, with the same files; it may listen on another port afterwards.
    pub fn restart(&mut self) {
        assert!(self.keeper.is_none(), "scim2ldap is running");
        self.launch().unwrap_or_else(|log| panic!("scim2ldap does not start again:\n{log}"));
    }

    /// Ends the daemon as systemd would, and returns its exit status.
    pub fn stop(&mut self) -> Option<i32> {
        self.keeper.take()?.stop(Duration::from_secs(20))
    }

    /// Ends the daemon as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            keeper.kill();
        }
    }

    /// What `systemctl reload` does.
    pub fn reload(&self) {
        self.keeper.as_ref().expect("scim2ldap has been stopped").signal(Signal::HUP);
    }

    /// The daemon stands still, as on a machine that swaps or sleeps.
    pub fn pause(&self) {
        self.keeper.as_ref().expect("scim2ldap has been stopped").pause();
    }

    /// The daemon goes on.
    pub fn resume(&self) {
        self.keeper.as_ref().expect("scim2ldap has been stopped").resume();
    }

    /// Whether the daemon still runs.
    pub fn running(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::running)
    }

    /// The daemon's process id.
    pub fn pid(&self) -> u32 {
        self.keeper.as_ref().expect("scim2ldap has been stopped").pid()
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The SCIM base URL of the tenant.
    pub fn scim_url(&self) -> String {
        format!("{}/scim/v2", self.base)
    }

    /// A SCIM client of the tenant.
    pub fn scim(&self, credential: Credential<'_>) -> Scim {
        Scim::new(&self.scim_url(), credential)
    }

    /// The directory with `scim2ldap.toml`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of `scim2ldap.toml`.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// Runs another command of the program with this daemon's configuration, for instance `check`.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let environment = self.environment.iter().map(|(key, value)| (key, value));
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--config").arg(&self.configuration).envs(environment);
        command.output().expect("the program")
    }

    /// Everything the daemon has printed in all its runs.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The log of this run, one JSON object a line.
    pub fn log(&self) -> Vec<Value> {
        let text = self.log_text();
        text.lines().skip(self.earlier).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a line of the log with this message, and returns it.
    pub fn wait_for_log(&self, message: &str) -> Value {
        let what = format!("no line in the log with the message {message:?}");
        wait_until(&what, Duration::from_secs(20), || {
            self.log().into_iter().find(|line| field(line, "message").and_then(Value::as_str) == Some(message))
        })
    }

    /// No secret of the configuration stands in the log, nor any of `further`.
    pub fn assert_no_secret_in_the_log(&self, further: &[&str]) {
        let text = self.log_text();
        for secret in self.secrets.iter().map(String::as_str).chain(further.iter().copied()) {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "the secret {secret:?} stands in the log: {line:?}");
        }
    }

    /// Resident memory in KiB.
    pub fn memory_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory it has ever had, in KiB.
    pub fn peak_memory_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running daemon");
        let line = status.lines().find(|line| line.starts_with(key)).expect(key);
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
    }

    /// Processor time used so far, by user and system, in steps of 10 ms.
    pub fn cpu_time(&self) -> Duration {
        super::cpu_time(self.pid())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    /// Err with the log when the daemon ends instead of listening.
    fn launch(&mut self) -> Result<(), String> {
        let arguments = ["serve".into(), "--config".into(), self.configuration.clone().into_os_string()];
        let keeper = self.keep(&self.binary.clone(), &arguments);
        self.await_listening(keeper, || ())
    }

    fn keep(&mut self, program: &Path, arguments: &[OsString]) -> Keeper {
        self.earlier = self.log_text().lines().count();
        Keeper::start(program, arguments, &self.environment, &self.log_file(), Some(self.folder.path()))
    }

    fn await_listening(&mut self, keeper: Keeper, mut meanwhile: impl FnMut()) -> Result<(), String> {
        let address = wait_until("scim2ldap neither listens nor ends", Duration::from_secs(30), || {
            meanwhile();
            let running = keeper.running();
            let address = self.log().iter().find_map(listening_address);
            (address.is_some() || !running).then_some(address)
        });
        self.base = address.ok_or_else(|| self.log_text())?;
        self.keeper = Some(keeper);
        Ok(())
    }
}

fn listening_address(line: &Value) -> Option<String> {
    if field(line, "message")?.as_str()? != "listening" {
        return None;
    }
    Some(field(line, "address")?.as_str()?.trim_end_matches('/').to_owned())
}

/// A field of a log line, at the top or among the `fields`.
pub fn field<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    line.get(name).or_else(|| line.get("fields")?.get(name))
}
