//! What a round is played on: a directory that was empty a moment ago, a bridge that has just started, connections.

use crate::harness::{BASIC, Config, Credential, Daemon, Options, SUFFIX, Slapd};
use crate::http::{Connection, Tenant, find};
use crate::people::{Person, Template, cohort};
use crate::processes::{Cast, Process};
use crate::raw;
use crate::workload::Outcome;
use ldap3::Ldap;
use scim2ldap::directory::{Dn, Kind};
use scim2ldap::mapping::{IdAttribute, Mapping};
use scim2ldap::scim::Projection;
use scim2ldap::tables::Source;

/// How many connections the bridge keeps to a directory by default, and so the most that the directory alone is asked
/// over.
pub const CONNECTIONS: usize = 4;

/// One directory, one bridge before it, and everything that is needed to ask both.
pub struct Stage {
    // In this order: the bridge ends before its directory.
    daemon: Daemon,
    slapd: Slapd,
    pub tenant: Tenant,
    pub cast: Cast,
    /// Connections of the account that the bridge uses, too.
    pub connections: Vec<Ldap>,
    /// A connection without limits, to look at the outcome.
    pub auditor: Ldap,
    /// What the bridge makes of a new user.
    pub template: Template,
    /// Where users are, and what the bridge asks for when it reads one.
    pub base: String,
    pub attributes: Vec<String>,
    /// Resident memory of the bridge before there was any load.
    pub idle_memory: u64,
}

impl Stage {
    /// Starts everything. `fsync`: whether the directory waits for the disk before it answers a write.
    pub async fn set(fsync: bool) -> Outcome<Self> {
        // Substring indexes make an add several times as expensive for the directory, which would hide the bridge's share.
        let slapd = Slapd::with(Options { fsync, equality_only: true, ..Options::default() });
        let config = Config::for_slapd(&slapd, SUFFIX).urls(&[&slapd.url()]).directory("allow_plaintext = true");
        let daemon = Daemon::start(env!("CARGO_BIN_EXE_scim2ldap"), &config);
        let Credential::Basic(username, password) = BASIC else { return Err("no Basic credential".into()) };
        let tenant = Tenant::new(daemon.base(), username, password);
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(raw::connect(slapd.port(), slapd.service_account()).await?);
        }
        let auditor = raw::connect(slapd.port(), slapd.admin()).await?;
        let base = format!("ou=people,{SUFFIX}");
        let template = probe(&tenant, &slapd, &base).await?;
        let cast = Cast { slapd: Process(slapd.pid()), bridge: Process(daemon.pid()) };
        let (attributes, idle_memory) = (attributes_of_a_user()?, cast.bridge.memory()?);
        Ok(Self { daemon, slapd, tenant, cast, connections, auditor, template, base, attributes, idle_memory })
    }

    /// What the server says about itself: `OpenLDAP 2.5.13`.
    pub fn server(&self) -> String {
        version(self.slapd.pid()).unwrap_or_else(|| "slapd".to_owned())
    }

    /// At the end: the directory holds so many users besides the first, and the bridge has had nothing to complain about.
    pub async fn check(&self, users: usize) -> Outcome<()> {
        let found = raw::survey(&self.auditor, &self.base, "").await?.len();
        if found != users + 1 {
            return Err(format!("there are {found} users, and should be {}", users + 1).into());
        }
        match self.daemon.log_text().lines().find(|line| line.contains("\"ERROR\"")) {
            Some(line) => Err(format!("the bridge complains: {line}").into()),
            None => Ok(()),
        }
    }
}

/// Creates one user through the bridge and looks at what has become of it.
pub async fn probe(tenant: &Tenant, slapd: &Slapd, base: &str) -> Outcome<Template> {
    let person = cohort("probe", 1).pop().ok_or("nobody")?;
    create(tenant, &person).await?;
    let raw = slapd.raw().await;
    let (dn, _) = raw.find_one(base, &format!("(uid={})", person.name())).await;
    let attributes = raw.entry(&dn).await.ok_or("the entry has gone")?;
    Ok(Template::new(&person, dn, attributes))
}

async fn create(tenant: &Tenant, person: &Person) -> Outcome<()> {
    let mut connection = Connection::open(&tenant.address).await?;
    let answer = connection.exchange(&tenant.send("POST", "/Users", &person.to_create())).await?;
    if answer.status == 201 && find(answer.body, person.name().as_bytes()).is_some() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer.body);
    Err(format!("creating a user was answered with {}: {text}", answer.status).into())
}

/// The attributes the bridge asks for with the shipped mapping.
fn attributes_of_a_user() -> Outcome<Vec<String>> {
    let dialect = Kind::OpenLdap.dialect();
    let source =
        Source { name: "openldap.toml".to_owned(), text: include_str!("../../conf/mapping/openldap.toml").to_owned() };
    let mapping = Mapping::parse(source, &Dn::parse(SUFFIX)?, &IdAttribute::from(dialect));
    let mapping = mapping.map_err(|mistakes| mistakes.render())?;
    let names = mapping.user.attributes(dialect, &Projection::default());
    Ok(names.iter().map(ToString::to_string).collect())
}

pub fn version(pid: u32) -> Option<String> {
    let output = std::process::Command::new(format!("/proc/{pid}/exe")).arg("-VV").output().ok()?;
    let text = String::from_utf8(output.stderr).ok()?;
    let version = text.split("slapd ").nth(1)?.split(['+', '-', ' ']).next()?;
    Some(format!("OpenLDAP {version}"))
}
