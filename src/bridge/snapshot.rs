//! What long lists hold, remembered for a while: so that a client that reads one page by page reads one and the same
//! list, and a page deep inside it does not read the whole directory again (RFC 9865, RFC 7644 section 3.4.2.4).
//!
//! Only ids are kept, and only in memory. A client that comes back too late is told so, and begins again.

mod id;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::Fault;
use crate::scim::{self, FaultKind, ResourceKind};

pub(super) use id::Id;

/// How long a cursor is good for after the page that named it.
pub(crate) const CURSOR_TIMEOUT: Duration = Duration::from_mins(10);
/// How long pages are cut by number from a list that nobody asks for any more.
const INDEX_IDLE: Duration = Duration::from_secs(30);
/// How old a list may be that pages are cut from by number.
const INDEX_AGE: Duration = Duration::from_mins(5);
/// The most lists that are kept for one tenant.
const MOST: usize = 32;
/// The most memory they may take, in bytes; room for 2.5 million ids that are UUIDs.
const MOST_BYTES: usize = 64 << 20;
/// How often lists that are too old are thrown away.
const TIDY: Duration = Duration::from_mins(1);

/// The lists of one tenant.
#[derive(Clone)]
pub(super) struct Snapshots {
    store: Arc<Mutex<Store>>,
    /// Who looks after lists that are too old; not the threads of the store, which may keep lists as well.
    runtime: Option<Handle>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { store: Arc::default(), runtime: Handle::try_current().ok() }
    }
}

#[derive(Default)]
struct Store {
    /// In the order of their last use, the longest ago first.
    kept: Vec<Snapshot>,
    bytes: usize,
    /// How many writes there have been, for each kind.
    writes: [u64; 2],
    /// Whether somebody looks after lists that are too old.
    tended: bool,
}

struct Snapshot {
    purpose: Purpose,
    question: Question,
    ids: Arc<Vec<Id>>,
    bytes: usize,
    made: Instant,
    used: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Pages are named by this.
    Cursor(Uuid),
    /// Pages are named by their number.
    Index,
}

/// What a list answers: which kinds, by which filter, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The kinds of resource that were asked for.
    pub kinds: Vec<ResourceKind>,
    /// Filter and order, in one text that is the same for the same question.
    pub text: String,
}

/// How often the kinds of a question had been written to when its answer was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark([u64; 2]);

/// A page of a list that is kept: what a cursor means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    list: Uuid,
    /// The number of the first resource on the page, from 0.
    pub at: u32,
}

impl Cursor {
    /// The cursor of another page of the same list; `None` for one that no list reaches.
    pub fn moved_to(self, at: usize) -> Option<Self> {
        Some(Self { at: u32::try_from(at).ok()?, ..self })
    }

    /// The text that clients get, of characters that need no escaping in a URL.
    pub fn to_text(self) -> String {
        let mut bytes = self.list.as_bytes().to_vec();
        bytes.extend(self.at.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor that a text names, if any could.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let parsed = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (list, at) = bytes.split_first_chunk::<16>()?;
            Some(Self { list: Uuid::from_bytes(*list), at: u32::from_be_bytes(at.try_into().ok()?) })
        };
        parsed().ok_or_else(|| invalid("The cursor is none that this server gave out."))
    }
}

