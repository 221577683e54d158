//! References to somebody who is not there yet, and memberships of users whose own item waits for a person: each is kept
//! as an item that waits, and becomes an owed one as soon as its words mean an entry of the shadow that the directory has,
//! too (docs/decisions/0015-late-references.md).

mod index;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, stream};

use crate::mapping::{Mention, Unmet};
use crate::scim::ResourceKind;
use crate::store::{Durability, ItemQuery, NewItem, Session, State, StoreFault};

use super::super::carrier::Carrier;
use super::super::shadow;
use super::super::{Action, Fault, Intent, Origin, Receipt};
use super::keep::{Keep, now};
use super::stored::Owed;
pub(super) use index::{Turned, Waiting, Waits};
pub(super) use words::says_reference;

/// Waiting items that are looked at in one job.
const PAGE: usize = 500;
/// Items that become owed ones side by side, so that they share the way to the disk.
const SIDE_BY_SIDE: usize = 32;

impl Keep {
    /// What an intent that the directory has carried out means for references: what it left out waits, and what it says
    /// anew waits no more. Returns when a killed process would not lose it.
    pub async fn note_references(&self, intent: &Intent, receipt: &Receipt, unmet: Vec<Unmet>) {
        let id = match (&intent.action, receipt) {
            (Action::Create(_), Receipt::Created(resource)) => super::keep::text(resource, "id"),
            (Action::Create(_), _) => return,
            (Action::Replace { id, .. } | Action::Patch { id, .. } | Action::Delete { id }, _) => id.clone(),
        };
        let ended = self.ledger.waiting.ended_by(&id, &intent.action, None);
        if unmet.is_empty() && ended.is_empty() {
            return;
        }
        let (this, origin) = (self.clone(), intent.origin.clone());
        let left = Left { kind: intent.kind, id, unmet, ended, since: 0 };
        let job = move |session: Session| async move { this.turn_references(&session, &left, &origin) };
        match self.ledger.store.write(Durability::Soon, job).await {
            Ok(turned) => self.ledger.waiting.turn(turned),
            Err(fault) => tracing::error!(%fault, "a reference to somebody who is not there yet can't be kept"),
        }
    }

    /// The same in a job of the store.
    pub(super) fn turn_references(
        &self,
        session: &Session,
        left: &Left,
        origin: &Origin,
    ) -> Result<Turned, StoreFault> {
        session.remove(&left.ended)?;
        let mut added = Vec::new();
        for unmet in &left.unmet {
            let owed = Owed {
                kind: left.kind,
                action: Action::Patch { id: left.id.clone(), patch: words::setting(unmet) },
                id: left.id.clone(),
                home: None,
                waits_for: Some(unmet.text.clone()),
            };
            let waits = Waits::new(&left.id, unmet, left.since);
            // What was accepted to wait is left out once more when the item is carried out.
            if left.since > 0 && self.ledger.waiting.covers(&waits) {
                continue;
            }
            let item = NewItem {
                space: self.ledger.tenant.to_string(),
                resource: left.id.clone(),
                touches: waits.touches(),
                // There is no password in it.
                payload: owed.to_json().to_string().into_bytes(),
                asked_at: now(),
                asked_by: origin.by.to_string(),
                request: origin.request.to_string(),
                summary: format!("set {} of a {}", unmet.path.attribute, left.kind.name().to_lowercase()),
            };
            let number = session.push(&item)?;
            session.set_state(number, State::Waiting, Some(&words::why(unmet)), now())?;
            tracing::info!(item = number, reference = unmet.text, "the reference waits until there is somebody");
            added.push(waits.numbered(number));
        }
        Ok(Turned { added, ended: left.ended.clone() })
    }

    /// What an owed item has left out waits, and what it says anew waits no more, in the job of the store that takes the
    /// item out of the queue. The shadow had shown it; it is read again.
    pub(super) fn leave_references(&self, session: &Session, left: &Left) -> Result<Option<Turned>, StoreFault> {
        let Some(item) = session.item(left.since)? else { return Ok(None) };
        let origin = Origin { by: item.asked.asked_by.into(), request: item.asked.request.into() };
        if !left.unmet.is_empty() {
            shadow::reread(session, &self.ledger.tenant, &left.id, false)?;
            self.missed.store(true, Ordering::Release);
        }
        self.turn_references(session, left, &origin).map(Some)
    }

    /// That counts from now on.
    pub(super) fn settle_references(&self, turned: Turned) {
        self.ledger.waiting.settle(turned);
    }

