//! `scim2ldap status`: how each tenant stands. It reads the store and asks the directories, beside a daemon that runs or
//! not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::columns::{on_one_line, time};
use super::explain::base_url;
use super::{Exit, finish, load, print, wait_for};
use crate::bridge::Pulse;
use crate::bridge::desk::{Standing, standing};
use crate::config::{Config, Tenant, WhenUnreachable};
use crate::directory::Directory;
use crate::store::{Session, Store, StoreFault, Tally};

/// How long a directory may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How old the last news of a daemon may be before it counts as not running, in milliseconds.
const SILENCE: i64 = 150_000;

/// All that is told of a tenant.
struct Told<'a> {
    tenant: &'a Tenant,
    url: String,
    /// Whether changes are accepted while the directory is away.
    keeps: bool,
    standing: Standing,
    /// Why the directory does not answer, if it does not.
    away: Option<String>,
    now: i64,
}

/// Tells how the tenants of the configuration at `path` stand.
pub(super) fn run(path: &Path, as_json: bool) -> Exit {
    let config = match load(path, as_json) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    finish(wait_for(tell(&config, as_json)))
}

async fn tell(config: &Config, as_json: bool) -> Result<Exit, StoreFault> {
    let store = Store::open_existing(&config.store.settings).await?;
    let asked = join_all(config.directories.iter().map(async |directory| {
        let settings = directory.settings.clone();
        (settings.name.clone(), ask(settings).await)
    }));
    let away: BTreeMap<String, Option<String>> = asked.await.into_iter().collect();
    let mut told = Vec::new();
    for tenant in &config.tenants {
        let standing = match &store {
            Some(store) => {
                let name = tenant.name.clone();
                store.read(async move |session: Session| standing(&session, &name)).await?
            }
            None => Standing::default(),
        };
        let directory = config.directory(&tenant.directory);
        told.push(Told {
            tenant,
            url: base_url(config, tenant),
            keeps: directory.is_some_and(|it| it.when_unreachable == WhenUnreachable::Accept),
            standing,
            away: away.get(&tenant.directory).cloned().flatten(),
            now: Timestamp::now().as_millisecond(),
        });
    }
    if as_json {
        let tenants: Vec<Value> = told.iter().map(Told::as_json).collect();
        print(&json!({ "tenants": tenants }).to_string());
    } else {
        print(told.iter().map(Told::as_text).collect::<Vec<_>>().join("\n").trim_end());
    }
    Ok(Exit::Good)
}

/// Why a directory does not answer; `None`: it does.
async fn ask(settings: crate::directory::Settings) -> Option<String> {
    let directory = match Directory::new(settings) {
        Ok(directory) => directory,
        Err(fault) => return Some(fault.to_string()),
    };
    match timeout(PATIENCE, directory.ping()).await {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(fault.to_string()),
        Err(_elapsed) => Some(format!("no answer within {} seconds", PATIENCE.as_secs())),
    }
}

impl Told<'_> {
    /// Since when the directory is as it is, where a daemon that runs has seen the same.
    fn since(&self) -> Option<i64> {
        let pulse = self.standing.pulse.as_ref()?;
        let agrees = pulse.reachable == Some(self.away.is_none()) && self.runs();
        agrees.then_some(pulse.since)
    }

    /// Whether a daemon was heard of lately.
    fn runs(&self) -> bool {
        self.standing.pulse.as_ref().is_some_and(|pulse| !pulse.stopped && self.now - pulse.at < SILENCE)
    }

    fn shadow(&self) -> String {
        let pulse = self.standing.pulse.clone().unwrap_or_default();
        match (self.keeps, self.standing.filled) {
            (false, _) => "none: when_unreachable is \"refuse\"".to_owned(),
            (true, _) if self.runs() && !pulse.filled => {
                format!("being read, {} entries so far; until then an outage is not invisible", pulse.read)
            }
            (true, Some(at)) => format!("the directory was read whole at {}", time(at)),
            (true, None) => "the directory was never read; that begins when the daemon runs".to_owned(),
        }
    }

    fn as_text(&self) -> String {
        let Self { tenant, standing, .. } = self;
        let Tally { owed, parked, held, waiting, oldest } = standing.tally;
        let mut text = format!("tenant {}: {}\n", tenant.name, if tenant.enabled { "enabled" } else { "disabled" });
        let mut line = |name: &str, value: String| {
            // Writing to a string can't fail.
            let _ = writeln!(text, "  {name:10}{}", on_one_line(&value));
        };
        line("URL", self.url.clone());
        let since = self.since().map(|since| format!(" since {}", time(since))).unwrap_or_default();
        let state = self.away.as_ref().map_or_else(|| format!("reachable{since}"), |why| format!("away{since}: {why}"));
        line("directory", format!("{}, {state}", tenant.directory));
        if self.keeps {
            line("synced", format!("{} users, {} groups", standing.users, standing.groups));
        }
        line("shadow", self.shadow());
        let pulse = standing.pulse.as_ref();
        let synced = pulse.and_then(|pulse| pulse.synced);
        line("last sync", synced.map_or_else(|| "not known".to_owned(), time));
        let oldest = oldest.map(|at| format!(", the oldest asked at {}", time(at))).unwrap_or_default();
        line("queue", format!("{owed} owed{oldest}; {parked} parked, {held} held, {waiting} waiting"));
        let silent = |pulse: &Pulse| if pulse.stopped { "stopped at" } else { "last heard of:" };
        let heard = pulse
            .map_or_else(|| "last heard of: never".to_owned(), |pulse| format!("{} {}", silent(pulse), time(pulse.at)));
        line("daemon", if self.runs() { "running".to_owned() } else { heard });
        text
    }

    fn as_json(&self) -> Value {
        let Self { tenant, standing, keeps, .. } = self;
        let pulse = standing.pulse.clone().unwrap_or_default();
        let Tally { owed, parked, held, waiting, oldest } = standing.tally;
        json!({
            "tenant": &*tenant.name,
            "enabled": tenant.enabled,
            "url": self.url,
            "users": keeps.then_some(standing.users),
            "groups": keeps.then_some(standing.groups),
            "last_sync": pulse.synced.map(time),
            "owed": owed,
            "parked": parked,
            "held": held,
            "waiting": waiting,
            "oldest_owed": oldest.map(time),
            "directory": {
                "name": tenant.directory,
                "reachable": self.away.is_none(),
                "since": self.since().map(time),
                "error": self.away,
            },
            "shadow": {
                "filled": standing.filled.is_some() && (pulse.filled || !self.runs()),
                "at": standing.filled.map(time),
                "read": pulse.read,
            },
            "daemon": {
                "running": self.runs(),
                "heard": (pulse.at > 0).then(|| time(pulse.at)),
                "reachable": pulse.reachable,
                "since": (pulse.at > 0).then(|| time(pulse.since)),
                "error": pulse.error,
            },
        })
    }
}
