//! When the directory is back: how fast what is owed reaches it, beside the directory alone with the same entries.

use super::asker::{Asked, Asker, quantile};
use super::away::accept;
use super::stand::{Stand, people};
use crate::people::Person;
use crate::raw::{self, RawWorker};
use crate::workload::{Outcome, Worker as _, race};
use scim2ldap::store::{Session, State, Store, StoreFault, StoreSettings, StoreUrl};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is counted what is left, until the first is done: counting goes through the queue, on the processors that
/// the others need.
const COUNT: Duration = Duration::from_millis(100);
/// How often it is looked whether anything is left, which is one step into an index.
const LOOK: Duration = Duration::from_millis(5);
/// How often a look-up is sent.
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than the longest pause before the bridge asks whether the directory is back, and a drain together.
const PATIENCE: Duration = Duration::from_mins(4);
const TITLE: &str = "Owed Engineer";

/// What came of it.
pub struct Drained {
    /// So many creates, and as many patches.
    pub each: usize,
    /// Operations a second, by the directory alone and by the bridge.
    pub raw: f64,
    pub rate: f64,
    /// What look-ups took meanwhile, the median and the slowest in a hundred; none where all was done before the first.
    pub look_ups: Option<(Duration, Duration)>,
    /// Processor time of the bridge for one.
    pub cost: Duration,
}

impl Drained {
    /// The bridge's rate beside that of the directory alone.
    pub fn ratio(&self) -> f64 {
        self.rate / self.raw
    }
}

/// Has `each` creates and as many patches of `known` accepted while the directory is down, and lets them drain.
pub async fn measure(stand: &mut Stand, each: usize, known: &[Person], earlier: usize) -> Outcome<Drained> {
    let known = known.get(..each).ok_or("too few are known")?;
    stand.slapd.stop();
    let new = people("owed", each);
    accept(stand, "create", 32, stand.accepting.creates(&new)).await?;
    accept(stand, "patch", 32, stand.accepting.patches(known, TITLE)).await?;
    let before = stand.accepting.cpu()?;
    stand.slapd.start();
    let (rate, latencies) = until_nothing_is_owed(stand, each).await?;
    let cost = stand.accepting.cpu()?.saturating_sub(before) / u32::try_from(2 * each)?;
    check(stand, &new, known, earlier).await?;
    let raw = alone(stand, each, known).await?;
    let look_ups =
        if latencies.is_empty() { None } else { Some((quantile(&latencies, 50)?, quantile(&latencies, 99)?)) };
    Ok(Drained { each, raw, rate, look_ups, cost })
}

/// Waits until nothing is owed. The rate from when the first item is done, and how long look-ups took from then on.
pub async fn until_nothing_is_owed(stand: &Stand, looked_up: usize) -> Outcome<(f64, Vec<Duration>)> {
    let settings = StoreSettings { url: StoreUrl::Sqlite(stand.accepting.daemon.folder().join("store.db")) };
    let store = Store::open(&settings).await?;
    let all = owed(&store).await?;
    let look_ups = look_ups(stand, looked_up);
    let mut asker = Asker::several(&stand.accepting.tenant, &look_ups, 1).await?.pop().ok_or("nobody asks")?;
    let end = tokio::spawn(end(store.clone()));
    let (since, mut began, mut latencies) = (Instant::now(), None, Vec::new());
    let mut counted = Instant::now();
    while !end.is_finished() {
        if began.is_none() && counted.elapsed() > COUNT {
            let left = owed(&store).await?;
            counted = Instant::now();
            began = (left < all).then_some((counted, left));
        }
        if since.elapsed() > PATIENCE {
            let left = owed(&store).await?;
            return Err(format!("{left} of {all} items are still owed:\n{}", stand.accepting.daemon.log_text()).into());
        }
        let started = Instant::now();
        asker.perform(latencies.len() % looked_up).await?;
        if began.is_some() {
            latencies.push(started.elapsed());
        }
        tokio::time::sleep(PAUSE).await;
    }
    latencies.sort_unstable();
    let (began, left) = began.filter(|(_, left)| *left > 0).unwrap_or((since, all));
    Ok((f64::from(u32::try_from(left)?) / (end.await?? - began).as_secs_f64(), latencies))
}

/// When nothing was owed any more.
async fn end(store: Store) -> Outcome<Instant> {
    loop {
        let job = |session: Session| async move { session.last_item("okta", &[State::Owed]) };
        if store.read(job).await?.is_none() {
            return Ok(Instant::now());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn look_ups(stand: &Stand, size: usize) -> Arc<Asked> {
    Arc::new(stand.accepting.look_ups(&people("known", size)))
}

async fn owed(store: &Store) -> Outcome<usize> {
    let job = |session: Session| async move { Ok::<_, StoreFault>(session.tally(Some("okta"))?.owed) };
    Ok(store.read(job).await?)
}

/// Everybody is there who was accepted, now and earlier, and has the title that was asked for.
async fn check(stand: &Stand, new: &[Person], known: &[Person], earlier: usize) -> Outcome<()> {
    let auditor = stand.auditor().await?;
    let found = raw::records(&auditor, &stand.base, "owed", new).await?;
    let before = raw::survey(&auditor, &stand.base, "away-32").await?.len();
    let before = before + raw::survey(&auditor, &stand.base, "away-1").await?.len();
    let titles = raw::survey(&auditor, &stand.base, "known").await?;
    let right = known.iter().all(|person| titles.get(&person.name()).is_some_and(|record| record.title == TITLE));
    if found.len() == new.len() && before == earlier && right { Ok(()) } else { Err("something is lost".into()) }
}

/// The same by the directory alone: operations a second.
async fn alone(stand: &Stand, each: usize, known: &[Person]) -> Outcome<f64> {
    let connections = stand.connections().await?;
    let entries = people("alone", each).iter().map(|person| stand.template.for_person(person)).collect();
    let names = known.iter().map(|person| stand.template.for_person(person).dn).collect();
    let mut elapsed = Duration::ZERO;
    for work in [raw::Work::Add(entries), raw::Work::Retitle(names, "Alone".to_owned())] {
        let work = Arc::new(work);
        let workers = connections.iter().cycle().map(|ldap| RawWorker { ldap: ldap.clone(), work: work.clone() });
        elapsed += race(workers.take(32).collect(), 0..each).await?.elapsed;
    }
    Ok(f64::from(u32::try_from(2 * each)?) / elapsed.as_secs_f64())
}
