//! One round at one concurrency: every operation, by the directory alone and by the bridge in turns.

use crate::bridge::{self, BridgeWorker};
use crate::contest::{Contestant, Measurement, Work};
use crate::people::{FIRST_TITLE, Person, cohort};
use crate::raw::{self, Find, RawWorker, Record};
use crate::stage::{CONNECTIONS, Stage};
use crate::workload::{Operation, Outcome, Side};
use std::ops::Range;
use std::sync::Arc;

/// In so many pieces each side does its jobs, taking turns: whatever else goes on on the machine, and the growth of the
/// directory, then meet all of them alike. Two and three sides can take turns in it, each as often first as last.
const TURNS: usize = 6;

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Requests at the same time.
    pub concurrency: usize,
    /// Operations of each kind, for each side.
    pub jobs: usize,
}

/// A round, as it goes on.
pub struct Round<'a> {
    stage: &'a Stage,
    extent: Extent,
    /// The users that the bridge has created; both sides work with them afterwards.
    people: Vec<Person>,
    titles: Vec<String>,
}

impl<'a> Round<'a> {
    /// Plays a round; `label` tells its users from those of other rounds on the same stage.
    pub async fn play(stage: &'a Stage, extent: Extent, label: &str) -> Outcome<Vec<Measurement>> {
        let people = cohort(&prefix(Side::Bridge, label), extent.jobs);
        let titles = vec![FIRST_TITLE.to_owned(); extent.jobs];
        let mut round = Self { stage, extent, people, titles };
        let mut measurements = Vec::new();
        for operation in Operation::ALL {
            for contestant in round.compete(operation, label).await? {
                measurements.push(contestant.into_measurement(operation, extent)?);
            }
        }
        Ok(measurements)
    }

    async fn compete(&mut self, operation: Operation, label: &str) -> Outcome<Vec<Contestant>> {
        let before = self.records(Side::Bridge, label, operation != Operation::Create).await?;
        let mut contestants: Vec<_> =
            sides(self.extent.concurrency).iter().map(|side| self.enter(operation, *side, label)).collect();
        for turn in 0..TURNS {
            let jobs = self.extent.jobs * turn / TURNS..self.extent.jobs * (turn + 1) / TURNS;
            for contestant in &mut contestants {
                self.take_turn(operation, contestant, jobs.clone()).await?;
            }
            contestants.rotate_left(1);
        }
        if operation == Operation::Create {
            for contestant in &contestants {
                self.check_created(contestant, label).await?;
            }
        } else {
            self.check_changed(operation, &before, &self.records(Side::Bridge, label, true).await?)?;
        }
        Ok(contestants)
    }

    /// What the directory holds of the users that one side has created, after it has.
    async fn records(&self, side: Side, label: &str, created: bool) -> Outcome<Vec<Record>> {
        if !created {
            return Ok(Vec::new());
        }
        let prefix = prefix(side, label);
        let people = cohort(&prefix, self.extent.jobs);
        raw::records(&self.stage.auditor, &self.stage.base, &prefix, &people).await
    }

    fn enter(&self, operation: Operation, side: Side, label: &str) -> Contestant {
        let title = format!("Chief Engineer, {}", prefix(side, label));
        let (stage, titles) = (self.stage, &self.titles);
        let work = match side {
            Side::Raw(_) if operation == Operation::Create => {
                let people = cohort(&prefix(side, label), self.extent.jobs);
                let entries = people.iter().map(|person| stage.template.for_person(person));
                Work::Raw(Arc::new(raw::Work::Add(entries.collect())))
            }
            Side::Raw(_) => Work::Raw(Arc::new(self.raw_work(operation, &title))),
            Side::Bridge => {
                Work::Bridge(Arc::new(bridge::Work::new(&stage.tenant, operation, &self.people, titles, &title)))
            }
        };
        Contestant::new(side, work, title)
    }

