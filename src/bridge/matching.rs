//! What a list holds: filter and order (RFC 7644 sections 3.4.2.2 and 3.4.2.3).
//!
//! What the filter matches is decided before anything is counted or paged. The order is by the attribute that the
//! client asked for, then by kind and id, so that it is the same on every page.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;

use serde_json::Value;

use crate::directory::{self, AttributeName, Entry, FaultKind, Filter as LdapFilter, Scope, Search};
use crate::mapping::{Compiled, Mentions, NoId, ResourceMapping, Terms};
use crate::scim::{self, AttributePath, Filter, Projection, Query, Resource, SortOrder};

use super::list::{Listing, Part};
use super::read::{Found, in_sight, shows_members};
use super::snapshot::Id;
use super::{Carrier, Fault};

/// Alternatives in a filter that can still be asked for by one search.
const FETCH: usize = 100;

/// What matches, of one kind.
enum Matches {
    /// Nothing more than ids had to be read.
    Ids(Vec<Id>),
    Read(Vec<Candidate>),
}

/// Something that matches, as long as it is not known whether it is on the page.
struct Candidate {
    key: Option<Value>,
    id: Id,
    found: Option<Found>,
}

impl Candidate {
    const fn of(id: Id) -> Self {
        Self { key: None, id, found: None }
    }
}

