//! One side of the comparison, and what its turns come to.

use crate::processes::{Cast, Cpu};
use crate::round::Extent;
use crate::workload::{Operation, Outcome, Side, Worker, race};
use crate::{bridge, raw};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What the workers of a side do.
#[derive(Clone)]
pub enum Work {
    Raw(Arc<raw::Work>),
    Bridge(Arc<bridge::Work>),
}

/// One side doing one operation.
pub struct Contestant {
    pub side: Side,
    pub work: Work,
    /// What a PATCH makes of the title.
    pub title: String,
    elapsed: Duration,
    latencies: Vec<Duration>,
    cpu: Cpu,
}

impl Contestant {
    pub fn new(side: Side, work: Work, title: String) -> Self {
        Self { side, work, title, elapsed: Duration::ZERO, latencies: Vec::new(), cpu: Cpu::default() }
    }

    /// Takes one turn: these jobs. Returns the workers with what they have collected.
    pub async fn perform<W: Worker>(&mut self, cast: &Cast, workers: Vec<W>, jobs: Range<usize>) -> Outcome<Vec<W>> {
        let before = cast.cpu()?;
        let race = race(workers, jobs).await?;
        self.cpu += cast.cpu()? - before;
        self.elapsed += race.elapsed;
        self.latencies.extend(race.latencies);
        Ok(race.workers)
    }

    /// What all turns come to.
    pub fn into_measurement(mut self, operation: Operation, extent: Extent) -> Outcome<Measurement> {
        self.latencies.sort_unstable();
        let jobs = u32::try_from(self.latencies.len())?;
        let quantile = |numerator: usize| self.latencies.get(self.latencies.len() * numerator / 100).copied();
        Ok(Measurement {
            operation,
            concurrency: extent.concurrency,
            side: self.side,
            rate: f64::from(jobs) / self.elapsed.as_secs_f64(),
            median: quantile(50).ok_or("nothing was measured")?,
            slow: quantile(99).ok_or("nothing was measured")?,
            cpu: self.cpu / jobs,
        })
    }
}

/// What one operation came to in one round, on one side.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    pub operation: Operation,
    pub concurrency: usize,
    pub side: Side,
    /// Operations a second.
    pub rate: f64,
    /// Half of the operations took longer.
    pub median: Duration,
    /// One in a hundred took longer.
    pub slow: Duration,
    /// Processor time of one operation.
    pub cpu: Cpu,
}
