//! From measurements to tables: medians of the rounds, ratios within a round, targets.

use crate::contest::Measurement;
use crate::stage::CONNECTIONS;
use crate::table::Table;
use crate::workload::{Operation, Side};
use std::fmt;
use std::time::Duration;

/// Everything that was measured on one stage, which is one round.
pub struct Play {
    /// Whether the directory waited for the disk.
    pub fsync: bool,
    pub measurements: Vec<Measurement>,
    /// Resident memory of the bridge before and at most, in bytes.
    pub idle_memory: u64,
    pub peak_memory: u64,
}

/// The directory alone and the bridge at the same operation in the same round.
struct Pair {
    /// Over one connection or over four, whichever is faster at the median of all rounds.
    raw: Measurement,
    bridge: Measurement,
}

impl Play {
    fn find(&self, operation: Operation, concurrency: usize, side: Side) -> Option<&Measurement> {
        let wanted =
            |one: &&Measurement| one.operation == operation && one.concurrency == concurrency && one.side == side;
        self.measurements.iter().find(wanted)
    }
}

impl Pair {
    /// How many operations a second the bridge leaves of those of the directory.
    fn ratio(&self) -> f64 {
        self.bridge.rate / self.raw.rate
    }

    /// By how much an operation takes longer, in milliseconds.
    fn added(&self) -> f64 {
        milliseconds(self.bridge.median) - milliseconds(self.raw.median)
    }
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// What several rounds come to.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median =
            if values.len().is_multiple_of(2) { f64::midpoint(*values.get(middle - 1)?, upper) } else { upper };
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = formatter.precision().unwrap_or(2);
        write!(formatter, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.min, self.max)
    }
}

/// All rounds.
#[derive(Default)]
pub struct Report {
    pub plays: Vec<Play>,
}

