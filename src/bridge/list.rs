//! Lists: one page of what matches, by its number (RFC 7644 section 3.4.2.4) or by a cursor (RFC 9865).
//!
//! What matches is found whole, as ids in their order, before a page is cut from it. The ids of a list that is longer
//! than its page are kept for the next one.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::mapping::ResourceMapping;
use crate::scim::{Query, Resource, ResourceKind};

use super::read::{Found, shows_members};
use super::snapshot::{Cursor, Id, Question};
use super::{Carrier, Fault};

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The resources of this page with their kinds, not yet projected.
    pub resources: Vec<(ResourceKind, Resource)>,
    /// How many match in all.
    pub total: usize,
    /// The 1-based index of the first one.
    pub start_index: usize,
    /// The cursor of the next page, where the client pages by cursor and there is one.
    pub next: Option<String>,
    /// The cursor of the page before.
    pub previous: Option<String>,
}

/// What is asked of one kind.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub kind: ResourceKind,
    pub mapping: &'a ResourceMapping,
    pub query: &'a Query,
}

/// Everything that matches.
#[derive(Default)]
pub(super) struct Listing {
    /// All of it, in its order.
    pub ids: Vec<Id>,
    /// What had to be read to find it.
    pub found: HashMap<Id, Found>,
}

impl Carrier {
    /// One page of what matches, of one kind or of several. With several kinds each has the query in the terms of its
    /// own schema; page and order are those of the first.
    pub async fn list(&self, asked: &[(ResourceKind, Query)]) -> Result<Page, Fault> {
        let parts = asked.iter().map(|(kind, query)| Ok(Part { kind: *kind, mapping: self.mapping(*kind)?, query }));
        let parts = parts.collect::<Result<Vec<Part<'_>>, Fault>>()?;
        match parts.first().and_then(|part| part.query.cursor.as_deref()) {
            None => self.page_by_index(&parts).await,
            Some("") => self.first_page(&parts).await,
            Some(cursor) => self.page_by_cursor(&parts, Cursor::parse(cursor)?).await,
        }
    }