impl Carrier {
    /// Everything that matches, of all kinds together. With several kinds, an attribute that one of them does not have
    /// has no value there; one that none of them has is a mistake in the filter.
    pub(super) async fn matching(&self, parts: &[Part<'_>]) -> Result<Listing, Fault> {
        let lenient = parts.len() > 1;
        if lenient {
            check_carried(parts)?;
        }
        let (mut ids, mut candidates) = (Vec::new(), Vec::new());
        for part in parts {
            match self.matches(part.mapping, part.query, lenient).await? {
                Matches::Ids(found) if ids.is_empty() => ids = found,
                Matches::Ids(found) => ids.extend(found),
                Matches::Read(found) => candidates.extend(found),
            }
        }
        if candidates.is_empty() {
            ids.sort_unstable();
            ids.dedup();
            return Ok(Listing { ids, found: HashMap::new() });
        }
        candidates.extend(ids.into_iter().map(Candidate::of));
        let order = parts.first().map_or(SortOrder::Ascending, |part| part.query.sort_order);
        let exact = sorts_exactly(parts);
        candidates.sort_by(|one, other| compare(one, other, order, exact));
        candidates.dedup_by(|one, other| one.id == other.id);
        let mut listing = Listing { ids: Vec::with_capacity(candidates.len()), found: HashMap::new() };
        for Candidate { id, found, .. } in candidates {
            listing.found.extend(found.map(|found| (id.clone(), found)));
            listing.ids.push(id);
        }
        Ok(listing)
    }

    async fn matches(&self, mapping: &ResourceMapping, query: &Query, lenient: bool) -> Result<Matches, Fault> {
        let compiled = self.compile(mapping, query.filter.as_ref(), lenient).await?;
        if compiled.filter.is_never() {
            return Ok(Matches::Ids(Vec::new()));
        }
        if query.filter.as_ref().is_some_and(is_narrow)
            && let Some(candidates) = self.search_all(mapping, query, &compiled).await?
        {
            return Ok(Matches::Read(candidates));
        }
        self.scan_all(mapping, query, &compiled).await
    }

    async fn compile(
        &self,
        mapping: &ResourceMapping,
        filter: Option<&Filter>,
        lenient: bool,
    ) -> Result<Compiled, Fault> {
        let Some(filter) = filter else { return Ok(Compiled { filter: LdapFilter::any(), exact: true }) };
        let asked = mapping.filter_mentions(filter);
        let mentions = if asked.is_empty() { Mentions::default() } else { self.resolve(asked).await? };
        let asked = mapping.filter_members(filter);
        let members = match &mapping.members {
            Some(members) if !asked.is_empty() => self.member_values(members, &asked).await?,
            _ => HashMap::new(),
        };
        let terms = Terms {
            mentions: &mentions,
            members: &members,
            schema: self.server_schema().await,
            dialect: self.dialect(),
            lenient,
        };
        Ok(mapping.compile(filter, terms)?)
    }

    /// The server's schema, read once. Without it filters stay right and only narrow less.
    async fn server_schema(&self) -> Option<&directory::SchemaView> {
        if let Some(schema) = self.inner.schema.get() {
            return Some(schema);
        }
        match self.inner.target.schema().await {
            Ok(schema) => Some(self.inner.schema.get_or_init(|| schema)),
            Err(fault) => {
                tracing::debug!(directory = self.inner.target.name(), %fault, "the server's schema could not be read");
                None
            }
        }
    }

    /// One search for everything, all attributes at once; `None` when the server's size limit forbids it.
    async fn search_all(
        &self,
        mapping: &ResourceMapping,
        query: &Query,
        compiled: &Compiled,
    ) -> Result<Option<Vec<Candidate>>, Fault> {
        let needed = needed(query, compiled);
        let attributes = mapping.attributes(self.dialect(), &needed);
        let mut search = Self::search_for(mapping, compiled, attributes);
        let mut entries = Vec::new();
        for base in mapping.search_bases() {
            search.base = base;
            match self.inner.target.search(&search).await {
                Ok(found) => entries.extend(found),
                Err(fault) if fault.kind == FaultKind::SizeLimit => return Ok(None),
                Err(fault) => return Err(self.fault(fault)),
            }
        }
        entries.retain(|entry| in_sight(mapping, &entry.dn));
        let found = entries
            .into_iter()
            .map(|entry| self.read(mapping, entry, shows_members(&needed)))
            .collect::<Result<Vec<_>, NoId>>()?;
        self.choose(mapping, query, compiled, found).await.map(Some)
    }

    /// Pages through everything. Where the filter is exact and the order is by id, only ids are read.
    async fn scan_all(&self, mapping: &ResourceMapping, query: &Query, compiled: &Compiled) -> Result<Matches, Fault> {
        let ids_do = compiled.exact && query.sort_by.is_none();
        let attributes = if ids_do {
            vec![mapping.id.attribute.clone()]
        } else {
            mapping.attributes(self.dialect(), &needed(query, compiled))
        };
        let mut search = Self::search_for(mapping, compiled, attributes);
        let mut collected = Collected::new(self, mapping, ids_do, shows_members(&needed(query, compiled)));
        for base in mapping.search_bases() {
            search.base = base;
            let scanned = self.inner.target.scan(&search, &mut |entry| collected.take(entry)).await;
            scanned.map_err(|fault| self.fault(fault))?;
        }
        if let Some(fault) = collected.fault {
            return Err(fault.into());
        }
        if ids_do {
            return Ok(Matches::Ids(collected.ids));
        }
        self.choose(mapping, query, compiled, collected.found).await.map(Matches::Read)
    }

    /// Applies what the LDAP filter could not say, and the sort key.
    async fn choose(
        &self,
        mapping: &ResourceMapping,
        query: &Query,
        compiled: &Compiled,
        found: Vec<Found>,
    ) -> Result<Vec<Candidate>, Fault> {
        let id = |found: &Found| Id::new(mapping.kind, &found.reading.id);
        let residual = query.filter.as_ref().filter(|_| !compiled.exact);
        if residual.is_none() && query.sort_by.is_none() {
            let plain = |found: Found| Candidate { key: None, id: id(&found), found: Some(found) };
            return Ok(found.into_iter().map(plain).collect());
        }
        let resources = self.finish_all(mapping, found.clone()).await?;
        let mut chosen = Vec::new();
        for (found, mut resource) in found.into_iter().zip(resources) {
            resource.unfold_members();
            if residual.is_none_or(|filter| filter.matches(&resource, &mapping.schema)) {
                let key = query.sort_by.as_ref().and_then(|path| sort_key(&resource, path));
                chosen.push(Candidate { key, id: id(&found), found: Some(found) });
            }
        }
        Ok(chosen)
    }

    fn search_for(mapping: &ResourceMapping, compiled: &Compiled, attributes: Vec<AttributeName>) -> Search {
        let filter = LdapFilter::And(vec![mapping.filter.clone(), compiled.filter.clone()]);
        Search { base: directory::Dn::root(), scope: Scope::Sub, filter, attributes, size_limit: 0 }
    }
}

/// What has to be read of each entry: what the answer shows, and everything where the bridge has to filter or sort.
fn needed(query: &Query, compiled: &Compiled) -> Projection {
    if compiled.exact && query.sort_by.is_none() { query.projection.clone() } else { Projection::default() }
}

/// What a scan gathers.
struct Collected<'a> {
    bridge: &'a Carrier,
    mapping: &'a ResourceMapping,
    ids_do: bool,
    members: bool,
    ids: Vec<Id>,
    found: Vec<Found>,
    fault: Option<NoId>,
}

