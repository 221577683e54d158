//! References to somebody who is not there yet: each is kept as an item that waits, and becomes an owed one as soon as
//! its words mean an entry of the shadow (docs/decisions/0015-late-references.md).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use futures_util::{StreamExt as _, stream};

use crate::mapping::{Mention, ResourceMapping, Unmet};
use crate::scim::{AttributePath, Op, Operation, Patch, PatchPath, ResourceKind};
use crate::store::{Durability, ItemQuery, NewItem, OwedItem, Session, State, StoreFault};

use super::super::carrier::Carrier;
use super::super::{Action, Fault, Intent, Origin, Receipt};
use super::keep::{Keep, now, texts_in};
use super::stored::Owed;

/// What stands before the words among what an item touches, and before the attribute.
const WORDS: &str = "t:";
const ATTRIBUTE: &str = "p:";
/// Waiting items that are looked at in one job.
const PAGE: usize = 500;
/// Items that become owed ones side by side, so that they share the way to the disk.
const SIDE_BY_SIDE: usize = 32;

/// A reference that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waits {
    /// The number of its item.
    pub number: i64,
    /// The id of the resource that refers.
    pub resource: String,
    /// The client's words in lower case.
    words: String,
    /// The attribute in lower case, without a sub-attribute.
    attribute: String,
}

/// The references that wait, by what may put an end to that.
#[derive(Debug, Default)]
pub(super) struct Waiting(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    all: HashMap<i64, Waits>,
    by_words: HashMap<String, BTreeSet<i64>>,
    by_resource: HashMap<String, BTreeSet<i64>>,
    /// Those that have only just begun to wait.
    new: Vec<i64>,
}

/// What an intent did to the references that wait.
#[derive(Debug, Default)]
pub(super) struct Turned {
    added: Vec<Waits>,
    ended: Vec<i64>,
}

impl Waits {
    fn new(number: i64, resource: &str, unmet: &Unmet) -> Self {
        let (words, attribute) = (unmet.text.to_lowercase(), stem(&unmet.path));
        Self { number, resource: resource.to_owned(), words, attribute }
    }

    /// As the queue keeps it.
    pub fn of(item: OwedItem) -> Option<Self> {
        let part = |mark: &str| item.touches.iter().find_map(|it| it.strip_prefix(mark)).map(ToOwned::to_owned);
        let (words, attribute) = (part(WORDS)?, part(ATTRIBUTE)?);
        (item.state == State::Waiting).then_some(Self {
            number: item.number,
            resource: item.resource,
            words,
            attribute,
        })
    }

    fn touches(&self) -> Vec<String> {
        vec![[WORDS, &self.words].concat(), [ATTRIBUTE, &self.attribute].concat()]
    }

    /// Whether an intent about the same resource says anew what the attribute is to be.
    fn is_ended_by(&self, action: &Action) -> bool {
        match action {
            Action::Create(_) => false,
            Action::Replace { .. } | Action::Delete { .. } => true,
            Action::Patch { patch, .. } => says(patch, &self.attribute),
        }
    }
}

impl Waiting {
    /// From now on these wait.
    pub fn add(&self, waits: impl IntoIterator<Item = Waits>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for waits in waits {
            known.by_words.entry(waits.words.clone()).or_default().insert(waits.number);
            known.by_resource.entry(waits.resource.clone()).or_default().insert(waits.number);
            known.all.insert(waits.number, waits);
        }
    }

