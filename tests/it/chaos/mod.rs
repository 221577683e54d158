//! An outage is invisible: the same requests are played to a bridge whose directory is always there, and to one whose
//! directory is cut off again and again and which is killed now and then. Every answer is the same, and in the end both
//! directories are.
//!
//! `CHAOS_SEED` plays one history again; it is printed when a history ends badly. `CHAOS_HISTORIES` is how many are
//! played, `CHAOS_LOG` the level of the log. Of a history that ends badly all is printed that there is to know: the requests,
//! what the bridge said meanwhile, what the directory behind it was told to do, and what both hold in the end.

mod crash;
mod day;
mod departures;
mod history;
mod side;
mod store;
mod storm;

use crate::harness::{Attributes, Config, Facts, Kind, Lease, Options, Proxy, Raw, Slapd};
use crate::world::World;
use fastrand::Rng;
use history::{CLIENTS, Clients, Op};
use side::{Seen, Side};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use storm::Storm;

/// Histories of different workers are played side by side, those of one worker one after the other by the same bridges.
const WORKERS: u64 = 8;
const PATIENCE: &str = "allow_plaintext = true\nconnect_timeout = \"500ms\"\noperation_timeout = \"500ms\"";

/// A bridge that is restarted listens elsewhere, but its clients know it by one name.
const SERVER: &str = "listen = \"127.0.0.1:0\"\npublic_url = \"http://scim.example.test\"";

/// Two bridges.
struct Pair {
    calm: Side,
    storm: Storm,
    stormy: Arc<Side>,
    calm_world: World,
    /// What the directory behind the storm is read with, and where.
    raw: Raw,
    base: String,
    trace: String,
    /// Where the log and the record of what was changed stood when the history began.
    began: (usize, usize),
}

/// The server of all histories on `OpenLDAP`. It lets nothing follow for other tests.
fn slapd() -> &'static Slapd {
    static SHARED: OnceLock<Slapd> = OnceLock::new();
    SHARED.get_or_init(|| Slapd::with(Options { audit: true, ..Options::default() }))
}