impl<'a> Collected<'a> {
    const fn new(bridge: &'a Carrier, mapping: &'a ResourceMapping, ids_do: bool, members: bool) -> Self {
        Self { bridge, mapping, ids_do, members, ids: Vec::new(), found: Vec::new(), fault: None }
    }

    fn take(&mut self, entry: Entry) -> ControlFlow<()> {
        if !in_sight(self.mapping, &entry.dn) {
            return ControlFlow::Continue(());
        }
        if self.ids_do
            && let Some(id) = self.mapping.id.of(&entry)
        {
            self.ids.push(Id::new(self.mapping.kind, &id));
            return ControlFlow::Continue(());
        }
        match self.bridge.read(self.mapping, entry, self.members) {
            Ok(found) => self.found.push(found),
            // A list that leaves somebody out makes the client unassign them.
            Err(fault) => {
                self.fault = Some(fault);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a filter asks for one value of something, so that few entries can be expected to match.
fn is_narrow(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().any(is_narrow),
        Filter::Or(parts) => parts.len() <= FETCH && parts.iter().all(is_narrow),
        Filter::Compare { op, value, .. } => {
            *op == crate::scim::Comparison::Eq && matches!(value, crate::scim::Literal::String(_))
        }
        Filter::Complex { filter, .. } => is_narrow(filter),
        Filter::Not(_) | Filter::Present(_) => false,
    }
}

fn sort_key(resource: &Resource, path: &AttributePath) -> Option<Value> {
    let values = resource.values(path);
    let first = values.first().copied()?;
    match first {
        Value::Object(element) => element.get("value").cloned(),
        plain => Some(plain.clone()),
    }
}

fn sorts_exactly(parts: &[Part<'_>]) -> bool {
    let paths = parts.iter().filter_map(|part| part.mapping.schema.resolve(part.query.sort_by.as_ref()?));
    paths.map(|(_, attribute)| attribute.case_exact).reduce(|one, other| one && other).unwrap_or(false)
}

fn check_carried(parts: &[Part<'_>]) -> Result<(), Fault> {
    let filtered = parts.iter().filter_map(|part| Some(part.mapping.carried(part.query.filter.as_ref()?)));
    let carried: Vec<Vec<(AttributePath, bool)>> = filtered.collect();
    let Some((first, others)) = carried.split_first() else { return Ok(()) };
    let nowhere = first
        .iter()
        .enumerate()
        .find(|(at, (_, here))| !here && !others.iter().any(|other| other.get(*at).is_some_and(|(_, there)| *there)));
    nowhere.map_or(Ok(()), |(_, (path, _))| {
        let detail = format!("The filter asks for {path}, which no kind of resource has in this mapping. Add a row for it to the mapping table.");
        Err(Fault::Request(scim::Fault::new(scim::FaultKind::InvalidFilter, detail)))
    })
}

/// Resources without the attribute come last in ascending order (RFC 7644 section 3.4.2.3).
fn compare(one: &Candidate, other: &Candidate, order: SortOrder, exact: bool) -> Ordering {
    let by_key = match (&one.key, &other.key) {
        (Some(one), Some(other)) => compare_values(one, other, exact),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let by_key = if order == SortOrder::Descending { by_key.reverse() } else { by_key };
    by_key.then_with(|| one.id.cmp(&other.id))
}

fn compare_values(one: &Value, other: &Value, exact: bool) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) if exact => one.cmp(other),
        (Value::String(one), Value::String(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
    }
}
