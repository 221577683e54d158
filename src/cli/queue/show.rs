//! `scim2ldap queue show`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{as_json, name};
use crate::bridge::{Explanation, Fault, desk};
use crate::cli::columns::{on_one_line, time};
use crate::cli::explain::{base_url, directory};
use crate::cli::{Exit, complain, print};
use crate::config::{Config, Tenant};
use crate::daemon::build;
use crate::store::{Item, Session, State, Store, StoreFault};

/// How many other items are named.
const NAMED: usize = 20;

/// All that is told of an item.
struct Told {
    item: Item,
    body: Option<Value>,
    /// What would be written, or why that can't be said.
    now: Result<String, String>,
    earlier: Vec<i64>,
    later: Vec<i64>,
}

pub(super) async fn run(
    config: &Config,
    store: Option<&Store>,
    number: i64,
    as_json: bool,
) -> Result<Exit, StoreFault> {
    let found = match store {
        Some(store) => store.read(async move |session: Session| find(&session, number)).await?.map(|it| (store, it)),
        None => None,
    };
    let Some((store, (item, earlier, later))) = found else {
        complain(format!("there is no item {number}: it may be done; `scim2ldap queue list` shows what there is"));
        return Ok(Exit::Problems);
    };
    let (body, now) = look(config, store, &item, &earlier).await?;
    let told = Told { item, body, now, earlier, later };
    print(&if as_json { told.as_json().to_string() } else { told.as_text() });
    Ok(Exit::Good)
}

type Found = (Item, Vec<i64>, Vec<i64>);

fn find(session: &Session, number: i64) -> Result<Option<Found>, StoreFault> {
    let Some(item) = session.item(number)? else { return Ok(None) };
    let (earlier, later) = desk::neighbours(session, &item)?;
    Ok(Some((item, earlier, later)))
}

/// What is asked, and what would be written now.
async fn look(
    config: &Config,
    store: &Store,
    item: &Item,
    earlier: &[i64],
) -> Result<(Option<Value>, Result<String, String>), StoreFault> {
    let tenant = config.tenants.iter().find(|tenant| *tenant.name == *item.asked.space);
    let Some(tenant) = tenant else {
        let why = "the configuration has no tenant of this name any more: bring it back, or drop the item";
        return Ok((None, Err(why.to_owned())));
    };
    look_as(config, tenant, store, (item, earlier)).await
}

async fn look_as(
    config: &Config,
    tenant: &Tenant,
    store: &Store,
    (item, earlier): (&Item, &[i64]),
) -> Result<(Option<Value>, Result<String, String>), StoreFault> {
    let directory = match directory(config, tenant) {
        Ok(directory) => directory,
        Err(fault) => return Ok((None, Err(fault.to_string()))),
    };
    let bridge = build::bridge_beside(store, tenant, base_url(config, tenant), directory).await?;
    let asked = desk::asked(&bridge, item, config.store.key.as_ref());
    let now = match asked.intent {
        None => Err(asked.unreadable.unwrap_or_default()),
        Some(intent) => match bridge.explain(intent).await {
            Ok(Explanation { fault: None, unasked: None, ldif, .. }) => Ok(ldif),
            Ok(Explanation { fault: Some(fault), .. }) | Err(fault) => Err(refused(&fault, earlier)),
            Ok(Explanation { unasked: Some(why), .. }) => Err(why),
        },
    };
    Ok((asked.body, now))
}

impl Told {
    fn as_text(&self) -> String {
        let Self { item, .. } = self;
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{name:10}{}", on_one_line(value));
        };
        line("item", &item.number.to_string());
        line("tenant", &item.asked.space);
        line("state", &format!("{} since {}", name(item.state), time(item.since)));
        let behind = || if self.earlier.is_empty() { "the directory".to_owned() } else { numbers(&self.earlier) };
        line("reason", &item.reason.clone().unwrap_or_else(|| format!("it waits for {}", behind())));
        line("asked", &format!("{} by {}", time(item.asked.asked_at), item.asked.asked_by));
        line("request", &item.asked.request);
        line("resource", &item.asked.resource);
        line("summary", &item.asked.summary);
        let begun = if item.started { ", the directory may have done it in part" } else { "" };
        line("attempts", &format!("{} failed{begun}", item.attempts));
        line("waits for", &numbers(&self.earlier));
        line("before", &numbers(&self.later));
        text.push_str("\nasked for:\n");
        let body = self.body.as_ref().and_then(|body| serde_json::to_string_pretty(body).ok());
        text.push_str(body.as_deref().unwrap_or("can't be shown, see below"));
        text.push_str("\n\nwould be written now:\n");
        text.push_str(match &self.now {
            Ok(ldif) if ldif.is_empty() => "nothing: the directory is as it was asked for",
            Ok(ldif) => ldif.trim_end(),
            Err(why) => why,
        });
        if item.state == State::Parked {
            let _ = write!(text, "\n\nto go on: scim2ldap queue retry {0}, or scim2ldap queue drop {0}", item.number);
        }
        text
    }

    fn as_json(&self) -> Value {
        let mut value = as_json(&self.item);
        value["asked_for"] = self.body.clone().into();
        value["ldif"] = self.now.as_ref().ok().cloned().into();
        value["unknown"] = self.now.as_ref().err().cloned().into();
        value["waits_for"] = json!(self.earlier);
        value["before"] = json!(self.later);
        value
    }
}

/// Why nothing can be written now. What an item that waits behind others would meet now is not what it will meet: whom it
/// changes may not even be there yet.
fn refused(fault: &Fault, earlier: &[i64]) -> String {
    match fault {
        Fault::Unavailable { .. } => fault.to_string(),
        _ if earlier.is_empty() => fault.to_string(),
        _ => format!("that can't be said before what it waits for is done: {}", numbers(earlier)),
    }
}

/// The first of them, and how many there are besides.
fn numbers(numbers: &[i64]) -> String {
    let first: Vec<String> = numbers.iter().take(NAMED).map(|number| format!("item {number}")).collect();
    match numbers.len().saturating_sub(NAMED) {
        0 if first.is_empty() => "no other item".to_owned(),
        0 => first.join(", "),
        others => format!("{} and {others} more", first.join(", ")),
    }
}
