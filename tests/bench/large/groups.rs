//! Groups of any size: one member more or less, and reading them.

use super::Judge;
use super::data;
use super::place::{Place, median};
use crate::report::{Spread, megabytes, milliseconds};
use crate::table::Table;
use crate::workload::Outcome;
use ldap3::{Ldap, Mod, Scope, SearchEntry};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Each side adds and removes so many members before the other takes its turn ...
const CHANGES: usize = 8;
/// ... and so many turns each makes a round.
const TURNS: usize = 3;

/// One size of group, in one round. Each pair is the directory alone and through the bridge.
#[derive(Clone, Copy, Default)]
struct Round {
    add: (Duration, Duration),
    remove: (Duration, Duration),
    /// What one of these changes takes of the bridge's processor time.
    cost: Duration,
    whole: (Duration, Duration),
    without: (Duration, Duration),
}

/// One size of group, in all rounds.
pub struct Measured {
    members: usize,
    /// Bytes of the answer that holds all members.
    answer: usize,
    rounds: Vec<Round>,
    pub peak_memory: u64,
}

/// Measures groups of these sizes. Also returns what the server calls itself.
pub async fn measure(sizes: &[usize], rounds: usize) -> Outcome<(String, Vec<Measured>)> {
    let largest = sizes.iter().copied().max().unwrap_or_default();
    // Behind the members stand those who come and go.
    let mut place = Place::make(largest + 2, sizes).await?;
    place.read_whole().await?;
    let mut measured = Vec::new();
    for members in sizes {
        let mut group = Group::find(&mut place, *members, [largest, largest + 1]).await?;
        let mut all = Vec::new();
        for _ in 0..rounds {
            all.push(group.round(&mut place).await?);
        }
        let peak_memory = place.peak_memory()?;
        measured.push(Measured { members: *members, answer: group.answer, rounds: all, peak_memory });
    }
    place.check_log()?;
    Ok((place.server(), measured))
}

struct Group {
    dn: String,
    members: usize,
    path: String,
    /// Who comes and goes: by the directory's own means, and through the bridge.
    directly: String,
    bridged: String,
    answer: usize,
}

impl Group {
    async fn find(place: &mut Place, members: usize, strangers: [usize; 2]) -> Outcome<Self> {
        let dn = data::group(members);
        let id = id_of(&mut place.ldap, &dn).await?;
        let [directly, bridged] = strangers.map(data::user);
        Ok(Self { dn, members, path: format!("/Groups/{id}"), directly, bridged, answer: 0 })
    }

    async fn round(&mut self, place: &mut Place) -> Outcome<Round> {
        let mut round = Round::default();
        self.change(place, &mut round).await?;
        let (mut whole, mut without) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for _ in 0..TURNS {
            whole[0].push(self.read_directly(&mut place.ldap, true).await?);
            whole[1].push(self.read_whole(place).await?);
            for _ in 0..CHANGES {
                without[0].push(self.read_directly(&mut place.ldap, false).await?);
                without[1].push(self.read_without(place).await?);
            }
        }
        round.whole = both(whole)?;
        round.without = both(without)?;
        Ok(round)
    }

    async fn change(&self, place: &mut Place, round: &mut Round) -> Outcome<()> {
        let id = id_of(&mut place.ldap, &self.bridged).await?;
        let request = |op: &str| {
            let operation = json!({"op": op, "path": "members", "value": [{"value": id}]});
            let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
            place.tenant.send("PATCH", &self.path, &json!({"schemas": schemas, "Operations": [operation]}))
        };
        let (add, remove) = (request("add"), request("remove"));
        let (mut times, mut costs) = ([const { [Vec::new(), Vec::new()] }; 2], Vec::new());
        let [added, removed] = &mut times;
        for _ in 0..TURNS {
            for _ in 0..CHANGES {
                added[0].push(self.modify(&mut place.ldap, Mod::Add).await?);
                removed[0].push(self.modify(&mut place.ldap, Mod::Delete).await?);
            }
            let before = place.bridge_cpu()?;
            for _ in 0..CHANGES {
                added[1].push(place.ask(&add, 204).await?.0);
                self.expect(&mut place.ldap, true).await?;
                removed[1].push(place.ask(&remove, 204).await?.0);
                self.expect(&mut place.ldap, false).await?;
            }
            costs.push(place.bridge_cpu()?.saturating_sub(before) / (2 * u32::try_from(CHANGES)?));
        }
        round.cost = median(costs)?;
        let [added, removed] = times;
        (round.add, round.remove) = (both(added)?, both(removed)?);
        Ok(())
    }

