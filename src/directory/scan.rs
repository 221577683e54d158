//! Searches of any size, read page by page (RFC 2696).

use std::ops::ControlFlow;
use std::time::Instant;

use ldap3::controls::PagedResults;

use super::connection;
use super::entry::Entry;
use super::fault::Fault;
use super::handle::{Directory, trace};
use super::operation::{Answer, Broken, Operation, Search};
use super::pool::Lease;
use super::{decode, ranges};

/// What a search finds, page by page. Each is asked for when it is wanted, so that whoever works slowly does not pile up
/// what the server is quick to tell.
pub struct Pages<'a> {
    directory: &'a Directory,
    search: Search,
    next: Next<'a>,
}

/// What is asked next.
enum Next<'a> {
    First,
    /// The page behind this cookie, on the same connection. The server remembers where it stopped, so a connection that is
    /// left here is not used again.
    Behind(Lease<'a>, Vec<u8>),
    Nothing,
}

impl<'a> Pages<'a> {
    pub(super) fn new(directory: &'a Directory, search: Search) -> Self {
        Self { directory, search, next: Next::First }
    }

    /// The next page; `None` behind the last one.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        let (lease, answer) = match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => return Ok(None),
            Next::First => first_page(self.directory, &self.search).await?,
            Next::Behind(mut lease, cookie) => {
                let answer = page(self.directory, &self.search, &mut lease, cookie).await?;
                (lease, answer)
            }
        };
        let cookie = decode::page_cookie(&answer.result).unwrap_or_default();
        if cookie.is_empty() {
            lease.give_back();
        } else {
            self.next = Next::Behind(lease, cookie);
        }
        let mut entries = answer.entries;
        if self.directory.dialect().ranged_values {
            entries = ranges::complete(self.directory, &self.search, entries).await?;
        }
        Ok(Some(entries))
    }
}

/// Passes every entry that `search` finds to `each`, until that has seen enough.
pub(super) async fn scan(
    directory: &Directory,
    search: &Search,
    each: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send),
) -> Result<(), Fault> {
    let mut pages = Pages::new(directory, search.clone());
    while let Some(entries) = pages.next().await? {
        for entry in entries {
            if each(entry).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A connection that waited for a scan may have died; before the first entry, that is no fault yet.
async fn first_page<'a>(directory: &'a Directory, search: &Search) -> Result<(Lease<'a>, Answer), Fault> {
    let mut lease = directory.pool.lease().await?;
    let operation = operation(directory, search, &lease, Vec::new());
    let started = Instant::now();
    let mut outcome = lease.connection.perform(&operation, directory.limit()).await;
    if matches!(outcome, Err(Broken::NotSent | Broken::Lost)) {
        drop(lease);
        lease = directory.pool.fresh_lease().await?;
        outcome = lease.connection.perform(&operation, directory.limit()).await;
    }
    let outcome = directory.judge(&operation, &lease.connection, outcome);
    trace(&operation, &outcome, started);
    Ok((lease, outcome?))
}

async fn page(directory: &Directory, search: &Search, lease: &mut Lease<'_>, cookie: Vec<u8>) -> Result<Answer, Fault> {
    let operation = operation(directory, search, lease, cookie);
    let started = Instant::now();
    let outcome = lease.connection.perform(&operation, directory.limit()).await;
    let outcome = directory.judge(&operation, &lease.connection, outcome);
    trace(&operation, &outcome, started);
    outcome
}

fn operation<'a>(directory: &Directory, search: &'a Search, lease: &Lease<'_>, cookie: Vec<u8>) -> Operation<'a> {
    let mut operation = connection::search(search, directory.limit());
    if let Operation::Search { page, .. } = &mut operation
        && lease.connection.server.has_paged_results()
    {
        let size = i32::try_from(directory.pool.settings.page_size.max(1)).unwrap_or(i32::MAX);
        *page = Some(PagedResults { size, cookie });
    }
    operation
}