impl Snapshots {
    /// Before the directory is asked: what [`Self::keep_for_index`] needs to know later.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().writes)
    }

    /// Keeps a list for pages by number, unless its kinds were written to since `mark`.
    pub fn keep_for_index(&self, mark: Mark, question: Question, ids: Arc<Vec<Id>>) {
        let mut store = self.lock();
        if question.kinds.iter().any(|kind| writes(&store.writes, *kind) != writes(&mark.0, *kind)) {
            return;
        }
        store.kept_drop(|kept| kept.purpose == Purpose::Index && kept.question == question);
        store.keep(Purpose::Index, question, ids, Instant::now());
        self.tend(store);
    }

    /// The list that `question` was answered with a moment ago.
    pub fn recall(&self, question: &Question) -> Option<Arc<Vec<Id>>> {
        self.lock().find(|kept| kept.purpose == Purpose::Index && kept.question == *question, Instant::now())
    }

    /// Forgets a list that turned out to be out of date.
    pub fn forget(&self, question: &Question) {
        self.lock().kept_drop(|kept| kept.purpose == Purpose::Index && kept.question == *question);
    }

    /// Keeps a list for pages by cursor, and returns the cursor of its first page.
    pub fn keep_for_cursor(&self, question: Question, ids: Arc<Vec<Id>>) -> Result<Cursor, Fault> {
        let list = Uuid::new_v4();
        let mut store = self.lock();
        if !store.keep(Purpose::Cursor(list), question, ids, Instant::now()) {
            let detail =
                "More resources match than the server keeps for cursors. Narrow the filter, or page by startIndex.";
            return Err(Fault::Request(scim::Fault::new(FaultKind::TooMany, detail)));
        }
        self.tend(store);
        Ok(Cursor { list, at: 0 })
    }

    /// The list that `cursor` names a page of, which must answer `question`.
    pub fn open(&self, cursor: Cursor, question: &Question) -> Result<Arc<Vec<Id>>, Fault> {
        let mut store = self.lock();
        let is_it = |kept: &Snapshot| kept.purpose == Purpose::Cursor(cursor.list);
        if store.kept.iter().any(|kept| is_it(kept) && kept.question != *question) {
            return Err(invalid(
                "The cursor belongs to another query. Send it with the filter and the order it came with.",
            ));
        }
        let ids = store.find(is_it, Instant::now()).ok_or_else(expired)?;
        if usize::try_from(cursor.at).is_ok_and(|at| at < ids.len()) {
            Ok(ids)
        } else {
            Err(invalid("The cursor names a page behind the end of the list."))
        }
    }

    /// Notes that something of this kind was written: a page by number shows it from now on.
    pub fn written(&self, kind: ResourceKind) {
        let mut store = self.lock();
        if let Some(count) = store.writes.get_mut(place(kind)) {
            *count += 1;
        }
        store.kept_drop(|kept| kept.purpose == Purpose::Index && kept.question.kinds.contains(&kind));
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that what is kept goes away again, also when nobody asks for anything any more.
    fn tend(&self, mut store: MutexGuard<'_, Store>) {
        if let (Some(runtime), false) = (&self.runtime, store.tended) {
            store.tended = true;
            runtime.spawn(tidy(Arc::downgrade(&self.store)));
        }
    }
}

async fn tidy(store: Weak<Mutex<Store>>) {
    loop {
        tokio::time::sleep(TIDY).await;
        let Some(store) = store.upgrade() else { return };
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        store.drop_old(Instant::now());
        if store.kept.is_empty() {
            store.tended = false;
            return;
        }
    }
}

impl Store {
    /// Keeps a list, and throws away what was not used for the longest time where there is no room. False: the list
    /// alone is too large.
    fn keep(&mut self, purpose: Purpose, question: Question, ids: Arc<Vec<Id>>, now: Instant) -> bool {
        let bytes = size_of::<Snapshot>() + question.text.len() + ids.iter().map(Id::bytes).sum::<usize>();
        if bytes > MOST_BYTES {
            return false;
        }
        self.drop_old(now);
        while self.kept.len() >= MOST || self.bytes + bytes > MOST_BYTES {
            let oldest = self.kept.remove(0);
            self.bytes -= oldest.bytes;
        }
        self.bytes += bytes;
        self.kept.push(Snapshot { purpose, question, ids, bytes, made: now, used: now });
        true
    }

    fn find(&mut self, is_it: impl Fn(&Snapshot) -> bool, now: Instant) -> Option<Arc<Vec<Id>>> {
        self.drop_old(now);
        let at = self.kept.iter().position(is_it)?;
        let mut found = self.kept.remove(at);
        found.used = now;
        let ids = Arc::clone(&found.ids);
        self.kept.push(found);
        Some(ids)
    }

    fn drop_old(&mut self, now: Instant) {
        self.kept_drop(|kept| kept.is_old(now));
    }

    fn kept_drop(&mut self, goes: impl Fn(&Snapshot) -> bool) {
        self.kept.retain(|kept| !goes(kept));
        self.bytes = self.kept.iter().map(|kept| kept.bytes).sum();
    }
}

impl Snapshot {
    fn is_old(&self, now: Instant) -> bool {
        let (idle, age) = (now.saturating_duration_since(self.used), now.saturating_duration_since(self.made));
        match self.purpose {
            Purpose::Cursor(_) => idle > CURSOR_TIMEOUT,
            Purpose::Index => idle > INDEX_IDLE || age > INDEX_AGE,
        }
    }
}

const fn place(kind: ResourceKind) -> usize {
    match kind {
        ResourceKind::User => 0,
        ResourceKind::Group => 1,
    }
}

fn writes(counts: &[u64; 2], kind: ResourceKind) -> Option<u64> {
    counts.get(place(kind)).copied()
}

fn invalid(detail: &str) -> Fault {
    Fault::Request(scim::Fault::new(FaultKind::InvalidCursor, detail))
}

fn expired() -> Fault {
    let minutes = CURSOR_TIMEOUT.as_secs() / 60;
    let detail = format!(
        "The cursor is no longer known: it is good for {minutes} minutes, and not beyond a restart of the server. Begin \
         again with an empty cursor."
    );
    Fault::Request(scim::Fault::new(FaultKind::ExpiredCursor, detail))
}
