//! The cost of never losing anything: what `when_unreachable = "accept"` takes while all is well, how fast changes are
//! accepted while the directory is down, and how fast they reach it afterwards.
//!
//! Every answer is checked. At the end of a round the directory is read: every user that was accepted has to be there,
//! with the title that was asked for last, and nothing may be owed.

mod asker;
mod away;
mod drained;
mod stand;
mod up;

use crate::report::{Spread, milliseconds, thousands};
use crate::table::Table;
use crate::workload::Outcome;
use away::Away;
use drained::Drained;
use stand::Stand;
use std::time::Instant;
use up::Up;

/// How much is done.
#[derive(Clone, Copy)]
struct Sizes {
    /// Operations of each kind while all is well, 32 and 1 at a time.
    up: [usize; 2],
    /// Changes of each kind that are accepted while the directory is down, 32 and 1 at a time.
    away: [usize; 2],
    /// Creates, and as many patches, that are owed when the directory comes back: one that does not wait for the disk, and
    /// one that does.
    owed: [usize; 2],
}

const FULL: Sizes = Sizes { up: [7_200, 2_400], away: [6_000, 600], owed: [10_000, 4_000] };
const QUICK: Sizes = Sizes { up: [48, 48], away: [48, 48], owed: [96, 48] };

const DIRECTORIES: [&str; 2] = ["does not wait for the disk", "waits for the disk"];

/// What one round has shown.
struct Round {
    up: Vec<Up>,
    away: Vec<Away>,
    /// Waits for the disk in a second, one after the other.
    fsync: f64,
    /// Without and with a directory that waits for the disk.
    drained: [Drained; 2],
    peak_memory: u64,
}

