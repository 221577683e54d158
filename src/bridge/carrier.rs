//! Who carries an intent out: reads what must be read, lets [`crate::mapping`] plan the change, carries the plan out
//! on a [`Target`], and reads what came of it.

use std::sync::{Arc, OnceLock};

use crate::directory::{Dialect, Dn, FaultKind, Kept, SchemaView};
use crate::mapping::{Delete, Mapping, ResourceMapping, WriteMode};
use crate::scim::ResourceKind;

use super::change::Change;
use super::group_names::{Owed, Touched};
use super::lookups::LookUps;
use super::outage::{Departure, Leaver};
use super::snapshot::Effect;
use super::target::Target;
use super::unmet::LeftOut;
use super::{Action, Fault, Intent, Policy, Receipt, VersionMatch, account, numbers, order, places, protect, snapshot};

/// Carries the intents of one tenant out on one target. Cheap to clone.
#[derive(Clone)]
pub(super) struct Carrier {
    pub inner: Arc<Inner>,
}

/// An intent, as far as it matters to who carries it out.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// What to do.
    pub action: &'a Action,
    /// The versions that may be changed.
    pub if_match: Option<&'a VersionMatch>,
    /// Whether the receipt has to hold the resource.
    pub answer: bool,
}

impl<'a> From<&'a Intent> for Errand<'a> {
    fn from(Intent { kind, action, if_match, answer, .. }: &'a Intent) -> Self {
        Self { kind: *kind, action, if_match: if_match.as_ref(), answer: *answer }
    }
}

/// What is known of an intent before it is carried out.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// The id that was given out for what is to be created.
    pub id: Option<String>,
    /// It was begun before and nobody knows how far it came: what is there as it was planned is its own work.
    pub started: bool,
    /// Where the entry was when the client asked; others may refer to it by that name.
    pub home: Option<Dn>,
    /// Where it was when those intents were asked for that are carried out together with it.
    pub later_homes: Vec<Dn>,
    /// How far it comes.
    pub progress: Arc<Headway>,
}

/// How far an intent came, for whoever goes on with it when the directory goes away in the middle.
#[derive(Debug, Default)]
pub(super) struct Headway {
    /// The entry was made.
    pub made: OnceLock<()>,
    /// Where the entry was before it was renamed or deleted, which may have happened.
    home: OnceLock<Dn>,
    /// Who notes that on disk, where nobody else knows of the intent.
    leaver: Option<Leaver>,
    departure: OnceLock<Option<Arc<Departure>>>,
}

impl Headway {
    /// What notes on disk that the entry leaves its name, for as long as it is kept.
    pub fn kept(&self) -> Option<Kept> {
        let departure = self.departure.get()?.clone()?;
        Some(departure)
    }

    /// Of an intent that `leaver` would leave its name by.
    pub fn of(leaver: Option<Leaver>) -> Self {
        Self { leaver, ..Self::default() }
    }

    /// Where the entry was before it was renamed or deleted, which may have happened.
    pub fn home(&self) -> Option<&Dn> {
        self.home.get()
    }

    /// The entry is about to be renamed or deleted.
    pub fn leaves(&self, home: &Dn) {
        if self.home.set(home.clone()).is_ok() {
            self.departure.get_or_init(|| self.leaver.as_ref()?.leaves(home).map(Arc::new));
        }
    }
}

/// How a change is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The versions that may be changed.
    pub if_match: Option<&'a VersionMatch>,
    /// Whether the receipt has to hold the resource.
    pub answer: bool,
    /// Where the entry was before.
    pub home: Option<&'a Dn>,
    /// Where it was later on, before it was asked for the rest of the change.
    pub later_homes: &'a [Dn],
    /// Takes note of the users whose groups change.
    pub touched: &'a Touched,
    /// Takes note of the references that mean nothing yet.
    pub left_out: &'a LeftOut,
    /// How far it comes.
    pub progress: &'a Headway,
}

pub(super) struct Inner {
    pub mapping: Arc<Mapping>,
    pub target: Target,
    pub policy: Policy,
    pub guard: protect::Guard,
    pub locks: order::Locks,
    pub places: places::Places,
    pub lookups: LookUps,
    pub numbers: numbers::Numbers,
    /// Users whose attribute could not be brought up to date.
    pub owed_names: Arc<Owed>,
    pub schema: OnceLock<SchemaView>,
    pub snapshots: snapshot::Snapshots,
    pub accounts: account::Accounts,
}