    fn raw_work(&self, operation: Operation, title: &str) -> raw::Work {
        let people = self.people.iter();
        let criteria: Vec<_> = match operation {
            Operation::LookUp => people.map(|person| format!("(uid={})", person.name())).collect(),
            // The least that a bridge has to do for a PUT is to read what there is.
            Operation::Create | Operation::Get | Operation::Put => {
                people.map(|person| format!("(entryUUID={})", person.id)).collect()
            }
            Operation::Patch => {
                let dns = people.map(|person| self.stage.template.for_person(person).dn);
                return raw::Work::Retitle(dns.collect(), title.to_owned());
            }
        };
        raw::Work::Find(Find {
            base: self.stage.base.clone(),
            filters: criteria.iter().map(|criterion| format!("(&{criterion}(objectClass=inetOrgPerson))")).collect(),
            attributes: self.stage.attributes.clone(),
            names: self.people.iter().map(Person::name).collect(),
        })
    }

    async fn take_turn(
        &mut self,
        operation: Operation,
        contestant: &mut Contestant,
        jobs: Range<usize>,
    ) -> Outcome<()> {
        let cast = &self.stage.cast;
        if operation == Operation::Patch {
            self.titles
                .iter_mut()
                .take(jobs.end)
                .skip(jobs.start)
                .for_each(|title| title.clone_from(&contestant.title));
        }
        match contestant.work.clone() {
            Work::Raw(work) => {
                let workers = self.raw_workers(contestant.side, &work);
                contestant.perform(cast, workers, jobs).await?;
            }
            Work::Bridge(work) => {
                let mut workers = Vec::new();
                for _ in 0..self.extent.concurrency {
                    workers.push(BridgeWorker::open(&self.stage.tenant, work.clone()).await?);
                }
                let workers = contestant.perform(cast, workers, jobs).await?;
                self.take_ids(&workers);
                workers.iter().try_for_each(|worker| worker.check(&self.people, &self.titles))?;
            }
        }
        Ok(())
    }

    fn raw_workers(&self, side: Side, work: &Arc<raw::Work>) -> Vec<RawWorker> {
        let Side::Raw(connections) = side else { return Vec::new() };
        let connections = self.stage.connections.iter().take(connections).cycle();
        let workers = connections.map(|ldap| RawWorker { ldap: ldap.clone(), work: work.clone() });
        workers.take(self.extent.concurrency).collect()
    }

    fn take_ids(&mut self, workers: &[BridgeWorker]) {
        for (index, id) in workers.iter().flat_map(|worker| &worker.ids) {
            if let Some(person) = self.people.get_mut(*index) {
                person.id.clone_from(id);
            }
        }
    }

    /// All entries are there, no others, and they are alike whoever has made them.
    async fn check_created(&self, contestant: &Contestant, label: &str) -> Outcome<()> {
        let records = self.records(contestant.side, label, true).await?;
        let mut ids = records.iter().map(|record| &record.id);
        if contestant.side == Side::Bridge && !ids.by_ref().eq(self.people.iter().map(|person| &person.id)) {
            return Err("the ids that the bridge gave are not those of the directory".into());
        }
        let last = cohort(&prefix(contestant.side, label), self.extent.jobs).pop().ok_or("nobody")?;
        let expected = self.stage.template.for_person(&last);
        let found = raw::entry(&self.stage.auditor, &expected.dn).await?;
        if found == expected { Ok(()) } else { Err(format!("{found:#?} is not {expected:#?}").into()) }
    }

    /// What was read has not changed, and what was changed is as it was wanted last.
    fn check_changed(&self, operation: Operation, before: &[Record], after: &[Record]) -> Outcome<()> {
        let right = match operation {
            Operation::Patch => after.iter().map(|record| &record.title).eq(&self.titles),
            _ => before == after,
        };
        if right { Ok(()) } else { Err(format!("{}: the entries are not as they have to be", operation.name()).into()) }
    }
}

/// The more connections make no difference to one request at a time.
fn sides(concurrency: usize) -> &'static [Side] {
    const ALL: [Side; 3] = [Side::Raw(1), Side::Raw(CONNECTIONS), Side::Bridge];
    const ONE: [Side; 2] = [Side::Raw(1), Side::Bridge];
    if concurrency > 1 { &ALL } else { &ONE }
}

/// How many users a round creates.
pub fn entries(extent: Extent) -> usize {
    sides(extent.concurrency).len() * extent.jobs
}

/// What the keys of the users begin with that one side creates.
fn prefix(side: Side, label: &str) -> String {
    match side {
        Side::Raw(connections) => format!("raw{connections}x{label}"),
        Side::Bridge => format!("bridge{label}"),
    }
}
