//! A directory with two bridges before it that differ in one line, each with a store of its own.

use super::asker::{Asked, Asker};
use crate::harness::{BASIC, Config, Credential, Daemon, Options, SUFFIX, Slapd};
use crate::http::Tenant;
use crate::people::{Person, Template, cohort, retitle};
use crate::processes::Process;
use crate::raw;
use crate::stage::{CONNECTIONS, probe, version};
use crate::workload::{Outcome, race};
use ldap3::Ldap;
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// How many groups members come into, so that those who ask at the same time need not wait for each other.
const GROUPS: usize = 32;

/// Everything that is needed to ask.
pub struct Stand {
    // In this order: the bridges end before their directory.
    pub refusing: Bridge,
    pub accepting: Bridge,
    pub slapd: Slapd,
    pub template: Template,
    pub base: String,
}

/// A bridge.
pub struct Bridge {
    pub daemon: Daemon,
    pub tenant: Tenant,
    /// The ids of groups that are this bridge's own.
    groups: Vec<String>,
}

impl Stand {
    /// `fsync`: the directory waits for the disk.
    pub async fn set(fsync: bool) -> Outcome<Self> {
        let slapd = Slapd::with(Options { equality_only: true, fsync, ..Options::default() });
        let refusing = Bridge::start(&slapd, "refuse", "when_unreachable = \"refuse\"").await?;
        let accepting = Bridge::start(&slapd, "accept", "").await?;
        accepting.daemon.wait_for_log("the directory was read; an outage is invisible from now on");
        let base = format!("ou=people,{SUFFIX}");
        let template = probe(&refusing.tenant, &slapd, &base).await?;
        Ok(Self { refusing, accepting, slapd, template, base })
    }

    /// What the server says about itself.
    pub fn server(&self) -> String {
        version(self.slapd.pid()).unwrap_or_else(|| "slapd".to_owned())
    }

    /// Connections of the account that the bridges use.
    pub async fn connections(&self) -> Outcome<Vec<Ldap>> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(raw::connect(self.slapd.port(), self.slapd.service_account()).await?);
        }
        Ok(connections)
    }

    /// A connection without limits.
    pub async fn auditor(&self) -> Outcome<Ldap> {
        raw::connect(self.slapd.port(), self.slapd.admin()).await
    }

    /// The bridges have had nothing to complain about.
    pub fn check_log(&self) -> Outcome<()> {
        for bridge in [&self.refusing, &self.accepting] {
            let text = bridge.daemon.log_text();
            let bad = |line: &&str| line.contains("\"ERROR\"") || line.contains("parked");
            if let Some(line) = text.lines().find(bad) {
                return Err(format!("the bridge complains: {line}").into());
            }
        }
        Ok(())
    }
}

impl Bridge {
    async fn start(slapd: &Slapd, name: &str, line: &str) -> Outcome<Self> {
        let config = Config::for_slapd(slapd, SUFFIX).urls(&[&slapd.url()]).directory("allow_plaintext = true");
        let daemon = Daemon::start(env!("CARGO_BIN_EXE_scim2ldap"), &config.directory(line));
        let Credential::Basic(username, password) = BASIC else { return Err("no Basic credential".into()) };
        let tenant = Tenant::new(daemon.base(), username, password);
        let mut bridge = Self { daemon, tenant, groups: Vec::new() };
        let group = |number: usize| {
            json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                                           "displayName": format!("{name}-{number}")})
        };
        let requests = (0..GROUPS).map(|number| bridge.tenant.send("POST", "/Groups", &group(number))).collect();
        let asked = Arc::new(Asked { requests, status: 201, shows: Vec::new() });
        let made = race(Asker::several(&bridge.tenant, &asked, 1).await?, 0..GROUPS).await?;
        bridge.groups = made.workers.into_iter().flat_map(|asker| asker.ids).map(|(_, id)| id).collect();
        Ok(bridge)
    }

    pub fn process(&self) -> Process {
        Process(self.daemon.pid())
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Outcome<Duration> {
        self.process().cpu_time()
    }

    /// Waits until what was noted for the shadow is in the tables.
    pub async fn settle(&self) -> Outcome<()> {
        let is_noted = |name: &str| name.contains("-notes-");
        loop {
            let mut waiting = 0;
            for file in fs::read_dir(self.daemon.folder())? {
                let file = file?;
                if is_noted(&file.file_name().to_string_lossy()) {
                    waiting += file.metadata()?.len();
                }
            }
            if waiting == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub fn creates(&self, people: &[Person]) -> Asked {
        let requests = people.iter().map(|person| self.tenant.send("POST", "/Users", &person.to_create())).collect();
        Asked { requests, status: 201, shows: b"\"meta\":{".to_vec() }
    }

    pub fn look_ups(&self, people: &[Person]) -> Asked {
        let request = |person: &Person| {
            let name = person.name().replace('@', "%40");
            self.tenant.get(&format!("/Users?filter=userName%20eq%20%22{name}%22&startIndex=1&count=100"))
        };
        Asked { requests: people.iter().map(request).collect(), status: 200, shows: b"\"totalResults\":1".to_vec() }
    }

    pub fn gets(&self, people: &[Person]) -> Asked {
        let request = |person: &Person| self.tenant.get(&format!("/Users/{}", person.id));
        Asked { requests: people.iter().map(request).collect(), status: 200, shows: b"\"meta\":{".to_vec() }
    }

    pub fn patches(&self, people: &[Person], title: &str) -> Asked {
        let request = |person: &Person| self.tenant.send("PATCH", &format!("/Users/{}", person.id), &retitle(title));
        let shows = format!("\"title\":\"{title}\"").into_bytes();
        Asked { requests: people.iter().map(request).collect(), status: 200, shows }
    }

    /// One member more, in one group after the other.
    pub fn joins(&self, people: &[Person]) -> Asked {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        let request = |(person, group): (&Person, &String)| {
            let operation = json!({"op": "add", "path": "members", "value": [{"value": person.id}]});
            let body: Value = json!({"schemas": schemas, "Operations": [operation]});
            self.tenant.send("PATCH", &format!("/Groups/{group}"), &body)
        };
        let requests = people.iter().zip(self.groups.iter().cycle()).map(request).collect();
        Asked { requests, status: 204, shows: Vec::new() }
    }
}

/// Users, and what became of their ids.
pub fn people(prefix: &str, size: usize) -> Vec<Person> {
    cohort(prefix, size)
}