    /// These don't wait any more.
    pub fn forget(&self, numbers: &[i64]) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        for number in numbers {
            let Some(gone) = known.all.remove(number) else { continue };
            for (index, key) in [(&mut known.by_words, &gone.words), (&mut known.by_resource, &gone.resource)] {
                if let Some(numbers) = index.get_mut(key) {
                    numbers.remove(number);
                    if numbers.is_empty() {
                        index.remove(key);
                    }
                }
            }
        }
    }

    /// What an intent did counts from now on.
    pub fn turn(&self, turned: Turned) {
        self.forget(&turned.ended);
        let added: Vec<i64> = turned.added.iter().map(|waits| waits.number).collect();
        self.add(turned.added);
        self.0.write().unwrap_or_else(PoisonError::into_inner).new.extend(added);
    }

    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).all.is_empty()
    }

    fn has(&self, number: i64) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).all.contains_key(&number)
    }

    /// Those whose words are among these, which are in lower case; and those that have only just begun to wait: whom they
    /// mean may have come in the same moment, and found nobody waiting.
    fn named(&self, words: &HashSet<String>) -> Vec<i64> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut found: BTreeSet<i64> = std::mem::take(&mut known.new).into_iter().collect();
        found.extend(words.iter().filter_map(|words| known.by_words.get(words)).flatten());
        found.into_iter().collect()
    }

    /// Those that an intent about a resource puts an end to.
    fn ended_by(&self, resource: &str, action: &Action) -> Vec<i64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(numbers) = known.by_resource.get(resource) else { return Vec::new() };
        let ended = |number: &&i64| known.all.get(number).is_some_and(|waits| waits.is_ended_by(action));
        numbers.iter().filter(ended).copied().collect()
    }
}

