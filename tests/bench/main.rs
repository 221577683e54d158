//! `make bench`: how fast the bridge is, beside the directory alone.
//!
//! Every round starts an `OpenLDAP` and a bridge on loopback and lets the same client program do the same operations
//! directly and through the bridge, in turns. Every answer is checked, and after each phase the directory is read to see
//! whether it holds what it should. docs/performance.md explains what is measured and holds the outcome.
//!
//! | variable | does |
//! |---|---|
//! | `BENCH_ROUNDS` | that many rounds, instead of five |
//! | `BENCH_PART` | `users`: single users alone; `large`: large groups and long lists alone; `outage`: outages alone; all without |
//! | `BENCH_QUICK=1` | one small round, to see whether the bench itself works; its numbers mean nothing |

mod bridge;
mod contest;
#[path = "../harness/mod.rs"]
mod harness;
mod http;
mod large;
mod outage;
mod page;
mod people;
mod processes;
mod raw;
mod report;
mod round;
mod stage;
mod table;
mod workload;

use page::Part;
use report::{Play, Report};
use round::{Extent, Round};
use stage::Stage;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use workload::Outcome;

/// Requests at the same time.
const CONCURRENCIES: [usize; 3] = [1, 8, 32];

/// How much is done.
struct Plan {
    quick: bool,
    rounds: usize,
    parts: Vec<Part>,
}

impl Plan {
    fn from_environment() -> Outcome<Self> {
        let variable = |name| std::env::var(name).unwrap_or_default();
        // `cargo bench` says so; `cargo test --benches` doesn't, and has no time.
        let quick = variable("BENCH_QUICK") == "1" || !std::env::args().any(|argument| argument == "--bench");
        let rounds = match variable("BENCH_ROUNDS").as_str() {
            "" => {
                if quick {
                    1
                } else {
                    5
                }
            }
            number => number.parse().map_err(|_| format!("BENCH_ROUNDS={number:?} is no number"))?,
        };
        let parts = match variable("BENCH_PART").as_str() {
            "" => vec![Part::Users, Part::Large, Part::Outage],
            "users" => vec![Part::Users],
            "large" => vec![Part::Large],
            "outage" => vec![Part::Outage],
            other => return Err(format!("BENCH_PART={other:?} is none of users, large and outage").into()),
        };
        Ok(Self { quick, rounds, parts })
    }

    /// Enough to see a difference of a few percent, in a few minutes for everything.
    fn extent(&self, concurrency: usize, fsync: bool) -> Extent {
        let jobs = match (self.quick, fsync, concurrency) {
            (true, ..) => 48,
            (false, false, 1) => 4_200,
            (false, false, _) => 9_600,
            (false, true, 1) => 900,
            (false, true, _) => 3_000,
        };
        Extent { concurrency, jobs }
    }
}

fn main() -> ExitCode {
    // One thread for directory and bridge alike: measured, more only make both slower on a small machine.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let plan = Plan::from_environment()?;
    let mut texts = Vec::new();
    for part in &plan.parts {
        let (server, text) = match part {
            Part::Users => users(&plan).await?,
            Part::Large => large::run(plan.rounds, plan.quick).await?,
            Part::Outage => outage::run(plan.rounds, plan.quick).await?,
        };
        let text = format!("{} Medians of {} rounds.\n\n{text}", page::machine(&server), plan.rounds);
        println!("{text}");
        texts.push((*part, text));
    }
    publish(&plan, &texts)
}

/// Single users: what the server calls itself, and what was measured.
async fn users(plan: &Plan) -> Outcome<(String, String)> {
    let (mut report, mut server, began) = (Report::default(), String::new(), Instant::now());
    for round in 1..=plan.rounds {
        for fsync in [false, true] {
            eprint!("round {round} of {}, fsync {}:", plan.rounds, if fsync { "on" } else { "off" });
            let stage = Stage::set(fsync).await?;
            report.plays.push(play(plan, &stage, fsync).await?);
            server = stage.server();
            eprintln!(" {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    Ok((server, report.to_markdown(&CONCURRENCIES)))
}

/// All concurrencies, after a small round that nobody counts.
async fn play(plan: &Plan, stage: &Stage, fsync: bool) -> Outcome<Play> {
    let warm_up = Extent { concurrency: 8, jobs: 48 };
    Round::play(stage, warm_up, "-warm-up").await?;
    let (mut measurements, mut entries) = (Vec::new(), round::entries(warm_up));
    for concurrency in CONCURRENCIES {
        eprint!(" {concurrency}");
        let extent = plan.extent(concurrency, fsync);
        measurements.extend(Round::play(stage, extent, &format!("-{concurrency}")).await?);
        entries += round::entries(extent);
    }
    stage.check(entries).await?;
    let (idle_memory, peak_memory) = (stage.idle_memory, stage.cast.bridge.peak_memory()?);
    Ok(Play { fsync, measurements, idle_memory, peak_memory })
}

fn publish(plan: &Plan, texts: &[(Part, String)]) -> Outcome<()> {
    if plan.quick || cfg!(debug_assertions) {
        println!("This was a trial of the bench itself: the numbers mean nothing, and docs/performance.md stays.");
        return page::fill(texts, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("performance.md"));
    }
    page::fill(texts, &page::page())
}
