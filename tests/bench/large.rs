//! Large groups and long lists: what one more member costs in a group of a hundred thousand, and a page deep in a
//! directory of a million.
//!
//! The directories are filled before the server starts. Every answer is checked: who is a member afterwards, how many
//! members an answer has, who is on a page.

mod data;
mod groups;
mod lists;
mod place;

use crate::report::Spread;
use crate::workload::Outcome;
use std::time::Instant;

/// How much there is of everything.
struct Sizes {
    /// Members of the groups.
    groups: &'static [usize],
    /// Users in the directories.
    directories: &'static [usize],
    /// Resources on a page.
    page: usize,
}

const FULL: Sizes =
    Sizes { groups: &[10, 1_000, 10_000, 100_000], directories: &[1_000, 100_000, 1_000_000], page: 100 };
const QUICK: Sizes = Sizes { groups: &[3, 50, 700], directories: &[100, 600, 1_300], page: 10 };

/// What the server calls itself, and what was measured.
pub async fn run(rounds: usize, quick: bool) -> Outcome<(String, String)> {
    let (sizes, began) = (if quick { QUICK } else { FULL }, Instant::now());
    let (server, groups) = groups::measure(sizes.groups, rounds).await?;
    eprintln!("groups: {:.0} s", began.elapsed().as_secs_f64());
    let mut lists = Vec::new();
    for users in sizes.directories {
        lists.push(lists::measure(*users, sizes.page, rounds).await?);
        eprintln!("{users} users: {:.0} s", began.elapsed().as_secs_f64());
    }
    let mut targets = crate::table::Table::new(&["target", "wanted", "measured", ""]);
    let mut judge = |what: &str, most: f64, unit: &str, measured: Option<Spread>| {
        let verdict = measured.map_or("not measured", |it| if it.median <= most { "met" } else { "**missed**" });
        let measured = measured.map_or(String::new(), |it| format!("{it:.2}"));
        targets.row(vec![what.to_owned(), format!("≤ {most}{unit}"), measured, verdict.to_owned()]);
    };
    groups::judge(&groups, &mut judge);
    lists::judge(&lists, &mut judge);
    let peaks = groups.iter().map(|one| one.peak_memory).chain(lists.iter().map(|one| one.peak_memory));
    let peak = Spread::of(peaks.filter_map(crate::report::megabytes).collect());
    judge(
        "memory of the bridge at most, in all of these",
        100.0,
        " MB",
        peak.map(|it| Spread { median: it.max, ..it }),
    );
    let (groups, lists) = (groups::to_markdown(&groups), lists::to_markdown(&lists, sizes.page));
    Ok((server, format!("{groups}\n{lists}\n### Targets of groups and lists\n\n{targets}")))
}

/// Says whether a target is met: what, the most that is wanted, its unit, and what was measured.
type Judge<'a> = dyn FnMut(&str, f64, &str, Option<Spread>) + 'a;
