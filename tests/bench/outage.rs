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
    /// Creates, and as many patches, that are owed when the directory comes back.
    owed: usize,
}

const FULL: Sizes = Sizes { up: [7_200, 2_400], away: [6_000, 600], owed: 10_000 };
const QUICK: Sizes = Sizes { up: [48, 48], away: [48, 48], owed: 96 };

/// What one round has shown.
struct Round {
    up: Vec<Up>,
    away: Vec<Away>,
    /// Waits for the disk in a second, one after the other.
    fsync: f64,
    drained: Drained,
    peak_memory: u64,
}

/// What the server calls itself, and what was measured.
pub async fn run(rounds: usize, quick: bool) -> Outcome<(String, String)> {
    let (sizes, began) = (if quick { QUICK } else { FULL }, Instant::now());
    let (mut all, mut server) = (Vec::new(), String::new());
    for round in 1..=rounds {
        eprint!("outage, round {round} of {rounds}:");
        let mut stand = Stand::set().await?;
        server = stand.server();
        all.push(play(&mut stand, sizes).await?);
        eprintln!(" {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok((server, to_markdown(&all)))
}

async fn play(stand: &mut Stand, sizes: Sizes) -> Outcome<Round> {
    up::measure(stand, [48, 0], "-warm-up").await?;
    let up = up::measure(stand, sizes.up, "").await?;
    eprint!(" up");
    let (away, fsync, drained) = away::measure(stand, sizes).await?;
    eprint!(", away, drained");
    stand.check_log()?;
    Ok(Round { up, away, fsync, drained, peak_memory: stand.accepting.process().peak_memory()? })
}

fn to_markdown(rounds: &[Round]) -> String {
    let spread = |value: &dyn Fn(&Round) -> Option<f64>| Spread::of(rounds.iter().filter_map(value).collect());
    let show = |value: &dyn Fn(&Round) -> Option<f64>, digits: usize| {
        spread(value).map_or("–".to_owned(), |spread| format!("{spread:.digits$}"))
    };
    let rate = |value: &dyn Fn(&Round) -> Option<f64>| spread(value).map_or(String::new(), |it| thousands(it.median));
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
    let mut drain = Table::new(&["owed", "directory alone/s", "drained/s", "ratio"]);
    drain.row(vec![
        format!("{} creates, {0} patches", rounds.first().map_or(0, |round| round.drained.each)),
        rate(&|round| Some(round.drained.raw)),
        rate(&|round| Some(round.drained.rate)),
        show(&|round| Some(round.drained.rate / round.drained.raw), 2),
    ]);
    format!(
        "### While all is well\n\n{well}\n### While the directory is down\n\nThe disk: {} waits (fdatasync of 4 KiB) a second, one after \
         the other.\n\n{away}\n### When it is back\n\n{drain}\nLook-ups meanwhile, one at a time: median {} ms, 99 % {} ms. The bridge \
         takes {} µs of processor time for each. Most resident memory of the bridge: {} MB.\n\n### Targets of outages\n\n{}",
        rate(&|round| Some(round.fsync)),
        show(&|round| round.drained.look_ups.map(|(median, _)| milliseconds(median)), 2),
        show(&|round| round.drained.look_ups.map(|(_, slow)| milliseconds(slow)), 2),
        show(&|round| Some(milliseconds(round.drained.cost) * 1e3), 0),
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
    let drained = rounds.iter().map(|round| round.drained.rate / round.drained.raw).collect();
    judge("drain beside the directory alone", "≥ 0.8", &|it| it >= 0.8, 2, drained);
    let slow = rounds.iter().filter_map(|round| round.drained.look_ups).map(|(_, slow)| milliseconds(slow)).collect();
    judge("look-up during the drain, 99 %", "< 50 ms", &|it| it < 50.0, 1, slow);
    table
}