impl Carrier {
    pub fn new(mapping: Arc<Mapping>, target: Target, policy: Policy, snapshots: snapshot::Snapshots) -> Self {
        let inner = Inner {
            mapping,
            target,
            guard: protect::Guard::new(Arc::clone(&policy.protect)),
            policy,
            locks: order::Locks::default(),
            places: places::Places::default(),
            lookups: LookUps::default(),
            numbers: numbers::Numbers::default(),
            owed_names: Arc::default(),
            schema: OnceLock::new(),
            snapshots,
            accounts: account::Accounts::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Carries an intent out. `earlier` is what is known of it from before.
    pub async fn apply(&self, intent: Intent, earlier: &Earlier) -> Result<Receipt, Fault> {
        self.apply_noting((&intent).into(), earlier, &LeftOut::default()).await
    }

    /// The same; `left_out` takes note of references that mean nothing yet.
    pub async fn apply_noting(
        &self,
        errand: Errand<'_>,
        earlier: &Earlier,
        left_out: &LeftOut,
    ) -> Result<Receipt, Fault> {
        let mapping = self.mapping(errand.kind)?;
        let goes = if let Action::Delete { id } = errand.action { Some(id) } else { None };
        let touched = Touched::new(&self.inner.owed_names);
        let outcome = self.carry(mapping, errand, earlier, (&touched, left_out)).await;
        let effect = match &outcome {
            // What was given out before may stand in lists by either of its ids.
            Ok(Receipt::Created(_)) if earlier.id.is_some() => Effect::Unknown,
            Ok(Receipt::Created(resource)) => Effect::of_new(mapping.kind, resource),
            Ok(Receipt::Updated(_) | Receipt::Changed) => Effect::Changed,
            Ok(Receipt::Deleted) if mapping.delete == Delete::Disable => Effect::Changed,
            Ok(Receipt::Deleted) => Effect::of_gone(mapping.kind, goes.map(String::as_str)),
            // A write whose outcome is unknown may have been carried out.
            Err(_) => Effect::Unknown,
        };
        self.inner.snapshots.written(mapping.kind, effect);
        self.follow_up(outcome, touched).await
    }

    async fn carry(
        &self,
        mapping: &ResourceMapping,
        errand: Errand<'_>,
        earlier: &Earlier,
        (touched, left_out): (&Touched, &LeftOut),
    ) -> Result<Receipt, Fault> {
        let Errand { action, if_match, answer, .. } = errand;
        let (home, progress) = (earlier.home.as_ref(), &earlier.progress);
        let later_homes = earlier.later_homes.as_slice();
        let asked = Asked { if_match, answer, home, later_homes, touched, left_out, progress };
        match action {
            Action::Create(resource) => self.create(mapping, resource, earlier, asked).await,
            Action::Replace { id, resource } => {
                self.update(mapping, id, Change::replace(mapping, resource), asked).await
            }
            Action::Patch { id, patch } => {
                let patch = self.spelt_out(mapping, id, patch).await?;
                self.update(mapping, id, Change::patch(mapping, &patch)?, asked).await
            }
            Action::Delete { id } => self.delete(mapping, id, asked).await,
        }
    }

    /// The part of the table for this kind, where it is served.
    pub fn mapping(&self, kind: ResourceKind) -> Result<&ResourceMapping, Fault> {
        let mapping = match kind {
            ResourceKind::User => Some(&self.inner.mapping.user),
            ResourceKind::Group => self.inner.mapping.group.as_ref().filter(|_| self.inner.policy.groups),
        };
        mapping.ok_or(Fault::NotServed(kind))
    }

    pub fn dialect(&self) -> &'static Dialect {
        self.inner.target.dialect()
    }

    /// Whether nobody wants to know what a write makes of the entry.
    pub fn is_blind(&self, asked: Asked<'_>) -> bool {
        !asked.answer && asked.if_match.is_none() && !self.inner.target.is_watched()
    }

    /// Whether nobody knows what came of a write, and somebody else will find out.
    pub fn gives_up(&self, fault: &crate::directory::Fault) -> bool {
        self.inner.policy.hands_over && fault.kind == FaultKind::UnknownOutcome
    }

    /// `meta.location` of a resource.
    pub fn location(&self, kind: ResourceKind, id: &str) -> String {
        let base = &self.inner.policy.base_url;
        let endpoint = kind.endpoint();
        let mut location = String::with_capacity(base.len() + endpoint.len() + id.len() + 2);
        for part in [base, "/", endpoint, "/", id] {
            location.push_str(part);
        }
        location
    }

    pub fn mode(&self, creating: bool) -> WriteMode {
        WriteMode { creating, password_sync: self.inner.policy.password_sync }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
    pub fn fault(&self, fault: crate::directory::Fault) -> Fault {
        Fault::of_directory(&fault, self.inner.policy.retry_after)
    }
}
