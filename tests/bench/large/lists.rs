//! Lists of any length, page by page.

use super::Judge;
use super::data;
use super::place::{Place, median};
use crate::harness::SUFFIX;
use crate::report::{Spread, megabytes, milliseconds, thousands};
use crate::table::Table;
use crate::workload::Outcome;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Scope, SearchEntry};
use serde_json::Value;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// So many pages one after the other, at the beginning, in the middle and at the end.
const PAGES: usize = 8;
/// Entries on a page when the directory alone is read whole.
const PAGE: i32 = 1_000;

/// One directory, in one round.
#[derive(Clone, Copy)]
struct Round {
    /// The first page of all, for which everything that matches is counted.
    first: Duration,
    /// The pages behind it, in the middle, and the last ones.
    next: Duration,
    middle: Duration,
    end: Duration,
    /// The directory alone: every id, and as many entries as a page has.
    ids: Duration,
    entries: Duration,
}

/// One directory, in all rounds.
pub struct Measured {
    users: usize,
    rounds: Vec<Round>,
    pub peak_memory: u64,
}

/// Measures pages of a directory with so many users.
pub async fn measure(users: usize, page: usize, rounds: usize) -> Outcome<Measured> {
    let mut place = Place::make(users, &[]).await?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        all.push(round(&mut place, users, page).await?);
    }
    place.read_whole().await?;
    Ok(Measured { users, rounds: all, peak_memory: place.peak_memory()? })
}

async fn round(place: &mut Place, users: usize, page: usize) -> Outcome<Round> {
    let (ids, known) = every_id(place).await?;
    if known.len() != users {
        return Err(format!("the directory holds {} users", known.len()).into());
    }
    let mut reader = Reader { users, page, seen: HashSet::new() };
    let first = reader.page(place, 1).await?;
    let next = reader.pages(place, 1 + page).await?;
    let last = users.saturating_sub(PAGES * page);
    let middle = reader.pages(place, 1 + last.min(users / 2)).await?;
    let end = reader.pages(place, 1 + last).await?;
    // Whoever pages through must meet everybody: each id stands in one place.
    let strangers = reader.seen.iter().filter(|id| !known.contains(*id)).count();
    if strangers > 0 {
        return Err(format!("{strangers} ids that are not in the directory").into());
    }
    Ok(Round { first, next, middle, end, ids, entries: entries(place, page).await? })
}

struct Reader {
    users: usize,
    page: usize,
    seen: HashSet<String>,
}

impl Reader {
    async fn pages(&mut self, place: &mut Place, from: usize) -> Outcome<Duration> {
        let mut times = Vec::new();
        for page in 0..PAGES {
            times.push(self.page(place, from + page * self.page).await?);
        }
        median(times)
    }

    async fn page(&mut self, place: &mut Place, start: usize) -> Outcome<Duration> {
        let request = place.tenant.get(&format!("/Users?startIndex={start}&count={}", self.page));
        let (took, body) = place.ask(&request, 200).await?;
        let list: Value = serde_json::from_slice(body)?;
        let resources = list["Resources"].as_array().ok_or("no Resources")?;
        let right = list["totalResults"] == self.users && list["startIndex"] == start && resources.len() == self.page;
        if !right {
            return Err(format!("the page at {start} has {} of {}", resources.len(), list["totalResults"]).into());
        }
        for resource in resources {
            let id = resource["id"].as_str().ok_or("no id")?;
            let new = self.seen.insert(id.to_owned());
            // The middle and the end of a short list lie on its other pages.
            if !new && self.users > 4 * PAGES * self.page {
                return Err(format!("{id} stands on two pages").into());
            }
        }
        Ok(took)
    }
}

/// Every user's id, by the directory alone.
async fn every_id(place: &mut Place) -> Outcome<(Duration, HashSet<String>)> {
    let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
    let (base, filter) = (format!("ou=people,{SUFFIX}"), "(objectClass=inetOrgPerson)");
    let (mut ids, mut ldap, began) = (Vec::new(), place.ldap.clone(), Instant::now());
    let mut stream = ldap.streaming_search_with(adapters, &base, Scope::Subtree, filter, vec!["entryUUID"]).await?;
    while let Some(entry) = stream.next().await? {
        let mut entry = SearchEntry::construct(entry);
        ids.extend(entry.attrs.remove("entryUUID").unwrap_or_default());
    }
    stream.finish().await.success()?;
    Ok((began.elapsed(), ids.into_iter().collect()))
}

/// As many entries as a page has, by one search.
async fn entries(place: &mut Place, page: usize) -> Outcome<Duration> {
    let base = format!("ou=people,{SUFFIX}");
    let mut times = Vec::new();
    for turn in 0..PAGES {
        let names = (turn * page..(turn + 1) * page).map(|number| format!("(uid={})", data::name(number)));
        let filter = format!("(&(|{})(objectClass=inetOrgPerson))", names.collect::<String>());
        let began = Instant::now();
        let attributes = vec!["*", "entryUUID", "createTimestamp", "modifyTimestamp", "memberOf"];
        let found = place.ldap.search(&base, Scope::Subtree, &filter, attributes).await?.success()?.0;
        times.push(began.elapsed());
        if found.len() != page {
            return Err(format!("{} of {page} entries were found", found.len()).into());
        }
    }
    median(times)
}

impl Measured {
    fn spread(&self, value: fn(&Round) -> Duration) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|round| milliseconds(value(round))).collect())
    }
}

/// What was measured, as a table.
pub fn to_markdown(measured: &[Measured], page: usize) -> String {
    let mut table = Table::new(&[
        "users",
        "first page, ms",
        "next pages, ms",
        "in the middle, ms",
        "at the end, ms",
        "directory: every id, ms",
        "directory: entries of a page, ms",
        "memory of the bridge, MB",
    ]);
    let columns: [fn(&Round) -> Duration; 6] = [
        |round| round.first,
        |round| round.next,
        |round| round.middle,
        |round| round.end,
        |round| round.ids,
        |round| round.entries,
    ];
    for one in measured {
        let mut row = vec![thousands(u32::try_from(one.users).map_or(0.0, f64::from))];
        row.extend(columns.map(|column| one.spread(column).map_or(String::new(), |it| format!("{:.1}", it.median))));
        row.push(megabytes(one.peak_memory).map_or(String::new(), |peak| format!("{peak:.1}")));
        table.row(row);
    }
    format!("### Lists\n\nPages of {page} users.\n\n{table}")
}

/// The targets that are about lists.
pub fn judge(measured: &[Measured], judge: &mut Judge<'_>) {
    let (Some(small), Some(large)) = (measured.first(), measured.last()) else { return };
    let compare = |value: fn(&Round) -> Duration| {
        let rounds = small.rounds.iter().zip(&large.rounds);
        Spread::of(rounds.map(|(small, large)| milliseconds(value(large)) / milliseconds(small.first)).collect())
    };
    let beside = format!("of {}, beside the first page of {}", large.users, small.users);
    judge(&format!("a page in the middle {beside}"), 2.0, " ×", compare(|round| round.middle));
    judge(&format!("a page at the end {beside}"), 2.0, " ×", compare(|round| round.end));
}
