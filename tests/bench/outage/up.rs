//! While all is well: a bridge that repeats every write on its shadow, beside one that does not.

use super::asker::{Asked, Asker};
use super::stand::{Bridge, Stand, people};
use crate::people::Person;
use crate::workload::{Outcome, race};
use std::sync::Arc;
use std::time::Duration;

/// In so many pieces each bridge does its jobs, taking turns, each as often first as last.
const TURNS: usize = 12;

/// One operation at one concurrency; each pair is the bridge that refuses and the one that accepts.
pub struct Up {
    pub name: &'static str,
    pub concurrency: usize,
    /// Operations a second.
    pub rates: [f64; 2],
    /// Processor time of the bridge for one.
    pub cost: [Duration; 2],
    /// What the one that accepts spends on it later, when there is time.
    pub later: Duration,
}

impl Up {
    pub fn ratio(&self) -> f64 {
        self.rates[1] / self.rates[0]
    }
}

/// Measures all operations: so many 32 at a time, and so many one at a time.
pub async fn measure(stand: &Stand, jobs: [usize; 2], label: &str) -> Outcome<Vec<Up>> {
    let mut measured = Vec::new();
    for (jobs, concurrency) in jobs.into_iter().zip([32, 1]).filter(|(jobs, _)| *jobs > 0) {
        let prefix = |side: &str| format!("{side}-{concurrency}{label}");
        let mut crowds = [people(&prefix("refuse"), jobs), people(&prefix("accept"), jobs)];
        let asked = [stand.refusing.creates(&crowds[0]), stand.accepting.creates(&crowds[1])];
        let (up, ids) = compete(stand, "create", concurrency, asked).await?;
        measured.push(up);
        for (crowd, ids) in crowds.iter_mut().zip(ids) {
            for (index, id) in ids {
                crowd.get_mut(index).ok_or("nobody")?.id = id;
            }
        }
        let operations: [Named; 4] = [
            ("PATCH of a user", |bridge, people| bridge.patches(people, "Chief Engineer")),
            ("one member more", |bridge, people| bridge.joins(people)),
            ("look-up by userName", |bridge, people| bridge.look_ups(people)),
            ("GET by id", |bridge, people| bridge.gets(people)),
        ];
        for (name, make) in operations {
            // Groups that grow make the directory slow; a few members tell the same.
            let jobs = if name == "one member more" { jobs / 4 } else { jobs };
            let part = |crowd: &[Person]| crowd.get(..jobs).unwrap_or_default().to_vec();
            let asked = [make(&stand.refusing, &part(&crowds[0])), make(&stand.accepting, &part(&crowds[1]))];
            measured.push(compete(stand, name, concurrency, asked).await?.0);
        }
    }
    Ok(measured)
}

/// An operation, and what is asked for it.
type Named = (&'static str, fn(&Bridge, &[Person]) -> Asked);

type Ids = Vec<(usize, String)>;

async fn compete(stand: &Stand, name: &'static str, concurrency: usize, asked: [Asked; 2]) -> Outcome<(Up, [Ids; 2])> {
    let jobs = asked[0].requests.len();
    let asked = asked.map(Arc::new);
    let (mut elapsed, mut cost, mut ids) = ([Duration::ZERO; 2], [Duration::ZERO; 2], [Ids::new(), Ids::new()]);
    for turn in 0..TURNS {
        let range = jobs * turn / TURNS..jobs * (turn + 1) / TURNS;
        for side in if turn.is_multiple_of(2) { [0, 1] } else { [1, 0] } {
            let bridge = if side == 0 { &stand.refusing } else { &stand.accepting };
            let askers = Asker::several(&bridge.tenant, &asked[side], concurrency).await?;
            let before = bridge.cpu()?;
            let race = race(askers, range.clone()).await?;
            cost[side] += bridge.cpu()?.saturating_sub(before);
            elapsed[side] += race.elapsed;
            ids[side].extend(race.workers.into_iter().flat_map(|asker| asker.ids));
        }
    }
    let before = stand.accepting.cpu()?;
    stand.accepting.settle().await?;
    let later = stand.accepting.cpu()?.saturating_sub(before);
    let count = u32::try_from(jobs)?;
    let rates = elapsed.map(|elapsed| f64::from(count) / elapsed.as_secs_f64());
    let cost = cost.map(|cost| cost / count);
    Ok((Up { name, concurrency, rates, cost, later: later / count }, ids))
}
