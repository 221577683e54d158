//! `scim2ldap queue list`.

use clap::Args;
use serde_json::{Value, json};

use super::{StateName, as_json, name};
use crate::cli::columns::{columns, on_one_line, time};
use crate::cli::{Exit, print};
use crate::store::{Item, ItemQuery, Session, Store, StoreFault, Tally};

/// Which items are shown.
#[derive(Debug, Args)]
pub(in crate::cli) struct Filter {
    /// Only those in this state.
    #[arg(long, value_enum)]
    state: Option<StateName>,
    /// Only those of this tenant.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Only those of the resource with this SCIM id.
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// Only those with a higher number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: i64,
    /// No more than these.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    /// Print the list as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(store: Option<&Store>, filter: &Filter) -> Result<Exit, StoreFault> {
    let (mut items, tally) = match store {
        Some(store) => {
            let query = query(filter);
            let find =
                async move |session: Session| Ok((session.items(&query)?, session.tally(query.space.as_deref())?));
            store.read::<_, StoreFault, _, _>(find).await?
        }
        None => (Vec::new(), Tally::default()),
    };
    let more = items.len() > filter.limit;
    items.truncate(filter.limit);
    if filter.json {
        let items: Vec<Value> = items.iter().map(as_json).collect();
        print(
            &json!({ "items": items, "more": more, "owed": tally.owed, "parked": tally.parked, "held": tally.held })
                .to_string(),
        );
    } else {
        print(as_text(&items).trim_end());
        print(&footer(&items, more, tally));
    }
    Ok(Exit::Good)
}

/// One more than is shown, to know whether there are more.
fn query(filter: &Filter) -> ItemQuery {
    ItemQuery {
        space: filter.tenant.clone(),
        state: filter.state.map(Into::into),
        resource: filter.resource.clone(),
        after: filter.after,
        limit: filter.limit.saturating_add(1),
    }
}

fn as_text(items: &[Item]) -> String {
    if items.is_empty() {
        return "no items".to_owned();
    }
    let head = ["number", "tenant", "state", "asked", "resource", "summary", "reason"].map(str::to_owned);
    let line = |item: &Item| {
        [
            item.number.to_string(),
            item.asked.space.clone(),
            name(item.state).to_owned(),
            time(item.asked.asked_at),
            item.asked.resource.clone(),
            on_one_line(&item.asked.summary),
            on_one_line(item.reason.as_deref().unwrap_or_default()),
        ]
    };
    columns(&std::iter::once(head).chain(items.iter().map(line)).collect::<Vec<_>>())
}

fn footer(items: &[Item], more: bool, tally: Tally) -> String {
    let Tally { owed, parked, held, .. } = tally;
    let all = format!("in all: {owed} owed, {parked} parked, {held} held");
    match items.last() {
        Some(last) if more => format!("{all}; the next ones: --after {}", last.number),
        _ => all,
    }
}
