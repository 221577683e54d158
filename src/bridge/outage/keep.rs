//! Requests that the directory can't answer now: accepted, kept, and answered from the shadow.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::watch;

use crate::directory::{Directory, Dn};
use crate::mapping::{Mapping, ResourceMapping};
use crate::scim::{AttributePath, Projection, Query, Resource, ResourceKind};
use crate::store::seal::SealKey;
use crate::store::{Durability, Item, NewItem, Session, StoreFault};

use super::super::carrier::{Carrier, Earlier, Headway};
use super::super::list::Page;
use super::super::shadow::{Shadow, Shape};
use super::super::snapshot::Snapshots;
use super::super::target::{Live, Target};
use super::super::unmet::LeftOut;
use super::super::{Action, Answered, Fault, Intent, Policy, Receipt};
use super::leaving::Leaver;
use super::stored::{Owed, Unreadable, about, open};
use super::waiting::{Left, Turned};
use super::{Backstage, Echoes, Ledger, Progress};

/// What a tenant needs to go on while its directory is away. Cheap to clone.
#[derive(Clone)]
pub(in crate::bridge) struct Keep {
    pub ledger: Arc<Ledger>,
    pub shape: Arc<Shape>,
    pub mapping: Arc<Mapping>,
    pub policy: Policy,
    pub snapshots: Snapshots,
    /// What passwords that have to wait are sealed with.
    pub key: Option<SealKey>,
    /// The shadow has been filled, so that what it does not hold does not exist.
    pub filled: Arc<AtomicBool>,
    /// The shadow could not follow the directory.
    pub missed: Arc<AtomicBool>,
    /// How far the shadow follows the directory.
    pub progress: Arc<Progress>,
    /// What works in the background goes on as long as somebody holds this.
    _lifeline: Option<Arc<watch::Sender<()>>>,
}

impl Keep {
    /// What goes on for this tenant, and who works for it in the background.
    pub fn new(
        ledger: Arc<Ledger>,
        key: Option<SealKey>,
        mapping: &Arc<Mapping>,
        directory: &Directory,
        policy: &Policy,
        snapshots: &Snapshots,
    ) -> (Self, Backstage) {
        let (lifeline, stop) = watch::channel(());
        let shape = Shape::new(&ledger.tenant, directory.name(), mapping, directory.dialect(), policy.groups);
        let shape = shape.with_protect(&policy.protect).with_backlog(Arc::clone(&ledger.backlog));
        let missed = ledger.backlog.missed();
        let behind = Self {
            ledger,
            shape: Arc::new(shape),
            mapping: Arc::clone(mapping),
            policy: policy.clone(),
            snapshots: snapshots.clone(),
            key,
            filled: Arc::default(),
            missed,
            progress: Arc::default(),
            _lifeline: None,
        };
        let keep = Self { _lifeline: Some(Arc::new(lifeline)), ..behind.clone() };
        (keep, Backstage::new(behind, directory.clone(), stop))
    }

    /// The directory, by the ids that were given out.
    pub fn live(&self, directory: &Directory) -> Live {
        Live::new(directory.clone(), &self.mapping, Arc::clone(&self.ledger.aliases))
    }

    /// The same, with what it does repeated on the shadow.
    pub fn echoing(&self, directory: &Directory) -> Live {
        self.live(directory).echoing(Echoes::new(self.ledger.store.clone(), Arc::clone(&self.shape)))
    }