    async fn modify<'a>(
        &'a self,
        ldap: &mut Ldap,
        change: fn(&'a str, HashSet<&'a str>) -> Mod<&'a str>,
    ) -> Outcome<Duration> {
        let began = Instant::now();
        let result = ldap.modify(&self.dn, vec![change("member", HashSet::from([self.directly.as_str()]))]).await?;
        let took = began.elapsed();
        result.success()?;
        Ok(took)
    }

    /// Whether the one who came through the bridge is a member now.
    async fn expect(&self, ldap: &mut Ldap, member: bool) -> Outcome<()> {
        let found = ldap.compare(&self.dn, "member", &self.bridged).await?.equal()?;
        if found == member { Ok(()) } else { Err(format!("{} is a member: {found}", self.bridged).into()) }
    }

    async fn read_directly(&self, ldap: &mut Ldap, members: bool) -> Outcome<Duration> {
        let attributes = if members { vec!["cn", "entryUUID", "member"] } else { vec!["cn", "entryUUID"] };
        let began = Instant::now();
        let (mut entries, _) = ldap.search(&self.dn, Scope::Base, "(objectClass=*)", attributes).await?.success()?;
        let took = began.elapsed();
        let entry = entries.pop().map(SearchEntry::construct).ok_or("the group is gone")?;
        let found = entry.attrs.get("member").map_or(0, Vec::len);
        if found == if members { self.members } else { 0 } { Ok(took) } else { Err(wrong(found)) }
    }

    async fn read_whole(&mut self, place: &mut Place) -> Outcome<Duration> {
        let request = place.tenant.get(&self.path);
        let (took, body) = place.ask(&request, 200).await?;
        let first = self.answer == 0;
        self.answer = body.len();
        if first {
            return self.check_members(&serde_json::from_slice(body)?).map(|()| took);
        }
        let found = body.windows(8).filter(|window| window == b"\"value\":").count();
        if found == self.members { Ok(took) } else { Err(wrong(found)) }
    }

    fn check_members(&self, group: &Value) -> Outcome<()> {
        let members = group["members"].as_array().ok_or("no members")?;
        let known: HashSet<&str> = members.iter().filter_map(|member| member["value"].as_str()).collect();
        let named = members.iter().filter_map(|member| member["display"].as_str());
        let named = named.filter(|name| name.starts_with("Ada Lovelace ")).count();
        if known.len() == self.members && named == self.members { Ok(()) } else { Err(wrong(known.len())) }
    }

    async fn read_without(&self, place: &mut Place) -> Outcome<Duration> {
        let request = place.tenant.get(&format!("{}?excludedAttributes=members", self.path));
        let (took, group) = place.ask_json(&request).await?;
        let name = self.dn.split_once(',').map_or("", |(first, _)| first.trim_start_matches("cn="));
        if group["displayName"] == name && group.get("members").is_none() { Ok(took) } else { Err(wrong(0)) }
    }
}

async fn id_of(ldap: &mut Ldap, dn: &str) -> Outcome<String> {
    let (mut found, _) = ldap.search(dn, Scope::Base, "(objectClass=*)", vec!["entryUUID"]).await?.success()?;
    let mut entry = found.pop().map(SearchEntry::construct).ok_or("no entry")?;
    Ok(entry.attrs.remove("entryUUID").and_then(|mut values| values.pop()).ok_or("no entryUUID")?)
}

fn wrong(found: usize) -> Box<dyn std::error::Error + Send + Sync> {
    format!("not the group that was expected; {found} members were found").into()
}

fn both([directly, bridged]: [Vec<Duration>; 2]) -> Outcome<(Duration, Duration)> {
    Ok((median(directly)?, median(bridged)?))
}

type Pair = fn(&Round) -> (Duration, Duration);

impl Measured {
    fn spread(&self, value: impl Fn(&Round) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(value).collect())
    }

    fn cells(&self, pair: Pair) -> Vec<String> {
        let show = |spread: Option<Spread>| spread.map_or(String::new(), |spread| format!("{:.3}", spread.median));
        let ratio = self.spread(|round| milliseconds(pair(round).1) / milliseconds(pair(round).0));
        vec![
            show(self.spread(|round| milliseconds(pair(round).0))),
            show(self.spread(|round| milliseconds(pair(round).1))),
            show(self.spread(|round| added(pair(round)))),
            ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
        ]
    }
}

fn added((directly, bridged): (Duration, Duration)) -> f64 {
    milliseconds(bridged) - milliseconds(directly)
}

/// The measured of all sizes as tables.
pub fn to_markdown(measured: &[Measured]) -> String {
    let head = ["operation", "members", "directory, ms", "bridge, ms", "added, ms", "times as long"];
    let mut table = Table::new(&head);
    let operations: [(&str, Pair); 4] = [
        ("one member more", |round| round.add),
        ("one member less", |round| round.remove),
        ("GET with all members", |round| round.whole),
        ("GET without members", |round| round.without),
    ];
    for (name, pair) in operations {
        for one in measured {
            let mut row = vec![name.to_owned(), crate::report::thousands(size(one.members))];
            row.extend(one.cells(pair));
            table.row(row);
        }
    }
    let cost = measured.iter().filter_map(|one| {
        let cost = one.spread(|round| milliseconds(round.cost))?;
        Some(format!("{cost:.3} ms with {} members", one.members))
    });
    let cost: Vec<String> = cost.collect();
    let memory = measured.iter().filter_map(|one| {
        let (answer, peak) = (megabytes(one.answer.try_into().ok()?)?, megabytes(one.peak_memory)?);
        Some(format!("{:.1} MB after groups of {} ({answer:.1} MB of JSON)", peak, one.members))
    });
    let memory: Vec<String> = memory.collect();
    format!(
        "### Groups\n\n{table}\nProcessor time of the bridge for one member more or less: {}.\n\nMost resident memory of \
         the bridge so far: {}.\n",
        cost.join(", "),
        memory.join(", ")
    )
}

fn size(members: usize) -> f64 {
    u32::try_from(members).map_or(f64::INFINITY, f64::from)
}

/// The targets that are about groups.
pub fn judge(measured: &[Measured], judge: &mut Judge<'_>) {
    let Some(large) = measured.last() else { return };
    let operations: [(&str, Pair); 2] = [("more", |round| round.add), ("less", |round| round.remove)];
    for (name, pair) in operations {
        let beside = large.spread(|round| milliseconds(pair(round).1) / milliseconds(pair(round).0));
        let what = format!("one member {name} in a group of {}, beside the directory alone", large.members);
        judge(&what, 2.0, " ×", beside);
    }
}