/// What the server calls itself, and what was measured.
pub async fn run(rounds: usize, quick: bool) -> Outcome<(String, String)> {
    let (sizes, began) = (if quick { QUICK } else { FULL }, Instant::now());
    let (mut all, mut server) = (Vec::new(), String::new());
    for round in 1..=rounds {
        eprint!("outage, round {round} of {rounds}:");
        let (played, name) = play(sizes).await?;
        server = name;
        all.push(played);
        eprintln!(" {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok((server, to_markdown(&all)))
}

async fn play(sizes: Sizes) -> Outcome<(Round, String)> {
    let mut stand = Stand::set(false).await?;
    up::measure(&stand, [48, 0], "-warm-up").await?;
    let up = up::measure(&stand, sizes.up, "").await?;
    eprint!(" up");
    let (away, fsync, drained) = away::measure(&mut stand, sizes).await?;
    eprint!(", away, drained");
    stand.check_log()?;
    let (peak_memory, server) = (stand.accepting.process().peak_memory()?, stand.server());
    drop(stand);
    let drained = [drained, drain_to_the_disk(sizes.owed[1]).await?];
    eprint!(", drained to the disk");
    Ok((Round { up, away, fsync, drained, peak_memory }, server))
}

/// A drain into a directory that waits for the disk.
async fn drain_to_the_disk(each: usize) -> Outcome<Drained> {
    let mut stand = Stand::set(true).await?;
    let known = away::known(&stand, each).await?;
    let drained = drained::measure(&mut stand, each, &known, 0).await?;
    stand.check_log()?;
    Ok(drained)
}

type Value<'a> = &'a dyn Fn(&Round) -> Option<f64>;

/// The spread of a value over all rounds.
fn show(rounds: &[Round], value: Value<'_>, digits: usize) -> String {
    let spread = Spread::of(rounds.iter().filter_map(value).collect());
    spread.map_or("–".to_owned(), |spread| format!("{spread:.digits$}"))
}

/// The median of so many a second.
fn rate(rounds: &[Round], value: Value<'_>) -> String {
    let spread = Spread::of(rounds.iter().filter_map(value).collect());
    spread.map_or(String::new(), |it| thousands(it.median))
}

fn drains(rounds: &[Round]) -> Table {
    let show = |value: Value<'_>, digits: usize| show(rounds, value, digits);
    let rate = |value: Value<'_>| rate(rounds, value);
    let mut drain = Table::new(&[
        "the directory",
        "owed",
        "directory alone/s",
        "drained/s",
        "ratio",
        "bridge, CPU µs",
        "look-up meanwhile, ms",
        "99 %, ms",
    ]);
    for (at, directory) in DIRECTORIES.into_iter().enumerate() {
        let look_up = |round: &Round| round.drained[at].look_ups;
        drain.row(vec![
            directory.to_owned(),
            format!("{} creates, {0} patches", rounds.first().map_or(0, |round| round.drained[at].each)),
            rate(&|round| Some(round.drained[at].raw)),
            rate(&|round| Some(round.drained[at].rate)),
            show(&|round| Some(round.drained[at].ratio()), 2),
            show(&|round| Some(milliseconds(round.drained[at].cost) * 1e3), 0),
            show(&|round| look_up(round).map(|(median, _)| milliseconds(median)), 2),
            show(&|round| look_up(round).map(|(_, slow)| milliseconds(slow)), 2),
        ]);
    }
    drain
}

fn to_markdown(rounds: &[Round]) -> String {
    let show = |value: Value<'_>, digits: usize| show(rounds, value, digits);
    let rate = |value: Value<'_>| rate(rounds, value);
    let mut well = Table::new(&[
        "operation",
        "at once",
        "refuse/s",
        "accept/s",
        "ratio",
        "refuse, CPU µs",
        "accept, CPU µs",
        "later, CPU µs",
    ]);
    for (at, one) in rounds.first().iter().flat_map(|round| round.up.iter().enumerate()) {
        let micros = |side: usize| show(&|round| round.up.get(at).map(|up| milliseconds(up.cost[side]) * 1e3), 0);
        well.row(vec![
            one.name.to_owned(),
            one.concurrency.to_string(),
            rate(&|round| round.up.get(at).map(|up| up.rates[0])),
            rate(&|round| round.up.get(at).map(|up| up.rates[1])),
            show(&|round| round.up.get(at).map(Up::ratio), 3),
            micros(0),
            micros(1),
            show(&|round| round.up.get(at).map(|up| milliseconds(up.later) * 1e3), 0),
        ]);
    }
    let mut away = Table::new(&["accepted", "at once", "a second", "median, ms", "99 %, ms", "CPU µs"]);
    for (at, one) in rounds.first().iter().flat_map(|round| round.away.iter().enumerate()) {
        away.row(vec![
            one.name.to_owned(),
            one.concurrency.to_string(),
            rate(&|round| round.away.get(at).map(|away| away.rate)),
            show(&|round| round.away.get(at).map(|away| milliseconds(away.median)), 2),
            show(&|round| round.away.get(at).map(|away| milliseconds(away.slow)), 2),
            show(&|round| round.away.get(at).map(|away| milliseconds(away.cost) * 1e3), 0),
        ]);
    }
    let drain = drains(rounds);
    format!(
        "### While all is well\n\n{well}\n### While the directory is down\n\nThe disk: {} waits (fdatasync of 4 KiB) a second, one after \
         the other.\n\n{away}\n### When it is back\n\n{drain}\nMost resident memory of the bridge: {} MB.\n\n\
         ### Targets of outages\n\n{}",
        rate(&|round| Some(round.fsync)),
        show(&|round| crate::report::megabytes(round.peak_memory), 1),
        targets(rounds)
    )
}

fn targets(rounds: &[Round]) -> Table {
    let mut table = Table::new(&["target", "wanted", "measured", ""]);
    let mut judge = |what: &str, wanted: &str, met: &dyn Fn(f64) -> bool, digits: usize, values: Vec<f64>| {
        let spread = Spread::of(values);
        let verdict = spread.map_or("not measured", |it| if met(it.median) { "met" } else { "**missed**" });
        let measured = spread.map_or(String::new(), |it| format!("{it:.digits$}"));
        table.row(vec![what.to_owned(), wanted.to_owned(), measured, verdict.to_owned()]);
    };
    for (at, one) in rounds.first().iter().flat_map(|round| round.up.iter().enumerate()) {
        let values = rounds.iter().filter_map(|round| round.up.get(at)).map(Up::ratio).collect();
        let what = format!("{}, {} at once, accept beside refuse", one.name, one.concurrency);
        judge(&what, "≥ 0.97", &|it| it >= 0.97, 3, values);
    }
    let accepted = rounds.iter().filter_map(|round| round.away.first()).map(|away| away.rate).collect();
    judge("creates accepted, 32 at once", "≥ 2000/s", &|it| it >= 2000.0, 0, accepted);
    for (at, directory) in DIRECTORIES.into_iter().enumerate() {
        let drained = rounds.iter().map(|round| round.drained[at].ratio()).collect();
        judge(&format!("drain beside the directory alone, which {directory}"), "≥ 0.8", &|it| it >= 0.8, 2, drained);
        let look_ups = rounds.iter().filter_map(|round| round.drained[at].look_ups);
        let slow = look_ups.map(|(_, slow)| milliseconds(slow)).collect();
        judge("look-up during that drain, 99 %", "< 50 ms", &|it| it < 50.0, 1, slow);
    }
    table
}