    /// How far an intent comes that the directory is to carry out at once.
    pub fn headway(&self, intent: &Intent) -> Arc<Headway> {
        let id = match &intent.action {
            Action::Create(_) => None,
            Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id } => Some(id.clone()),
        };
        let leaver = |id| Leaver { leaving: Arc::clone(&self.ledger.leaving), kind: intent.kind, id };
        Arc::new(Headway::of(id.map(leaver)))
    }

    /// Whether an intent may not overtake what is owed.
    pub fn has_to_wait(&self, intent: &Intent) -> bool {
        let ledger = &self.ledger;
        let own = || own_id(intent).is_some_and(|id| ledger.is_stuck(id));
        ledger.owes() || (ledger.has_stuck() && (own() || ids_in(intent).any(|id| ledger.lacks(id))))
    }

    /// Whether the shadow is closer to the truth than the directory: something is owed that the directory does not
    /// show yet.
    pub fn knows_better(&self, id: Option<&str>) -> bool {
        let stuck = || id.map_or_else(|| self.ledger.has_stuck(), |id| self.ledger.is_stuck(id));
        self.is_filled() && (self.ledger.owes() || stuck())
    }

    /// Whether what the shadow does not hold does not exist.
    pub fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire) && !self.ledger.backlog.is_blind()
    }

    /// Carries `intent` out on the shadow and puts it into the queue, both on disk before this returns.
    /// `begun`: the directory may have done a part of it.
    pub async fn accept(&self, intent: Intent, begun: Option<&Arc<Headway>>) -> Result<Answered, Fault> {
        if !self.is_filled() && matches!(intent.action, Action::Create(_)) {
            return Err(self.unknown());
        }
        self.catch_up().await?;
        let (this, begun) = (self.clone(), begun.cloned());
        let job = move |session: Session| async move { this.accept_in(&session, intent, begun, None).await };
        let outcome = self.ledger.store.write(Durability::Durable, job).await;
        let (receipt, number, turned) = outcome.map_err(|fault| self.truthful(fault))?;
        self.ledger.waiting.turn(turned);
        self.ledger.note_accepted(number);
        Ok(Answered { receipt, owed: Some(number) })
    }

    /// The same in a job of the store. `waited`: whom the reference waited for that it sets.
    pub(super) async fn accept_in(
        &self,
        session: &Session,
        intent: Intent,
        begun: Option<Arc<Headway>>,
        waited: Option<String>,
    ) -> Result<(Receipt, i64, Turned), Fault> {
        let (carrier, shadow) = self.carrier(session)?;
        // The shadow knows already what the directory is known to have done.
        let earlier = begun.as_deref().map(gone_before).unwrap_or_default();
        // The version was compared before the entry left its name. What was done since is this client's own.
        let if_match = intent.if_match.clone().filter(|_| earlier.home.is_none());
        let intent = Intent { if_match, ..intent };
        let home = match &earlier.home {
            Some(home) => Some(home.to_string()),
            None => self.home(&carrier, &intent).await?,
        };
        let left_out = LeftOut::default();
        let receipt = carrier.apply_noting((&intent).into(), &earlier, &left_out).await?;
        let id = match (&intent.action, &receipt) {
            (Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id }, _) => id.clone(),
            (Action::Create(_), Receipt::Created(resource)) => text(resource, "id"),
            (Action::Create(_), _) => String::new(),
        };
        let mentioned: Vec<String> = ids_in(&intent).map(ToOwned::to_owned).collect();
        let Intent { kind, action, origin, .. } = intent;
        let owed = Owed { kind, action, id, home, waits_for: waited };
        if let Some(fault) = shadow.run().fault() {
            return Err(fault.into());
        }
        let unmet = left_out.take();
        if owed.waits_for.is_some() && !unmet.is_empty() {
            return Err(self.refused("whom it refers to is gone again"));
        }
        // Who refers to somebody who is gone must not find him when the directory still has him.
        let mut seen = shadow.run().seen();
        seen.extend(shadow.leaving(&mentioned)?.into_iter().cloned());
        let item = NewItem {
            space: self.ledger.tenant.to_string(),
            resource: owed.id.clone(),
            touches: touches(&owed.id, &shadow.run().written(), &seen),
            payload: self.payload(&owed)?,
            asked_at: now(),
            asked_by: origin.by.to_string(),
            request: origin.request.to_string(),
            summary: summary(&owed),
        };
        let number = session.push(&item)?;
        if begun.is_some() {
            session.mark_started(&[number])?;
        }
        shadow.pin(number)?;
        let ended = self.ledger.waiting.ended_by(&owed.id, &owed.action, None);
        let left = Left { kind: owed.kind, id: owed.id, unmet, ended, since: number };
        let turned = self.turn_references(session, &left, &origin)?;
        tracing::info!(item = number, asked = item.summary, "accepted; owed to the directory");
        Ok((receipt, number, turned))
    }

    /// Where the entry of an intent is, as far as the shadow knows.
    async fn home(&self, carrier: &Carrier, intent: &Intent) -> Result<Option<String>, Fault> {
        let (Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id }) = &intent.action else {
            return Ok(None);
        };
        let mapping = carrier.mapping(intent.kind)?;
        let found = carrier.entry_by_id(mapping, id, vec![mapping.id.attribute.clone()]).await;
        match found {
            Ok(entry) => Ok(Some(entry.dn.to_string())),
            // The intent itself is answered for that.
            Err(Fault::NotFound { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn payload(&self, owed: &Owed) -> Result<Vec<u8>, Fault> {
        let mut owed = Cow::Borrowed(owed);
        if !self.policy.password_sync && owed.has_password() {
            owed.to_mut().forget_password();
        }
        let json = serde_json::to_vec(&owed.to_json()).map_err(|fault| Fault::Directory(fault.to_string()))?;
        if !owed.has_password() {
            return Ok(json);
        }
        let Some(key) = &self.key else {
            return Err(
                self.refused("a password would have to wait on the disk, and [store] has no key_file to seal it with")
            );
        };
        key.seal(&json, &about(&self.ledger.tenant, &owed.id)).map_err(|fault| self.refused(&fault.to_string()))
    }

    /// What an item of this tenant asks for.
    pub fn read_payload(&self, item: &Item) -> Result<Owed, Unreadable> {
        Owed::from_json(open(item, self.key.as_ref())?, |kind| self.mapping_of(kind))
    }

    fn refused(&self, why: &str) -> Fault {
        let detail = format!("The directory is away, and the change can't be kept until it is back: {why}.");
        Fault::Unavailable { detail, retry_after: self.policy.retry_after }
    }

    /// The resource with this id, with what is owed.
    pub async fn get(&self, kind: ResourceKind, id: &str, projection: &Projection) -> Result<Resource, Fault> {
        let (this, id, projection) = (self.clone(), id.to_owned(), projection.clone());
        let job = move |session: Session| async move { this.carrier(&session)?.0.get(kind, &id, &projection).await };
        self.read(job).await.map_err(|fault| self.truthful(fault))
    }

    /// One page of a list, with what is owed.
    pub async fn list(&self, asked: &[(ResourceKind, Query)]) -> Result<Page, Fault> {
        if !self.is_filled() {
            return Err(self.unknown());
        }
        let (this, asked) = (self.clone(), asked.to_vec());
        let job = move |session: Session| async move { this.carrier(&session)?.0.list(&asked).await };
        self.read(job).await
    }

    /// A job that reads the shadow.
    pub(super) async fn read<T, E, F, R>(&self, job: F) -> Result<T, E>
    where
        F: FnOnce(Session) -> R + Send + 'static,
        R: Future<Output = Result<T, E>>,
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        self.catch_up().await?;
        self.ledger.store.read(job).await
    }

    /// The part of the table for this kind, where it is served.
    pub fn mapping_of(&self, kind: ResourceKind) -> Option<&ResourceMapping> {
        match kind {
            ResourceKind::User => Some(&self.mapping.user),
            ResourceKind::Group => self.mapping.group.as_ref().filter(|_| self.policy.groups),
        }
    }

    pub(super) fn carrier(&self, session: &Session) -> Result<(Carrier, Shadow), StoreFault> {
        let shadow = Shadow::open(session.clone(), &self.shape)?;
        let target = Target::Shadow(shadow.clone());
        let carrier = Carrier::new(Arc::clone(&self.mapping), target, self.policy.clone(), self.snapshots.clone());
        Ok((carrier, shadow))
    }

    /// What a shadow that was never filled does not hold may exist all the same.
    fn truthful(&self, fault: Fault) -> Fault {
        match fault {
            Fault::NotFound { .. } | Fault::Request(_) if !self.is_filled() => self.unknown(),
            other => other,
        }
    }

    fn unknown(&self) -> Fault {
        Fault::Unavailable {
            detail: "The directory is away, and the bridge has not read all of it yet, or not since its mapping table \
                     was changed or its store was full, so it can't answer in its place. Ask again later."
                .to_owned(),
            retry_after: self.policy.retry_after,
        }
    }
}

/// What an intent finds that goes on where another attempt stopped.
fn gone_before(progress: &Headway) -> Earlier {
    let (started, home) = (progress.made.get().is_some(), progress.home().cloned());
    Earlier { started, home, ..Earlier::default() }
}

/// The id of the resource that an intent is about, if it has one.
fn own_id(intent: &Intent) -> Option<&str> {
    match &intent.action {
        Action::Create(_) => None,
        Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id } => Some(id),
    }
}

