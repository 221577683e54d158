//! What the processes cost: slapd, the bridge, and the generator, which is this program.

use crate::workload::Outcome;
use std::fs;
use std::ops::{AddAssign, Div, Sub};
use std::path::PathBuf;
use std::time::Duration;

/// A running process.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    /// This program.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Processor time of all its threads. The kernel's scheduler counts it in nanoseconds, whereas the sum it shows for
    /// the whole process comes in steps of 10 ms.
    pub fn cpu_time(self) -> Outcome<Duration> {
        let mut total = Duration::ZERO;
        for thread in fs::read_dir(self.folder().join("task"))? {
            // A thread may end in between.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let nanoseconds = text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?;
            total += Duration::from_nanos(nanoseconds);
        }
        Ok(total)
    }

    /// Resident memory now, in bytes.
    pub fn memory(self) -> Outcome<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory it has ever had, in bytes.
    pub fn peak_memory(self) -> Outcome<u64> {
        self.status("VmHWM:")
    }

    fn status(self, key: &str) -> Outcome<u64> {
        let text = fs::read_to_string(self.folder().join("status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)).ok_or_else(|| format!("no {key}"))?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse()?;
        Ok(kib * 1024)
    }

    fn folder(self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.0))
    }
}

/// Processor time of everything that takes part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    pub slapd: Duration,
    pub bridge: Duration,
    pub generator: Duration,
}

/// Everything that takes part.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    pub slapd: Process,
    pub bridge: Process,
}

impl Cast {
    /// Processor time so far.
    pub fn cpu(self) -> Outcome<Cpu> {
        Ok(Cpu {
            slapd: self.slapd.cpu_time()?,
            bridge: self.bridge.cpu_time()?,
            generator: Process::this().cpu_time()?,
        })
    }
}

impl Cpu {
    fn combine(self, other: Self, with: impl Fn(Duration, Duration) -> Duration) -> Self {
        Self {
            slapd: with(self.slapd, other.slapd),
            bridge: with(self.bridge, other.bridge),
            generator: with(self.generator, other.generator),
        }
    }
}

impl Sub for Cpu {
    type Output = Self;

    /// Never negative: a thread that has ended takes its time with it.
    fn sub(self, earlier: Self) -> Self {
        self.combine(earlier, Duration::saturating_sub)
    }
}

impl AddAssign for Cpu {
    fn add_assign(&mut self, other: Self) {
        *self = self.combine(other, |one, other| one + other);
    }
}

impl Div<u32> for Cpu {
    type Output = Self;

    fn div(self, operations: u32) -> Self {
        self.combine(self, |time, _| time / operations)
    }
}