    /// Makes owed what waited for somebody whom `intent` has made or named, and what has just begun to wait in vain.
    pub async fn meet(&self, intent: &Intent, receipt: &Receipt) {
        if self.ledger.waiting.is_empty() || !self.is_filled() {
            return;
        }
        let Some(mapping) = self.mapping_of(intent.kind) else { return };
        let mut words = words::words_in(&intent.action, mapping);
        if let Receipt::Created(resource) | Receipt::Updated(resource) = receipt {
            words.insert(super::keep::text(resource, "id").to_lowercase());
        }
        self.try_to_meet(self.ledger.waiting.named(&words)).await;
    }

    /// The words by which others may wait for what an owed item has made or changed; none where nobody waits.
    pub(super) fn words_of(&self, owed: &Owed) -> HashSet<String> {
        let mapping = self.mapping_of(owed.kind).filter(|_| !self.ledger.waiting.is_empty());
        let mut words = mapping.map(|mapping| words::words_in(&owed.action, mapping)).unwrap_or_default();
        if mapping.is_some() && matches!(owed.action, Action::Create(_)) {
            words.insert(owed.id.to_lowercase());
        }
        words
    }

    /// Makes owed what waited for any of these words.
    pub(super) async fn meet_named(&self, words: HashSet<String>) {
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

    /// Whether there is whom an item waits for, also in the directory: not only in an item that waits for a person.
    async fn means_somebody(&self, carrier: &Carrier, owed: &Owed, known: &mut HashMap<Mention, bool>) -> bool {
        let (Some(mapping), Some(unmet)) = (self.mapping_of(owed.kind), words::set_by(owed)) else { return false };
        if let Some(members) = mapping.members.as_ref().filter(|_| words::is_membership(&unmet)) {
            let found = carrier.member_values(members, std::slice::from_ref(&unmet.text)).await;
            return !self.ledger.lacks(&unmet.text) && found.is_ok_and(|found| !found.is_empty());
        }
        let Some(mention) = mapping.mention(&unmet) else { return false };
        if let Some(known) = known.get(&mention) {
            return *known;
        }
        // Words that mean several entries go on waiting: a guess would be somebody else's manager.
        let found = carrier.meant(&mention).await;
        let found = found.is_ok_and(|id| id.is_some_and(|id| !self.ledger.lacks(&id)));
        known.insert(mention, found);
        found
    }

    /// Makes an item that waited an owed one: it goes to the end of the queue, for it must come after whom it refers to.
    async fn promote(&self, number: i64, Intended { intent, owed }: Intended) {
        let _turn = self.ledger.turn(owed.id.clone()).await;
        let Some(waits) = self.ledger.waiting.get(number) else { return };
        let (this, waited) = (self.clone(), owed.waits_for.clone());
        let job = move |session: Session| async move {
            if session.remove(&[number])? == 0 || this.is_overtaken(&session, &waits)? {
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

    /// Whether something that was accepted later, and is still owed, says otherwise: the reference, as the last item of
    /// the queue, must not come after it.
    fn is_overtaken(&self, session: &Session, waits: &Waits) -> Result<bool, StoreFault> {
        let later = ItemQuery { resource: Some(waits.resource.clone()), ..self.ledger.query(waits.since, usize::MAX) };
        let items = session.items(&later)?;
        let mut owed =
            items.iter().filter(|item| item.state != State::Waiting).filter_map(|it| self.read_payload(it).ok());
        Ok(owed.any(|owed| waits.is_ended_by(&owed.action)))
    }

    /// The resource that refers is gone.
    async fn drop_waiting(&self, number: i64) {
        let job = move |session: Session| async move { session.remove(&[number]) };
        match self.ledger.store.write(Durability::Soon, job).await {
            Ok(_) => self.ledger.waiting.forget(&[number]),
            Err(fault) => tracing::warn!(%fault, "a reference of a resource that is gone can't be dropped"),
        }
    }
}

/// An item that waited, and the intent that it has become.
struct Intended {
    intent: Intent,
    owed: Owed,
}

/// What an intent means for the references of its resource.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub kind: ResourceKind,
    /// The id of the resource.
    pub id: String,
    /// Those that could not be resolved.
    pub unmet: Vec<Unmet>,
    /// The items of those that wait no more.
    pub ended: Vec<i64>,
    /// The number of its item; 0: it was carried out at once.
    pub since: i64,
}

#[cfg(test)]
mod tests;