/// The ids that an intent is about: its own, and those that it refers to.
fn ids_in(intent: &Intent) -> impl Iterator<Item = &str> {
    let (own, values): (Option<&String>, Vec<&Value>) = match &intent.action {
        Action::Create(resource) => (None, resource.as_map().values().collect()),
        Action::Replace { id, resource } => (Some(id), resource.as_map().values().collect()),
        Action::Patch { id, patch } => (Some(id), patch.operations.iter().filter_map(|it| it.value.as_ref()).collect()),
        Action::Delete { id } => (Some(id), Vec::new()),
    };
    let mut ids: Vec<&str> = own.map(String::as_str).into_iter().collect();
    for value in values {
        texts_in(value, &mut ids);
    }
    ids.into_iter()
}

pub(super) fn texts_in<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| texts_in(value, texts)),
        Value::Object(values) => values.values().for_each(|value| texts_in(value, texts)),
        _ => {}
    }
}

/// The key by which intents for one resource take turns.
pub(in crate::bridge) fn turn_key(intent: &Intent, mapping: &ResourceMapping) -> String {
    match &intent.action {
        Action::Create(resource) => mapping.unique_key(resource),
        Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id } => id.clone(),
    }
}

/// What an item changes and refers to besides its own resource, as the queue keeps it.
fn touches(own: &str, written: &[String], seen: &[String]) -> Vec<String> {
    let others = written.iter().filter(|id| *id != own).map(|id| ["w:", id].concat());
    let referred = seen.iter().filter(|id| *id != own && !written.contains(id)).map(|id| ["r:", id].concat());
    others.chain(referred).collect()
}

/// One line that says what is asked, without the values of the request.
fn summary(owed: &Owed) -> String {
    let name = match &owed.action {
        Action::Create(resource) | Action::Replace { resource, .. } => {
            let name = text(resource, "userName");
            if name.is_empty() { text(resource, "displayName") } else { name }
        }
        Action::Patch { .. } | Action::Delete { .. } => {
            let home = owed.home.as_deref().and_then(|home| Dn::parse(home).ok()).and_then(|home| home.rdn());
            home.map(|rdn| rdn.to_string()).unwrap_or_default()
        }
    };
    let words = [owed.verb(), &owed.kind.name().to_lowercase(), &name];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

pub(super) fn text(resource: &Resource, attribute: &str) -> String {
    resource.text(&AttributePath::core(attribute)).map(Into::into).unwrap_or_default()
}

/// Milliseconds since 1970.
pub(super) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
