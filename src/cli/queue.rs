//! `scim2ldap queue`: what is still owed to the directory, and what waits for a person. It works on the store, beside a
//! daemon that runs or not; a running daemon takes up what was changed within a second or two.

mod change;
mod list;
mod show;

use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::columns::time;
use super::{Exit, finish, load, usage, wait_for};
use crate::config::Config;
use crate::store::{Item, State, Store, StoreFault};

/// What to do with items.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Show the items, the oldest first.
    List(list::Filter),
    /// Show one item: who asked for what, what would be written now, and what it waits for. Nothing is written.
    Show {
        /// The number of the item.
        number: i64,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have parked items carried out again, planned anew with the mapping of today.
    Retry(Selection),
    /// Take items out of the queue for good: what they ask for is not carried out.
    Drop {
        #[command(flatten)]
        selection: Selection,
        /// Really do it. Without this it is only said what would be dropped.
        #[arg(long)]
        yes: bool,
    },
    /// Keep owed items from being carried out until they are released.
    Hold(Selection),
    /// Let held items be carried out.
    Release(Selection),
}

/// Which items are meant.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// The numbers of the items.
    numbers: Vec<i64>,
    /// All items that this can be done to.
    #[arg(long, conflicts_with = "numbers")]
    all: bool,
    /// Only those that are parked.
    #[arg(long)]
    parked: bool,
    /// Only those of this tenant; without numbers, all of them.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

/// The states by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateName {
    Owed,
    Parked,
    Held,
}

impl From<StateName> for State {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Owed => Self::Owed,
            StateName::Parked => Self::Parked,
            StateName::Held => Self::Held,
        }
    }
}

/// Does `action` under the configuration at `path`.
pub(super) fn run(path: &Path, action: &Action) -> Exit {
    if let Err(mistake) = action.check() {
        return usage(ErrorKind::MissingRequiredArgument, mistake);
    }
    let config = match load(path, action.json()) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    finish(wait_for(act(&config, action)))
}

async fn act(config: &Config, action: &Action) -> Result<Exit, StoreFault> {
    let store = Store::open_existing(&config.store.settings).await?;
    match action {
        Action::List(filter) => list::run(store.as_ref(), filter).await,
        Action::Show { number, json } => show::run(config, store.as_ref(), *number, *json).await,
        Action::Retry(selection) => change::run(store.as_ref(), change::Verb::Retry, selection, true).await,
        Action::Drop { selection, yes } => change::run(store.as_ref(), change::Verb::Drop, selection, *yes).await,
        Action::Hold(selection) => change::run(store.as_ref(), change::Verb::Hold, selection, true).await,
        Action::Release(selection) => change::run(store.as_ref(), change::Verb::Release, selection, true).await,
    }
}

impl Action {
    fn json(&self) -> bool {
        match self {
            Self::List(filter) => filter.json,
            Self::Show { json, .. } => *json,
            Self::Retry(selection)
            | Self::Drop { selection, .. }
            | Self::Hold(selection)
            | Self::Release(selection) => selection.json,
        }
    }

    /// It is said which items are meant.
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::List(_) | Self::Show { .. } => Ok(()),
            Self::Drop { selection, .. } if selection.numbers.is_empty() && !selection.parked => {
                Err("say which items: their numbers, or --all --parked for all that are parked")
            }
            Self::Retry(selection)
            | Self::Drop { selection, .. }
            | Self::Hold(selection)
            | Self::Release(selection) => {
                let says = !selection.numbers.is_empty() || selection.all || selection.tenant.is_some();
                says.then_some(()).ok_or("say which items: their numbers, --all, or --tenant NAME for all of a tenant")
            }
        }
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Owed => "owed",
        State::Parked => "parked",
        State::Held => "held",
    }
}

fn as_json(item: &Item) -> Value {
    json!({
        "number": item.number,
        "tenant": item.asked.space,
        "state": name(item.state),
        "since": time(item.since),
        "asked": time(item.asked.asked_at),
        "asked_by": item.asked.asked_by,
        "request": item.asked.request,
        "resource": item.asked.resource,
        "summary": item.asked.summary,
        "reason": item.reason,
        "attempts": item.attempts,
        "begun": item.started,
    })
}
