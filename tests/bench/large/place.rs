//! A directory that is full from the beginning, a bridge before it, and a connection to each.

use super::data;
use crate::harness::{BASIC, Config, Credential, Daemon, Options, SUFFIX, Slapd};
use crate::http::{Connection, Tenant};
use crate::processes::Process;
use crate::workload::Outcome;
use crate::{raw, stage};
use ldap3::Ldap;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Where everything of one size is measured.
pub struct Place {
    // In this order: the bridge ends before its directory.
    daemon: Daemon,
    slapd: Slapd,
    pub tenant: Tenant,
    bridge: Connection,
    used: Instant,
    /// A connection of the account that the bridge uses, too.
    pub ldap: Ldap,
}

impl Place {
    /// Fills a directory with so many users and groups of these sizes, and starts a bridge before it.
    pub async fn make(users: usize, groups: &[usize]) -> Outcome<Self> {
        let options = Options { equality_only: true, ..Options::default() };
        let slapd = Slapd::filled(options, |out| data::write(out, users, groups));
        let config = Config::for_slapd(&slapd, SUFFIX).urls(&[&slapd.url()]).directory("allow_plaintext = true");
        let daemon = Daemon::start(env!("CARGO_BIN_EXE_scim2ldap"), &config);
        let Credential::Basic(username, password) = BASIC else { return Err("no Basic credential".into()) };
        let tenant = Tenant::new(daemon.base(), username, password);
        let bridge = Connection::open(&tenant.address).await?;
        let ldap = raw::connect(slapd.port(), slapd.service_account()).await?;
        Ok(Self { daemon, slapd, tenant, bridge, used: Instant::now(), ldap })
    }

    /// What the server calls itself.
    pub fn server(&self) -> String {
        stage::version(self.slapd.pid()).unwrap_or_else(|| "slapd".to_owned())
    }

    /// Processor time of the bridge so far.
    pub fn bridge_cpu(&self) -> Outcome<Duration> {
        Process(self.daemon.pid()).cpu_time()
    }

    /// The most memory that the bridge has ever had, in bytes.
    pub fn peak_memory(&self) -> Outcome<u64> {
        Process(self.daemon.pid()).peak_memory()
    }

    /// Sends a request to the bridge; how long it took, and the body of the answer, which has to have this status.
    pub async fn ask(&mut self, request: &[u8], status: u16) -> Outcome<(Duration, &[u8])> {
        // The bridge closes connections that nobody uses.
        if self.used.elapsed() > Duration::from_secs(1) {
            self.bridge = Connection::open(&self.tenant.address).await?;
        }
        let began = Instant::now();
        let answer = self.bridge.exchange(request).await?;
        let took = began.elapsed();
        self.used = Instant::now();
        if answer.status == status {
            return Ok((took, answer.body));
        }
        let start = answer.body.get(..answer.body.len().min(500)).unwrap_or_default();
        Err(format!("{} instead of {status}: {}", answer.status, String::from_utf8_lossy(start)).into())
    }

    /// The same with a body of JSON.
    pub async fn ask_json(&mut self, request: &[u8]) -> Outcome<(Duration, Value)> {
        let (took, body) = self.ask(request, 200).await?;
        Ok((took, serde_json::from_slice(body)?))
    }

    /// Waits until the bridge has read the directory into its shadow, which it does beside everything else.
    pub async fn read_whole(&self) -> Outcome<()> {
        while !self.daemon.log_text().contains("the directory was read;") {
            self.check_log()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The bridge has had nothing to complain about.
    pub fn check_log(&self) -> Outcome<()> {
        match self.daemon.log_text().lines().find(|line| line.contains("\"ERROR\"")) {
            Some(line) => Err(format!("the bridge complains: {line}").into()),
            None => Ok(()),
        }
    }
}

/// The time in the middle.
pub fn median(mut times: Vec<Duration>) -> Outcome<Duration> {
    times.sort_unstable();
    Ok(*times.get(times.len() / 2).ok_or("nothing was measured")?)
}
