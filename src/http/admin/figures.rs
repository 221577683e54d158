//! Figures that are read when somebody asks for them.

use std::fs;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tracing::warn;

use super::super::site::Site;
use crate::bridge::Figures;
use crate::store::Store;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDirectory {
    directory: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTenant {
    tenant: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Items {
    tenant: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

type Whole<L> = Family<L, Gauge<i64, AtomicI64>>;
type Seconds<L> = Family<L, Gauge<f64, AtomicU64>>;

/// One family for each figure.
#[derive(Default)]
struct Gauges {
    up: Whole<OfDirectory>,
    items: Whole<Items>,
    oldest: Seconds<OfTenant>,
    entries: Whole<OfTenant>,
    filled: Whole<OfTenant>,
    age: Seconds<OfTenant>,
}

/// All of them, as they are now.
pub(super) async fn read(site: &Site, store: &Store) -> Registry {
    let gauges = Gauges::default();
    for tenant in site.tenants() {
        let bridge = &tenant.settings.bridge;
        let directory = bridge.directory();
        if let Some(up) = directory.health().reachable {
            gauges.up.get_or_create(&OfDirectory { directory: directory.name().to_owned() }).set(i64::from(up));
        }
        match bridge.figures().await {
            Ok(Some(figures)) => gauges.set(&tenant.settings.name, &figures),
            Ok(None) => {}
            Err(fault) => warn!(%fault, "the figures of a tenant can't be read"),
        }
    }
    let mut registry = Registry::default();
    gauges.register(&mut registry);
    of_process(&mut registry, store);
    registry
}

impl Gauges {
    fn set(&self, tenant: &str, figures: &Figures) {
        let of = OfTenant { tenant: tenant.to_owned() };
        let tally = figures.tally;
        for (state, count) in [("owed", tally.owed), ("parked", tally.parked), ("held", tally.held)] {
            self.items.get_or_create(&Items { tenant: tenant.to_owned(), state }).set(whole(count));
        }
        self.oldest.get_or_create(&of).set(tally.oldest.map_or(0.0, seconds_since));
        self.entries.get_or_create(&of).set(whole(figures.entries));
        self.filled.get_or_create(&of).set(i64::from(figures.filled));
        if let Some(at) = figures.refreshed {
            self.age.get_or_create(&of).set(seconds_since(at));
        }
    }

    fn register(self, registry: &mut Registry) {
        let help = "Whether the directory answered when it was last spoken to";
        registry.register("scim2ldap_directory_up", help, self.up);
        registry.register("scim2ldap_queue_items", "Changes that the directory does not have yet", self.items);
        let help = "Age of the oldest change that is owed and waits for no person, 0 when there is none";
        registry.register("scim2ldap_queue_oldest_seconds", help, self.oldest);
        let help = "Entries that the bridge knows, to answer while the directory is away";
        registry.register("scim2ldap_shadow_entries", help, self.entries);
        let help = "Whether the directory was read whole, so that an outage is invisible";
        registry.register("scim2ldap_shadow_filled", help, self.filled);
        let help = "Time since the directory was last asked for what others changed";
        registry.register("scim2ldap_shadow_age_seconds", help, self.age);
    }
}

fn of_process(registry: &mut Registry, store: &Store) {
    let build: Whole<Build> = Family::default();
    build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
    registry.register("scim2ldap_build_info", "The version that runs", build);
    let size: Gauge<i64, AtomicI64> = Gauge::default();
    size.set(i64::try_from(store.size()).unwrap_or(i64::MAX));
    registry.register("scim2ldap_store_bytes", "Bytes of the store on the disk", size);
    if let Some(bytes) = resident() {
        let memory: Gauge<i64, AtomicI64> = Gauge::default();
        memory.set(bytes);
        registry.register("process_resident_memory_bytes", "Resident memory", memory);
    }
}

/// Resident memory in bytes, where the system tells.
fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok().map(|kib| kib * 1024)
}

/// Seconds since a time in milliseconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "an age, not a time")]
fn seconds_since(at: i64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    (now - at).max(0) as f64 / 1000.0
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
