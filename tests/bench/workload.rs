//! The race: so many jobs, so many workers, each with one job at a time.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Whatever goes wrong ends the bench: a number from a run with errors is worth nothing.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A user is created.
    Create,
    /// A user is looked up by userName.
    LookUp,
    /// A user is read by id.
    Get,
    /// One attribute of a user changes.
    Patch,
    /// All attributes of a user are sent, and none of them changes.
    Put,
}

impl Operation {
    /// In the order they are measured in.
    pub const ALL: [Self; 5] = [Self::Create, Self::LookUp, Self::Get, Self::Patch, Self::Put];

    /// As it stands in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::LookUp => "look-up by userName",
            Self::Get => "GET by id",
            Self::Patch => "PATCH one attribute",
            Self::Put => "PUT without change",
        }
    }
}

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The directory alone, over so many connections.
    Raw(usize),
    /// The bridge before the directory.
    Bridge,
}

/// No phase takes this long, unless something hangs.
const PATIENCE: Duration = Duration::from_mins(5);

/// Does jobs, by their index, and says so when an answer is not what it has to be.
pub trait Worker: Send + Sized + 'static {
    /// Does one job.
    fn perform(&mut self, index: usize) -> impl Future<Output = Outcome<()>> + Send;
}

/// What a race has shown.
pub struct Race<W> {
    /// From the first job to the end of the last.
    pub elapsed: Duration,
    /// How long each job took, sorted.
    pub latencies: Vec<Duration>,
    /// With what they have collected.
    pub workers: Vec<W>,
}

/// Has the workers share these jobs. All of them have to succeed.
pub async fn race<W: Worker>(workers: Vec<W>, jobs: Range<usize>) -> Outcome<Race<W>> {
    tokio::time::timeout(PATIENCE, unlimited(workers, jobs)).await?
}

async fn unlimited<W: Worker>(workers: Vec<W>, jobs: Range<usize>) -> Outcome<Race<W>> {
    let next = Arc::new(AtomicUsize::new(jobs.start));
    let began = Instant::now();
    let tasks: Vec<_> =
        workers.into_iter().map(|worker| tokio::spawn(work(worker, next.clone(), jobs.clone()))).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await??);
    }
    let elapsed = began.elapsed();
    let (workers, latencies): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let mut latencies = latencies.concat();
    latencies.sort_unstable();
    if latencies.len() != jobs.len() {
        return Err(format!("{} of {} jobs were done", latencies.len(), jobs.len()).into());
    }
    Ok(Race { elapsed, latencies, workers })
}

async fn work<W: Worker>(mut worker: W, next: Arc<AtomicUsize>, jobs: Range<usize>) -> Outcome<(W, Vec<Duration>)> {
    let mut latencies = Vec::with_capacity(jobs.len());
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= jobs.end {
            return Ok((worker, latencies));
        }
        let began = Instant::now();
        worker.perform(index).await?;
        latencies.push(began.elapsed());
    }
}
