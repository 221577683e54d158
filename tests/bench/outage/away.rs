//! While the directory is down: changes that are on disk before they are answered.

use super::Sizes;
use super::asker::{Asked, Asker, quantile};
use super::drained::{self, Drained};
use super::stand::{Stand, people};
use crate::people::Person;
use crate::workload::{Outcome, race};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One kind of change, at one concurrency.
pub struct Away {
    pub name: &'static str,
    pub concurrency: usize,
    /// Accepted in a second.
    pub rate: f64,
    pub median: Duration,
    pub slow: Duration,
    /// Processor time of the bridge for one.
    pub cost: Duration,
}

/// What is accepted, and how the directory gets it. With the disk's own rate.
pub async fn measure(stand: &mut Stand, sizes: Sizes) -> Outcome<(Vec<Away>, f64, Drained)> {
    let known = known(stand, sizes.owed[0].max(sizes.away[0])).await?;
    stand.slapd.stop();
    let (mut measured, mut accepted) = (Vec::new(), 0);
    for (jobs, concurrency) in sizes.away.into_iter().zip([32, 1]) {
        let mut new = people(&format!("away-{concurrency}"), jobs);
        let created = accept(stand, "create", concurrency, stand.accepting.creates(&new)).await?;
        created.name(&mut new)?;
        measured.push(created.away);
        let some = known.get(..jobs).unwrap_or_default();
        let patches = stand.accepting.patches(some, "Away");
        measured.push(accept(stand, "PATCH of a user", concurrency, patches).await?.away);
        let some = new.get(..jobs / 2).unwrap_or_default();
        measured.push(accept(stand, "one member more", concurrency, stand.accepting.joins(some)).await?.away);
        accepted += jobs;
    }
    let fsync = waits_for_the_disk(stand.accepting.daemon.folder())?;
    stand.slapd.start();
    drained::until_nothing_is_owed(stand, sizes.owed[0]).await?;
    let drained = drained::measure(stand, sizes.owed[0], &known, accepted).await?;
    Ok((measured, fsync, drained))
}

/// So many whom the directory has.
pub async fn known(stand: &Stand, size: usize) -> Outcome<Vec<Person>> {
    let mut known = people("known", size);
    accept(stand, "known before", 32, stand.accepting.creates(&known)).await?.name(&mut known)?;
    Ok(known)
}

/// What came of a race.
pub struct Accepted {
    pub away: Away,
    ids: Vec<(usize, String)>,
}

impl Accepted {
    fn name(&self, people: &mut [Person]) -> Outcome<()> {
        for (index, id) in &self.ids {
            people.get_mut(*index).ok_or("nobody")?.id.clone_from(id);
        }
        Ok(())
    }
}

/// Has `asked` accepted.
pub async fn accept(stand: &Stand, name: &'static str, concurrency: usize, asked: Asked) -> Outcome<Accepted> {
    let (bridge, jobs, asked) = (&stand.accepting, asked.requests.len(), Arc::new(asked));
    let askers = Asker::several(&bridge.tenant, &asked, concurrency).await?;
    let before = bridge.cpu()?;
    let race = race(askers, 0..jobs).await?;
    let count = u32::try_from(jobs)?;
    let away = Away {
        name,
        concurrency,
        rate: f64::from(count) / race.elapsed.as_secs_f64(),
        median: quantile(&race.latencies, 50)?,
        slow: quantile(&race.latencies, 99)?,
        cost: bridge.cpu()?.saturating_sub(before) / count,
    };
    Ok(Accepted { away, ids: race.workers.into_iter().flat_map(|asker| asker.ids).collect() })
}

/// How often in a second 4 KiB are on the disk, one after the other, where the store lies.
fn waits_for_the_disk(folder: &Path) -> Outcome<f64> {
    let path = folder.join("fsync");
    let mut file = OpenOptions::new().create_new(true).append(true).open(&path)?;
    let (began, mut count) = (Instant::now(), 0_u32);
    while count < 1_000 && began.elapsed() < Duration::from_secs(2) {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}