impl Keep {
    /// What an intent that the directory has carried out means for references: what it left out waits, and what it says
    /// anew waits no more. Returns when a killed process would not lose it.
    pub async fn note_references(&self, intent: &Intent, receipt: &Receipt, unmet: Vec<Unmet>) {
        let id = match (&intent.action, receipt) {
            (Action::Create(_), Receipt::Created(resource)) => super::keep::text(resource, "id"),
            (Action::Create(_), _) => return,
            (Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id }, _) => id.clone(),
        };
        if unmet.is_empty() && self.ledger.waiting.ended_by(&id, &intent.action).is_empty() {
            return;
        }
        let (this, intent) = (self.clone(), intent.clone());
        let job = move |session: Session| async move {
            let turned = this.turn_references(&session, (intent.kind, &id), &intent.action, &intent.origin, &unmet)?;
            Ok::<_, Fault>(turned)
        };
        match self.ledger.store.write(Durability::Soon, job).await {
            Ok(turned) => self.ledger.waiting.turn(turned),
            Err(fault) => tracing::error!(%fault, "a reference to somebody who is not there yet can't be kept"),
        }
    }

    /// The same in a job of the store.
    pub(super) fn turn_references(
        &self,
        session: &Session,
        (kind, id): (ResourceKind, &str),
        action: &Action,
        origin: &Origin,
        unmet: &[Unmet],
    ) -> Result<Turned, Fault> {
        let ended = self.ledger.waiting.ended_by(id, action);
        session.remove(&ended)?;
        let mut added = Vec::new();
        for unmet in unmet {
            let owed = Owed {
                kind,
                action: Action::Patch { id: id.to_owned(), patch: setting(unmet) },
                id: id.to_owned(),
                home: None,
                waits_for: Some(unmet.text.clone()),
            };
            let mut waits = Waits::new(0, id, unmet);
            let item = NewItem {
                space: self.ledger.tenant.to_string(),
                resource: id.to_owned(),
                touches: waits.touches(),
                payload: self.payload(&owed)?,
                asked_at: now(),
                asked_by: origin.by.to_string(),
                request: origin.request.to_string(),
                summary: format!("set {} of a {}", unmet.path.attribute, kind.name().to_lowercase()),
            };
            waits.number = session.push(&item)?;
            session.set_state(waits.number, State::Waiting, Some(&why(&unmet.text)), now())?;
            tracing::info!(item = waits.number, reference = unmet.text, "the reference waits until there is somebody");
            added.push(waits);
        }
        Ok(Turned { added, ended })
    }

    /// Makes owed what waited for somebody whom `intent` has made or named, and what has just begun to wait in vain.
    pub async fn meet(&self, intent: &Intent, receipt: &Receipt) {
        if self.ledger.waiting.is_empty() || !self.is_filled() {
            return;
        }
        let Some(mapping) = self.mapping_of(intent.kind) else { return };
        let mut words = words_in(&intent.action, mapping);
        if let Receipt::Created(resource) | Receipt::Updated(resource) = receipt {
            words.insert(super::keep::text(resource, "id").to_lowercase());
        }
        self.try_to_meet(self.ledger.waiting.named(&words)).await;
    }

    /// Looks for all that is waited for.
    pub async fn meet_all(&self) {
        let mut after = 0;
        while !self.ledger.waiting.is_empty() && self.is_filled() {
            let query = ItemQuery { state: Some(State::Waiting), ..self.ledger.query(after, PAGE) };
            let page = self.ledger.store.read(move |session: Session| async move { session.items(&query) }).await;
            let numbers: Vec<i64> = match page {
                Ok(page) => page.iter().map(|item| item.number).collect(),
                Err(fault) => return tracing::warn!(%fault, "the references that wait can't be read"),
            };
            let Some(last) = numbers.last() else { return };
            after = *last;
            self.try_to_meet(numbers).await;
        }
    }

    async fn try_to_meet(&self, numbers: Vec<i64>) {
        if numbers.is_empty() {
            return;
        }
        let this = self.clone();
        let job = move |session: Session| async move { this.met(&session, &numbers).await };
        match self.read(job).await {
            Ok(met) => {
                let promoted = met.into_iter().map(|(number, intended)| self.promote(number, intended));
                stream::iter(promoted).buffer_unordered(SIDE_BY_SIDE).collect::<()>().await;
            }
            Err(fault) => tracing::warn!(%fault, "the references that wait can't be looked up"),
        }
    }

    /// Those of these items whose words mean an entry of the shadow.
    async fn met(&self, session: &Session, numbers: &[i64]) -> Result<Vec<(i64, Intended)>, StoreFault> {
        let (carrier, _) = self.carrier(session)?;
        let (mut met, mut known) = (Vec::new(), HashMap::new());
        for number in numbers {
            let Some(item) = session.item(*number)? else {
                // A person has dropped it.
                self.ledger.waiting.forget(&[*number]);
                continue;
            };
            let Ok(owed) = self.read_payload(&item) else { continue };
            if item.state == State::Waiting && self.means_somebody(&carrier, &owed, &mut known).await {
                let origin = Origin { by: item.asked.asked_by.into(), request: item.asked.request.into() };
                met.push((*number, Intended { intent: Intent { origin, ..owed.intent() }, owed }));
            }
        }
        Ok(met)
    }

    async fn means_somebody(&self, carrier: &Carrier, owed: &Owed, known: &mut HashMap<Mention, bool>) -> bool {
        let (Some(mapping), Some(unmet)) = (self.mapping_of(owed.kind), set_by(owed)) else { return false };
        let Some(mention) = mapping.mention(&unmet) else { return false };
        if let Some(known) = known.get(&mention) {
            return *known;
        }
        // Words that mean several entries go on waiting: a guess would be somebody else's manager.
        let found = carrier.resolve(vec![mention.clone()]).await;
        let found = found.is_ok_and(|found| found.get(&mention).is_some());
        known.insert(mention, found);
        found
    }

    /// Makes an item that waited an owed one: it goes to the end of the queue, for it must come after whom it refers to.
    async fn promote(&self, number: i64, Intended { intent, owed }: Intended) {
        let _turn = self.ledger.turn(owed.id.clone()).await;
        if !self.ledger.waiting.has(number) {
            return;
        }
        let (this, waited) = (self.clone(), owed.waits_for.clone());
        let job = move |session: Session| async move {
            if session.remove(&[number])? == 0 {
                return Ok(None);
            }
            this.accept_in(&session, intent, None, waited).await.map(Some)
        };
        match self.ledger.store.write(Durability::Durable, job).await {
            Ok(accepted) => {
                self.ledger.waiting.forget(&[number]);
                if let Some((_, accepted, _)) = accepted {
                    tracing::info!(item = accepted, waited = number, "the reference is set, there is somebody now");
                    self.ledger.note_accepted(accepted);
                }
            }
            Err(Fault::NotFound { .. }) => self.drop_waiting(number).await,
            Err(fault) => tracing::warn!(item = number, %fault, "a reference that waited can't be set"),
        }
    }

    /// The resource that refers is gone.
    async fn drop_waiting(&self, number: i64) {
        let job = move |session: Session| async move { session.remove(&[number]) };
        match self.ledger.store.write(Durability::Soon, job).await {
            Ok(_) => self.ledger.waiting.forget(&[number]),
            Err(fault) => tracing::warn!(%fault, "a reference of a resource that is gone can't be dropped"),
        }
    }

    /// An owed item that had waited found nobody in the directory: it waits again, unless something that came later is
    /// still to be done for its resource.
    pub(super) fn wait_again(&self, session: &Session, waits: &Waits) -> Result<(), StoreFault> {
        let later = ItemQuery { resource: Some(waits.resource.clone()), ..self.ledger.query(waits.number, 1) };
        if session.items(&later)?.is_empty() {
            let words = why(&waits.words);
            session.set_state(waits.number, State::Waiting, Some(&words), now()).map(drop)
        } else {
            session.remove(&[waits.number]).map(drop)
        }
    }
}