/// A bridge on a part of a directory of this kind, of this name.
async fn world(kind: Kind, name: &str, lease: Option<Lease>, change: impl FnOnce(Config) -> Config) -> World {
    match (kind, lease) {
        (Kind::OpenLdap, _) => World::before(slapd(), slapd().suffix(name).await, change).await,
        (_, Some(lease)) => World::leased(lease, name, change).await,
        (_, None) => World::on_with(kind, name, change).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_can_tell_an_outage_from_a_quiet_day() {
    on(Kind::OpenLdap, 200, WORKERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make soak"]
async fn nor_a_week_of_outages() {
    on(Kind::OpenLdap, 2000, WORKERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_with_active_directory() {
    on(Kind::ActiveDirectory, 2, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_with_389_directory_server() {
    on(Kind::Ds389, 3, 1).await;
}

async fn on(kind: Kind, histories: u64, workers: u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("CHAOS_SEED") {
        return Pair::new(kind, seed).await.play(seed).await;
    }
    let histories = number("CHAOS_HISTORIES").unwrap_or(histories);
    let began = Instant::now();
    let work = (0..workers).map(|worker| {
        let seeds: Vec<u64> =
            (worker..histories).step_by(usize::try_from(workers).unwrap()).map(|_| fastrand::u64(..)).collect();
        tokio::spawn(async move {
            let Some(first) = seeds.first() else { return };
            let mut pair = Pair::new(kind, *first).await;
            for seed in seeds {
                pair.play(seed).await;
            }
        })
    });
    for ended in futures_util::future::join_all(work).await {
        ended.unwrap();
    }
    println!("{histories} histories in {:?}", began.elapsed());
}

impl Pair {
    async fn new(kind: Kind, name: u64) -> Self {
        let level = std::env::var("CHAOS_LOG").unwrap_or_else(|_| "info".to_owned());
        let table = table(kind);
        let quiet = |config: Config| config.mapping_text(&table).server(SERVER);
        let calm_world = world(kind, &format!("calm-{name:x}"), None, quiet).await;
        let lease = match kind {
            Kind::OpenLdap => None,
            _ => Some(Lease::with(kind, Options { plaintext: true, ..Options::default() }).await),
        };
        let (port, tls_port) =
            lease.as_ref().map_or_else(|| (slapd().port(), 0), |lease| (lease.port(), lease.tls_port()));
        // Active Directory sets passwords over TLS only.
        let proxy = Proxy::before(if kind == Kind::ActiveDirectory { tls_port } else { port });
        let url = match kind {
            Kind::ActiveDirectory => format!("ldaps://localhost:{}", proxy.port()),
            _ => proxy.url(),
        };
        let change =
            |config: Config| config.mapping_text(&table).urls(&[&url]).directory(PATIENCE).server(SERVER).log(&level);
        let stormy_world = world(kind, &format!("wild-{name:x}"), lease, change).await;
        stormy_world.daemon.wait_for_log("the directory was read; an outage is invisible from now on");
        let stormy = Arc::new(Side::new(stormy_world.scim.clone()));
        let (raw, base) = (stormy_world.raw.clone(), stormy_world.base.clone());
        let storm = Storm::new(proxy, stormy_world, Arc::clone(&stormy));
        let (calm, trace) = (Side::new(calm_world.scim.clone()), String::new());
        Self { calm, storm, stormy, calm_world, raw, base, trace, began: (0, 0) }
    }

    /// How much the servers of all histories have written down of what was changed.
    fn audited(&self) -> usize {
        let written = || std::fs::metadata(slapd().audit()).map_or(0, |file| file.len());
        if self.calm_world.kind == Kind::OpenLdap { usize::try_from(written()).unwrap() } else { 0 }
    }

    /// What the directory behind the storm was told to do in this history, as far as that is written down.
    fn audit(&self) -> String {
        let all = if self.audited() > 0 { std::fs::read(slapd().audit()).unwrap_or_default() } else { Vec::new() };
        let text = String::from_utf8_lossy(all.get(self.began.1..).unwrap_or_default()).to_lowercase();
        // Others change their own parts of the directory at the same time.
        let own: Vec<&str> = text.split("\n\n").filter(|record| record.contains(&self.base.to_lowercase())).collect();
        own.join("\n\n")
    }

    /// Plays one history.
    async fn play(&mut self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let (renames, commas) = match self.calm_world.kind {
            Kind::OpenLdap => (true, true),
            Kind::ActiveDirectory => (false, true),
            Kind::Ds389 => (true, false),
        };
        let mut clients = Clients::new(random.fork(), format!("{:03x}", seed & 0xfff), renames, commas);
        self.trace = format!("CHAOS_SEED={seed}\n");
        self.began = (self.storm.log().len(), self.audited());
        let mut left = random.usize(50..=200);
        while left > 0 {
            let round = clients.round();
            left = left.saturating_sub(round.len());
            let strike = self.storm.next(&mut random, round.iter().all(Op::repeatable)).map(|event| {
                let _ = writeln!(self.trace, "    {event:?}");
                self.storm.strike(event, Duration::from_micros(random.u64(..12_000)))
            });
            let calm = futures_util::future::join_all(round.iter().map(|op| self.calm.play(op))).await;
            let stormy = futures_util::future::join_all(round.iter().map(|op| self.stormy.play(op))).await;
            for ((op, calm), stormy) in round.iter().zip(&calm).zip(&stormy) {
                let _ = writeln!(self.trace, "{op} -> {}", calm.status);
                if calm != stormy {
                    self.tell(op.slot()).await;
                }
                self.compare(calm, stormy).await;
            }
            if let Some(strike) = strike {
                strike.await.unwrap();
            }
            clients.alive = self.calm.alive();
        }
        self.storm.calm().await;
        self.settled().await;
        self.compare_directories().await;
        self.compare_all().await;
        self.wipe().await;
    }

    /// What there is to know when answers differ.
    async fn tell(&self, slot: Option<&String>) {
        for side in [&self.calm, &*self.stormy] {
            if let Some(slot) = slot {
                eprintln!("{}", side.told(slot).await);
            }
        }
    }

    /// What both directories hold, an entry a line.
    async fn tell_directories(&self) {
        for (raw, base) in [(&self.calm_world.raw, &self.calm_world.base), (&self.raw, &self.base)] {
            eprintln!("below {base}:");
            for (dn, entry) in entries(self.calm_world.facts(), raw, base).await {
                eprintln!("  {dn} {entry:?}");
            }
        }
    }

    async fn compare(&self, calm: &Seen, stormy: &Seen) {
        if calm != stormy {
            self.tell_directories().await;
            self.fail(&format!(
                "on a quiet day: {} {:#}{}\nin an outage: {} {:#}{}",
                calm.status, calm.body, calm.detail, stormy.status, stormy.body, stormy.detail
            ));
        }
    }

    fn fail(&self, why: &str) -> ! {
        let log = self.storm.log();
        let log = log.get(self.began.0..).unwrap_or(&log);
        eprintln!("{log}\n{}\n{}\n{why}", self.audit(), self.trace);
        panic!("a history went wrong: {}", self.trace.lines().next().unwrap_or_default());
    }

    /// Waits until nothing is owed any more.
    async fn settled(&self) {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let items = store::owed(self.storm.world.lock().unwrap().daemon.folder());
            if items.is_empty() {
                return;
            }
            if Instant::now() > until || items.iter().any(|item| item.parked) {
                self.fail(&format!("still owed: {items:#?}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn compare_directories(&self) {
        let facts = self.calm_world.facts();
        let calm = entries(facts, &self.calm_world.raw, &self.calm_world.base).await;
        let stormy = entries(facts, &self.raw, &self.base).await;
        for dn in calm.keys().chain(stormy.keys()) {
            if calm.get(dn) != stormy.get(dn) {
                self.tell_directories().await;
                self.fail(&format!("{dn}\non a quiet day: {:#?}\nin an outage: {:#?}", calm.get(dn), stormy.get(dn)));
            }
        }
    }

    /// Everything over SCIM once more.
    async fn compare_all(&self) {
        for path in ["/Users?count=200", "/Groups?count=200"] {
            let op = Op::List { path: path.to_owned(), ordered: false };
            self.compare(&self.calm.play(&op).await, &self.stormy.play(&op).await).await;
        }
        for client in 0..CLIENTS {
            for slot in ["u0", "u1", "u2", "u3", "g0", "g1"] {
                let op = Op::Get { slot: format!("{}{client}.{}", &slot[..1], &slot[1..]) };
                self.compare(&self.calm.play(&op).await, &self.stormy.play(&op).await).await;
            }
        }
    }

    /// Makes room for the next history.
    async fn wipe(&self) {
        for side in [&self.calm, &*self.stormy] {
            side.wipe().await;
        }
    }
}

/// The shipped table. OpenLDAP's overlay memberof leaves the members' own entries as they were when the connection dies
/// after the group was changed, and nothing that comes later makes up for it; so the groups of a user are searched for
/// there, and `memberOf` is not compared.
fn table(kind: Kind) -> String {
    let text = std::fs::read_to_string(crate::harness::shipped(kind.facts().mapping)).expect("the shipped table");
    if kind == Kind::OpenLdap { text.replace("[user]\n", "[user]\ngroups = \"search\"\n") } else { text }
}

/// What the directory holds, without what is different in two directories in any case.
async fn entries(facts: &Facts, raw: &Raw, base: &str) -> BTreeMap<String, Attributes> {
    let own = [
        "entryUUID",
        "contextCSN",
        "objectGUID",
        "objectSid",
        "nsUniqueId",
        "parentid",
        "entryid",
        "dSCorePropagationData",
    ];
    let skipped = |name: &String| {
        let name = name.as_str();
        if facts.text == "openldap" && name == "memberOf" {
            return true;
        }
        let dated = ["createTimestamp", "whenCreated", "uSNCreated", "creatorsName", "numSubordinates"];
        own.iter().any(|own| own.eq_ignore_ascii_case(name)) || facts.clocks.contains(&name) || dated.contains(&name)
    };
    let mut found = raw.find(base, "(objectClass=*)").await;
    // The base has the name of its side.
    found.retain(|(dn, _)| !dn.eq_ignore_ascii_case(base));
    let plain = |text: &String| text.replace(base, "BASE").replace(&base.to_lowercase(), "BASE");
    // 389's name of an entry keeps its capitals when only they change, and which name that was depends on what was
    // carried out as one.
    let named = |dn: &String| if facts.text == "389ds" { plain(dn).to_lowercase() } else { plain(dn) };
    let entry = |(dn, attributes): (String, Attributes)| {
        let kept = attributes.into_iter().filter(|(name, _)| !skipped(name));
        let values = kept.map(|(name, values)| {
            let mut values: Vec<String> = values.iter().map(plain).collect();
            // 389 gives this class to whoever becomes a member and never takes it back: a membership that came and
            // went while it was away leaves none.
            values.retain(|value| value != "nsMemberOf");
            // A name that refers to an entry is the same name in capitals: who was taken out of a group and put in
            // again is written as the entry is called now, unless both happened in one modification.
            if ["member", "memberOf", "manager", "dsEntryDN"].contains(&name.as_str()) {
                values = values.iter().map(|value| value.to_lowercase()).collect();
            }
            values.sort();
            (name, values)
        });
        (named(&dn), values.collect())
    };
    found.into_iter().map(entry).collect()
}