    async fn page_by_index(&self, parts: &[Part<'_>]) -> Result<Page, Fault> {
        let snapshots = &self.inner.snapshots;
        let start_index = parts.first().map_or(1, |part| part.query.start_index);
        let (skip, count) = (start_index - 1, self.page_size(parts));
        let answer = |resources, total| Page { resources, total, start_index, next: None, previous: None };
        if skip > 0
            && let Some(ids) = snapshots.recall(&question(parts))
        {
            let page = cut(&ids, skip, count);
            let resources = self.fetch(parts, page, HashMap::new()).await?;
            // Nothing where there should be something: a client that counts up to the total would go on for ever.
            if page.is_empty() || !resources.is_empty() {
                return Ok(answer(resources, ids.len()));
            }
            snapshots.forget(&question(parts));
        }
        let mark = snapshots.mark();
        let listing = self.matching(parts).await?;
        let resources = self.fetch(parts, cut(&listing.ids, skip, count), listing.found).await?;
        let total = listing.ids.len();
        if count > 0 && skip.saturating_add(count) < total {
            snapshots.keep_for_index(mark, question(parts), compact(listing.ids));
        }
        Ok(answer(resources, total))
    }

    /// The first of a sequence of pages by cursor. One that is the whole list needs no cursor.
    async fn first_page(&self, parts: &[Part<'_>]) -> Result<Page, Fault> {
        let listing = self.matching(parts).await?;
        let (total, count) = (listing.ids.len(), self.page_size(parts));
        let resources = self.fetch(parts, cut(&listing.ids, 0, count), listing.found).await?;
        // A page of no size asks for the total alone: there is no next one.
        let next = if count > 0 && count < total {
            let first = self.inner.snapshots.keep_for_cursor(question(parts), compact(listing.ids))?;
            first.moved_to(count).map(Cursor::to_text)
        } else {
            None
        };
        Ok(Page { resources, total, start_index: 1, next, previous: None })
    }

    async fn page_by_cursor(&self, parts: &[Part<'_>], cursor: Cursor) -> Result<Page, Fault> {
        let ids = self.inner.snapshots.open(cursor, &question(parts))?;
        let at = usize::try_from(cursor.at).unwrap_or(usize::MAX);
        let count = self.page_size(parts);
        let resources = self.fetch(parts, cut(&ids, at, count), HashMap::new()).await?;
        let text_at = |at: usize| cursor.moved_to(at).map(Cursor::to_text);
        let behind = at.saturating_add(count);
        Ok(Page {
            resources,
            total: ids.len(),
            start_index: at.saturating_add(1),
            next: if count > 0 && behind < ids.len() { text_at(behind) } else { None },
            previous: if count > 0 && at > 0 { text_at(at.saturating_sub(count)) } else { None },
        })
    }

    fn page_size(&self, parts: &[Part<'_>]) -> usize {
        let asked = parts.first().and_then(|part| part.query.count);
        asked.unwrap_or(usize::MAX).min(self.inner.policy.max_results)
    }

    /// The resources with these ids, in the same order; what is gone meanwhile is left out.
    async fn fetch(
        &self,
        parts: &[Part<'_>],
        ids: &[Id],
        mut found: HashMap<Id, Found>,
    ) -> Result<Vec<(ResourceKind, Resource)>, Fault> {
        let mut placed = Vec::with_capacity(ids.len());
        for Part { kind, mapping, query } in parts {
            let own = || ids.iter().enumerate().filter(|(_, id)| id.kind() == *kind);
            let missing: Vec<_> = own().filter(|(_, id)| !found.contains_key(*id)).map(|(_, id)| id.text()).collect();
            let missing: Vec<&str> = missing.iter().map(AsRef::as_ref).collect();
            let attributes = mapping.attributes(self.dialect(), &query.projection);
            for entry in self.entries_by_ids(mapping, &missing, &attributes).await? {
                let read = self.read(mapping, entry, shows_members(&query.projection))?;
                found.insert(Id::new(*kind, &read.reading.id), read);
            }
            let chosen = own().filter_map(|(at, id)| Some((at, found.remove(id)?)));
            let (positions, chosen): (Vec<usize>, Vec<Found>) = chosen.unzip();
            let resources = self.finish_all(mapping, chosen).await?;
            placed.extend(positions.into_iter().zip(resources).map(|(at, resource)| (at, (*kind, resource))));
        }
        placed.sort_unstable_by_key(|(at, _)| *at);
        Ok(placed.into_iter().map(|(_, resource)| resource).collect())
    }
}

/// The part of a list that a page shows.
fn cut(ids: &[Id], skip: usize, count: usize) -> &[Id] {
    let page: Range<usize> = skip.min(ids.len())..skip.saturating_add(count).min(ids.len());
    ids.get(page).unwrap_or_default()
}

fn compact(mut ids: Vec<Id>) -> Arc<Vec<Id>> {
    ids.shrink_to_fit();
    Arc::new(ids)
}

/// What the list answers, apart from the page and from what is shown of each resource.
fn question(parts: &[Part<'_>]) -> Question {
    let plain = parts.iter().all(|Part { query, .. }| query.filter.is_none() && query.sort_by.is_none());
    let mut text = String::new();
    for Part { query, .. } in parts {
        for clause in [query.filter.as_ref().map(ToString::to_string), query.sort_by.as_ref().map(ToString::to_string)]
        {
            text.push_str(&clause.unwrap_or_default());
            text.push('\n');
        }
        text.push_str(if query.sort_order == crate::scim::SortOrder::Ascending { "up\n" } else { "down\n" });
    }
    Question { kinds: parts.iter().map(|part| part.kind).collect(), text, plain }
}