/// An item that waited, and the intent that it has become.
struct Intended {
    intent: Intent,
    owed: Owed,
}

/// What an item that had waited waits for if it has to wait again.
pub(super) fn waits(number: i64, owed: &Owed) -> Option<Waits> {
    set_by(owed).map(|unmet| Waits::new(number, &owed.id, &unmet))
}

/// The words in an intent that may be names of its resource, in lower case. Those that refer to others are not.
fn words_in(action: &Action, mapping: &ResourceMapping) -> HashSet<String> {
    let mut texts = Vec::new();
    let mut others: HashSet<String> = HashSet::new();
    match action {
        Action::Create(resource) | Action::Replace { resource, .. } => {
            resource.as_map().values().for_each(|value| texts_in(value, &mut texts));
            others = mapping.mentions(resource).into_iter().map(|mention| mention.text.to_lowercase()).collect();
        }
        Action::Patch { patch, .. } => {
            let refers = |path: &AttributePath| mapping.references().any(|own| stem(own) == stem(path));
            let named = |operation: &&Operation| !matches!(&operation.path, Some(PatchPath::Attribute { path, .. }) if refers(path));
            let values = patch.operations.iter().filter(named).filter_map(|operation| operation.value.as_ref());
            values.for_each(|value| texts_in(value, &mut texts));
        }
        Action::Delete { .. } => {}
    }
    texts.into_iter().map(str::to_lowercase).filter(|text| !others.contains(text)).collect()
}

/// Whether a patch says to whom a single reference leads. Who can't be found leaves the attribute as it was
/// (docs/decisions/0006-references.md); so what an earlier patch has made of it must be there by then.
pub(super) fn says_reference(patch: &Patch, mapping: &ResourceMapping) -> bool {
    mapping.references().any(|path| says(patch, &stem(path)))
}

/// Whether a patch says something about an attribute, which is in lower case.
fn says(patch: &Patch, attribute: &str) -> bool {
    patch.operations.iter().any(|operation| match &operation.path {
        Some(PatchPath::Attribute { path, .. }) => stem(path) == attribute,
        Some(PatchPath::Extension(urn)) => {
            attribute.strip_prefix(&urn.to_lowercase()).is_some_and(|rest| rest.starts_with(':'))
        }
        None => true,
    })
}

/// The patch that sets a reference.
fn setting(unmet: &Unmet) -> Patch {
    let path = PatchPath::Attribute { path: unmet.path.clone(), filter: None };
    let value = Some(unmet.text.clone().into());
    Patch { operations: vec![Operation { op: Op::Replace, path: Some(path), value }] }
}

/// The reference that an item sets, if it does only that.
fn set_by(owed: &Owed) -> Option<Unmet> {
    let text = owed.waits_for.clone()?;
    match owed.patch()?.operations.first()?.path.as_ref()? {
        PatchPath::Attribute { path, .. } => Some(Unmet { path: path.clone(), text }),
        PatchPath::Extension(_) => None,
    }
}

fn stem(path: &AttributePath) -> String {
    AttributePath { sub: None, ..path.clone() }.to_string().to_lowercase()
}

fn why(text: &str) -> String {
    format!("{text:?} means nobody yet; it is set as soon as there is somebody")
}

#[cfg(test)]
mod tests;
