//! The shadow: a model of the tenant's part of the directory in the store, entry by entry, with the operations of LDAP
//! and their result codes (RFC 4511 section 4).
//!
//! A [`Shadow`] lives for one job of the store: it sees and changes the model as if it were alone, and what it changed
//! is kept or undone with the job. A fault of the store ends the operation with a transient fault and is remembered in
//! the [`Run`], because not every caller can pass it on.
//!
//! | file | does |
//! |---|---|
//! | `shape` | what the table and the server say |
//! | `key`, `record`, `rules` | entries as the store keeps them, and how values are compared |
//! | `find`, `evaluate`, `links` | searches |
//! | `write`, `change` | add, modify, rename, delete |
//! | `pins` | what owed items have changed |
//! | `learn`, `echo`, `fill`, `latest`, `sweep`, `reread` | what comes from the directory |
//! | `left` | names that were left meanwhile |
//! | `backlog`, `notes` | echoes that are kept until there is time for them |

mod backlog;
mod change;
mod echo;
mod evaluate;
mod fill;
mod find;
mod follow;
mod key;
mod latest;
mod learn;
mod left;
mod links;
mod notes;
mod pins;
mod record;
mod reread;
mod rules;
mod run;
mod shape;
mod sweep;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;

pub(in crate::bridge) use backlog::{Backlog, note};
pub(in crate::bridge) use echo::Echo;
pub(in crate::bridge) use fill::{FillFault, count, fill, filled_at, is_filled, refresh};
pub(in crate::bridge) use learn::Learned;
pub(in crate::bridge) use left::Left;
pub(in crate::bridge) use pins::unpin;
pub(in crate::bridge) use reread::{forget_made, read_again, reread};
pub(in crate::bridge) use run::Run;
pub(in crate::bridge) use shape::Shape;
pub(in crate::bridge) use sweep::sweep;

use self::record::Kinds;
use self::rules::{Rule, Rules};
use crate::directory::{AttributeName, Dialect, Dn, Entry, Fault, FaultKind, SchemaView};
use crate::store::{self, Session, StoreFault, Stored};

/// The mark that holds what is known of the server's schema.
const SCHEMA: &str = "shadow schema";

/// The shadow in one job of the store. Cheap to clone.
#[derive(Clone)]
pub(in crate::bridge) struct Shadow {
    session: Session,
    shape: Arc<Shape>,
    rules: Arc<Rules>,
    run: Arc<Run>,
    /// When what is done now was done in truth, in milliseconds since 1970, if that is some time ago.
    back_then: Option<i64>,
}

/// An entry with what the store knows of it.
#[derive(Debug, Clone)]
struct Doc {
    row: i64,
    /// When it was last written, in milliseconds since 1970.
    stamp: i64,
    kinds: Kinds,
    /// Without what is kept as links.
    entry: Entry,
}

/// Why an operation ended.
#[derive(Debug)]
enum Stop {
    /// As the directory would have refused it.
    Refused(Fault),
    /// The store can't do its part.
    Store(StoreFault),
}

impl From<StoreFault> for Stop {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl Stop {
    /// A refusal with a result code of RFC 4511 appendix A.
    fn refused(kind: FaultKind, code: u32, message: String) -> Self {
        Self::Refused(Fault { code: Some(code), ..Fault::new(kind, message) })
    }

    fn missing(dn: &Dn) -> Self {
        Self::refused(FaultKind::NotFound, 32, format!("the shadow has no entry {dn}"))
    }
}

impl Shadow {
    /// The shadow of `shape` in the job of `session`. A job that may write finds all in it that the directory is known
    /// to have done; whoever only reads sees to that before ([`Backlog::catch_up`]).
    pub fn open(session: Session, shape: &Arc<Shape>) -> Result<Self, StoreFault> {
        let shadow = Self::behind(session, shape)?;
        if shadow.session.writes() && shape.backlog.is_behind() {
            shadow.work_in(usize::MAX)?;
        }
        Ok(shadow)
    }

    /// The same, and nothing is worked in.
    fn behind(session: Session, shape: &Arc<Shape>) -> Result<Self, StoreFault> {
        let remembered = session.mark(&shape.space, SCHEMA)?.unwrap_or_default();
        let rules = shape.rules(remembered);
        Ok(Self { session, shape: Arc::clone(shape), rules, run: Arc::default(), back_then: None })
    }

    /// When what is done is done, in milliseconds since 1970.
    fn now(&self) -> i64 {
        self.back_then.unwrap_or_else(now)
    }

    /// The same as servers stamp entries.
    fn time_stamp(&self) -> Vec<u8> {
        let then = self.back_then.and_then(|then| Timestamp::from_millisecond(then).ok());
        written_time(then.unwrap_or_else(Timestamp::now))
    }

    /// What was done and seen since it was opened.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// How servers of this kind speak.
    pub fn dialect(&self) -> &'static Dialect {
        self.shape.dialect
    }

    /// The name of this target, for logs.
    pub fn name(&self) -> &str {
        &self.shape.name
    }

    /// As much of the server's schema as was remembered the last time that it was there.
    pub fn schema(&self) -> Result<SchemaView, Fault> {
        let unknown = || Fault::new(FaultKind::Other, "the schema of the server was never read");
        self.rules.schema().cloned().ok_or_else(unknown)
    }

    /// Takes a fault of the store down.
    fn told<T>(&self, outcome: Result<T, Stop>) -> Result<T, Fault> {
        outcome.map_err(|stop| match stop {
            Stop::Refused(fault) => fault,
            Stop::Store(fault) => {
                let told = Fault::new(FaultKind::Busy, fault.to_string());
                self.run.note_fault(fault);
                told
            }
        })
    }

    fn rule(&self, attribute: &AttributeName) -> Rule {
        self.rules.rule(&self.shape, attribute)
    }

    fn doc_at(&self, dn: &Dn) -> Result<Option<Doc>, StoreFault> {
        let stored = self.session.document(&self.shape.space, &key::of(dn))?;
        stored.as_ref().map(doc).transpose()
    }
}

fn doc(stored: &Stored) -> Result<Doc, StoreFault> {
    record::read(stored).ok_or_else(|| StoreFault {
        kind: store::FaultKind::Corrupt,
        detail: "a record of the shadow in the store can't be read: stop the service, move the store away and start \
                 it again, when nothing is owed"
            .to_owned(),
    })
}

/// The name under which the values of `attribute` are found in the store.
fn field(attribute: &AttributeName) -> String {
    let mut name = String::from("=");
    name.push_str(attribute.as_str());
    name.make_ascii_lowercase();
    name
}

/// Now, in milliseconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn written_time(at: Timestamp) -> Vec<u8> {
    at.strftime("%Y%m%d%H%M%SZ").to_string().into_bytes()
}