impl Report {
    fn spread(&self, fsync: bool, value: impl Fn(&Play) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.plays.iter().filter(|play| play.fsync == fsync).filter_map(value).collect())
    }

    /// What the directory alone does best with.
    fn baseline(&self, fsync: bool, operation: Operation, concurrency: usize) -> Side {
        let rate = |side| {
            let rate = self.spread(fsync, |play| Some(play.find(operation, concurrency, side)?.rate));
            rate.map_or(0.0, |rate| rate.median)
        };
        let (one, many) = (Side::Raw(1), Side::Raw(CONNECTIONS));
        if rate(many) > rate(one) { many } else { one }
    }

    /// A value of directory and bridge in the same round, over all rounds.
    fn compare(
        &self,
        fsync: bool,
        operation: Operation,
        concurrency: usize,
        value: impl Fn(&Pair) -> f64,
    ) -> Option<Spread> {
        let baseline = self.baseline(fsync, operation, concurrency);
        self.spread(fsync, |play| {
            let find = |side| play.find(operation, concurrency, side).copied();
            Some(value(&Pair { raw: find(baseline)?, bridge: find(Side::Bridge)? }))
        })
    }

    /// Throughput, latency and processor time of everything, for one kind of directory.
    fn measured(&self, fsync: bool, concurrencies: &[usize]) -> Table {
        let mut table = Table::new(&[
            "operation",
            "at once",
            "directory/s, 1 connection",
            "directory/s, 4 connections",
            "bridge/s",
            "ratio",
            "directory, ms",
            "99 %",
            "bridge, ms",
            "99 %",
        ]);
        for operation in Operation::ALL {
            for concurrency in concurrencies.iter().copied() {
                table.row(self.measured_row(fsync, operation, concurrency));
            }
        }
        table
    }

    fn measured_row(&self, fsync: bool, operation: Operation, concurrency: usize) -> Vec<String> {
        let rate = |side| {
            let spread = self.spread(fsync, |play| play.find(operation, concurrency, side).map(|one| one.rate));
            spread.map_or("–".to_owned(), |spread| thousands(spread.median))
        };
        let pair = |value: &dyn Fn(&Pair) -> f64| self.compare(fsync, operation, concurrency, value);
        let show = |spread: Option<Spread>| spread.map_or(String::new(), |spread| format!("{:.3}", spread.median));
        vec![
            operation.name().to_owned(),
            concurrency.to_string(),
            rate(Side::Raw(1)),
            rate(Side::Raw(CONNECTIONS)),
            rate(Side::Bridge),
            pair(&|pair| pair.ratio()).map_or(String::new(), |ratio| format!("{ratio:.2}")),
            show(pair(&|pair| milliseconds(pair.raw.median))),
            show(pair(&|pair| milliseconds(pair.raw.slow))),
            show(pair(&|pair| milliseconds(pair.bridge.median))),
            show(pair(&|pair| milliseconds(pair.bridge.slow))),
        ]
    }

    fn costs(&self, fsync: bool, concurrencies: &[usize]) -> Table {
        let mut table = Table::new(&[
            "operation",
            "at once",
            "directory alone: slapd",
            "generator",
            "through the bridge: slapd",
            "bridge",
            "generator",
        ]);
        let columns: [fn(&Pair) -> Duration; 5] = [
            |pair| pair.raw.cpu.slapd,
            |pair| pair.raw.cpu.generator,
            |pair| pair.bridge.cpu.slapd,
            |pair| pair.bridge.cpu.bridge,
            |pair| pair.bridge.cpu.generator,
        ];
        for operation in Operation::ALL {
            for concurrency in concurrencies.iter().copied() {
                let mut row = vec![operation.name().to_owned(), concurrency.to_string()];
                row.extend(columns.map(|column| {
                    let cost = self.compare(fsync, operation, concurrency, |pair| microseconds(column(pair)));
                    cost.map_or(String::new(), |spread| format!("{:.0}", spread.median))
                }));
                table.row(row);
            }
        }
        table
    }

    /// Everything, as Markdown that can be read on a terminal as well.
    pub fn to_markdown(&self, concurrencies: &[usize]) -> String {
        let directory = |(fsync, title)| {
            let (measured, costs) = (self.measured(fsync, concurrencies), self.costs(fsync, concurrencies));
            format!("### {title}\n\n{measured}\nProcessor time of one operation, in µs:\n\n{costs}\n")
        };
        let titles = ["The directory does not wait for the disk", "The directory waits for the disk (fsync)"];
        let parts: Vec<_> = [false, true].into_iter().zip(titles).map(directory).collect();
        format!("{}### Targets\n\n{}", parts.concat(), self.targets())
    }

    fn targets(&self) -> Table {
        let mut table = Table::new(&["target", "wanted", "measured", ""]);
        let mut row = |what: String, wanted: Wanted, measured: Option<Spread>| {
            let verdict = match measured {
                Some(spread) if wanted.is_met_by(spread.median) => "met",
                Some(_) => "**missed**",
                None => "not measured",
            };
            let measured = measured.map_or(String::new(), |spread| format!("{spread:.*}", wanted.digits()));
            table.row(vec![what, wanted.to_string(), measured, verdict.to_owned()]);
        };
        let ratio = |fsync, operation| self.compare(fsync, operation, BUSY, Pair::ratio);
        let name = Operation::Create.name();
        row(format!("{name}, {BUSY} at once, ratio"), Wanted::Ratio(0.8), ratio(false, Operation::Create));
        row(format!("{name}, {BUSY} at once, fsync, ratio"), Wanted::Ratio(0.95), ratio(true, Operation::Create));
        for operation in [Operation::LookUp, Operation::Get] {
            row(format!("{}, {BUSY} at once, ratio", operation.name()), Wanted::Ratio(0.5), ratio(false, operation));
        }
        for operation in Operation::ALL {
            let added = self.compare(false, operation, 1, Pair::added);
            row(format!("{}, 1 at a time, median latency added", operation.name()), Wanted::Milliseconds(0.15), added);
        }
        for operation in Operation::ALL {
            let cost = self.compare(false, operation, BUSY, |pair| milliseconds(pair.bridge.cpu.bridge));
            let what = format!("{}, {BUSY} at once, processor time of the bridge", operation.name());
            row(what, Wanted::Milliseconds(0.1), cost);
        }
        let memory =
            |of: fn(&Play) -> u64| Spread::of(self.plays.iter().filter_map(|play| megabytes(of(play))).collect());
        row("resident memory of the bridge, idle".to_owned(), Wanted::Megabytes(20.0), memory(|play| play.idle_memory));
        row(
            "resident memory of the bridge, at most".to_owned(),
            Wanted::Megabytes(40.0),
            memory(|play| play.peak_memory),
        );
        table
    }
}

/// The concurrency that the targets speak of.
const BUSY: usize = 32;

#[derive(Clone, Copy)]
enum Wanted {
    /// At least.
    Ratio(f64),
    /// At most.
    Milliseconds(f64),
    /// Less than; millions of bytes.
    Megabytes(f64),
}

impl Wanted {
    fn is_met_by(self, value: f64) -> bool {
        match self {
            Self::Ratio(least) => value >= least,
            Self::Milliseconds(most) => value <= most,
            Self::Megabytes(limit) => value < limit,
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Ratio(_) => 2,
            Self::Milliseconds(_) => 3,
            Self::Megabytes(_) => 1,
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(least) => write!(formatter, "≥ {least}"),
            Self::Milliseconds(most) => write!(formatter, "≤ {most} ms"),
            Self::Megabytes(limit) => write!(formatter, "< {limit} MB"),
        }
    }
}

pub fn megabytes(bytes: u64) -> Option<f64> {
    u32::try_from(bytes / 1000).ok().map(|thousands| f64::from(thousands) / 1e3)
}

/// `12,345`
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
