//! First passwords: a new account is enabled only when it has one.
//!
//! Where the server takes a password in the add, all of it is one operation that is carried out whole or not at all.
//! Microsoft documents unicodePwd as an attribute that is only modified, never added with the entry, though servers
//! take it; one that does not, says that it is unwilling. Then, and where a password is set by an operation of its own,
//! the entry is added without a password (and disabled, where a disabled account is one that a password enables), gets
//! its password, and is enabled last. If the password is refused the entry goes again. If the connection dies in
//! between, the entry is remembered, and the repeated request finishes it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::directory::{self, Change, Dn, Entry, FaultKind as Kind, Modification, ModifyOptions, PasswordWay};
use crate::directory::{AttributeName, Password};
use crate::mapping::{InitialPassword, NewEntry, NewPassword, ResourceMapping, Update};

use super::create::{Attributes, Birth, Made, Refusal};
use super::{Carrier, Fault};

/// Accounts whose making was cut short, at most.
const REMEMBERED: usize = 10_000;

/// What is known of accounts that are being made.
#[derive(Default)]
pub(super) struct Accounts {
    /// Entries without their password, and the id of each.
    unfinished: Mutex<HashMap<Dn, String>>,
    /// The server takes no password in an add.
    apart: AtomicBool,
}

impl Accounts {
    pub fn unfinished(&self, dn: &Dn) -> Option<String> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).get(dn).cloned()
    }

    pub fn is_unfinished(&self, dn: &Dn) -> bool {
        self.unfinished(dn).is_some()
    }

    fn note(&self, dn: &Dn, id: String) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        if unfinished.len() >= REMEMBERED {
            unfinished.clear();
        }
        unfinished.insert(dn.clone(), id);
    }

    fn forget(&self, dn: &Dn) {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).remove(dn);
    }
}

impl Carrier {
    /// Makes the entry, with its first password where there is one.
    pub(super) async fn give_birth(&self, mut birth: Birth<'_>) -> Result<Entry, Fault> {
        let mapping = birth.mapping;
        let password = match (birth.plan.password.take(), mapping.initial_password) {
            (None, InitialPassword::Random) => Some(made_up()?),
            (password, _) => password,
        };
        let Some(password) = password else { return self.without_password(birth).await };
        let together = match password.way(self.dialect()) {
            PasswordWay::Attribute(attribute) if !self.inner.accounts.apart.load(Ordering::Relaxed) => Some(attribute),
            _ => None,
        };
        let mut unwilling = false;
        if let Some(attribute) = together {
            let secret = self.password_values(mapping, &password.secret, &attribute);
            let whole = |plan: &NewEntry| [plan.attributes.clone(), secret.clone()].concat();
            match self.add(&mut birth, &whole).await {
                Ok(Made::New(entry)) => return Ok(entry),
                Ok(Made::Earlier(entry)) => return self.complete_account(&birth, &password, entry).await,
                Err(Refusal::Raw(fault)) if fault.kind == Kind::UnwillingToPerform => {
                    tracing::debug!(%fault, "no password in the add, trying step by step");
                    unwilling = true;
                }
                Err(refusal) => return Err(self.told(refusal)),
            }
        }
        let bare = |plan: &NewEntry| mapping.held_back(&plan.attributes);
        let (Made::New(entry) | Made::Earlier(entry)) =
            self.add(&mut birth, &bare).await.map_err(|refusal| self.told(refusal))?;
        let entry = self.complete_account(&birth, &password, entry).await?;
        if unwilling {
            self.inner.accounts.apart.store(true, Ordering::Relaxed);
        }
        Ok(entry)
    }

    async fn without_password(&self, mut birth: Birth<'_>) -> Result<Entry, Fault> {
        let mapping = birth.mapping;
        let missing = mapping.initial_password == InitialPassword::Missing;
        let attributes = |plan: &NewEntry| {
            if missing { mapping.held_back(&plan.attributes) } else { plan.attributes.clone() }
        };
        let made = self.add(&mut birth, &attributes).await.map_err(|refusal| self.told(refusal))?;
        let (Made::New(entry) | Made::Earlier(entry)) = made;
        if missing && birth.plan.attributes != attributes(&birth.plan) {
            tracing::warn!(
                entry = %entry.dn,
                "the account is created disabled, because it has no password: initial_password is \"none\""
            );
        }
        Ok(entry)
    }

    fn told(&self, refusal: Refusal) -> Fault {
        match refusal {
            Refusal::Raw(fault) => self.fault(fault),
            Refusal::Told(fault) => fault,
        }
    }

    /// Gives an entry that this intent made what it still lacks.
    async fn complete_account(&self, birth: &Birth<'_>, password: &NewPassword, entry: Entry) -> Result<Entry, Fault> {
        let (mapping, dn) = (birth.mapping, &birth.plan.dn);
        let enables = mapping.enables(&entry, &birth.plan.attributes);
        let is_active = mapping.disable.as_ref().is_some_and(|disable| disable.is_active(&entry));
        if password.way(self.dialect()) != PasswordWay::Operation && mapping.holds_back() && is_active {
            // A lost attempt came to its end: what is enabled has its password.
            self.inner.accounts.forget(dn);
            return Ok(entry);
        }
        let accounts = &self.inner.accounts;
        accounts.note(dn, mapping.id.of(&entry).unwrap_or_default());
        match self.finish_account(mapping, &entry, password, enables).await {
            Ok(()) => accounts.forget(dn),
            Err(fault) if fault.is_transient() => return Err(self.fault(fault)),
            Err(fault) => {
                self.take_back(dn).await;
                return Err(self.fault(fault));
            }
        }
        self.entry_at(dn, self.all_attributes(mapping)).await
    }

    async fn finish_account(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        password: &NewPassword,
        enables: bool,
    ) -> Result<(), directory::Fault> {
        self.set_first_password(mapping, &entry.dn, password).await?;
        let by_itself = password.way(self.dialect()) == PasswordWay::Operation;
        let modifications = match (enables, by_itself) {
            (true, _) => mapping.plan_enable(entry),
            (false, true) => mapping.stay_disabled(entry),
            (false, false) => Vec::new(),
        };
        self.inner.target.modify(&entry.dn, &modifications, &ModifyOptions::default()).await.map(drop)
    }

    /// Sets the password of an account that has none, and where the table wants it, that it must be changed.
    async fn set_first_password(
        &self,
        mapping: &ResourceMapping,
        dn: &Dn,
        password: &NewPassword,
    ) -> Result<(), directory::Fault> {
        let way = password.way(self.dialect());
        let PasswordWay::Attribute(attribute) = &way else {
            return self.inner.target.set_password(dn, &password.secret, &way).await;
        };
        let values = self.password_values(mapping, &password.secret, attribute);
        let replace = |(name, values)| Modification::new(name, Change::Replace(values));
        let modifications: Vec<Modification> = values.into_iter().map(replace).collect();
        self.inner.target.modify(dn, &modifications, &ModifyOptions::default()).await.map(drop)
    }

    /// The attributes that a first password comes down to.
    fn password_values(&self, mapping: &ResourceMapping, secret: &Password, attribute: &AttributeName) -> Attributes {
        let mut values = vec![(attribute.clone(), vec![secret.value_for(attribute)])];
        if let Some((name, value)) = self.dialect().must_change.as_ref().filter(|_| mapping.must_change) {
            values.push((name.clone(), vec![value.as_bytes().to_vec()]));
        }
        values
    }

    /// An entry whose password was refused goes again, so that the request can be repeated with a better one.
    async fn take_back(&self, dn: &Dn) {
        match self.inner.target.delete(dn).await {
            Ok(()) => self.inner.accounts.forget(dn),
            Err(fault) if fault.kind == Kind::NotFound => self.inner.accounts.forget(dn),
            Err(fault) => tracing::error!(entry = %dn, %fault, "an account without password could not be taken back"),
        }
    }

    /// An account can't be enabled because the rules for passwords forbid it. Where a password is at hand it is set
    /// by itself first; where the table says that accounts without one stay disabled, it stays. `update` is then what
    /// is left to do. `false`: nothing can be done about it.
    pub(super) async fn mend_account(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        update: &mut Update,
    ) -> Result<bool, directory::Fault> {
        let account = mapping.disable.as_ref().and_then(crate::mapping::Disable::attribute);
        let is_account = |modification: &Modification| Some(&modification.attribute) == account.as_ref();
        if !mapping.holds_back() || !update.modifications.iter().any(is_account) {
            return Ok(false);
        }
        let password = match (update.password.take(), mapping.initial_password) {
            (None, InitialPassword::Random) => made_up().ok(),
            (password, _) => password,
        };
        if let Some(password) = password {
            self.set_first_password(mapping, &entry.dn, &password).await?;
        } else {
            update.modifications.retain(|modification| !is_account(modification));
            tracing::warn!(
                entry = %entry.dn,
                "the account stays disabled, because it has no password: initial_password is \"none\""
            );
        }
        Ok(true)
    }
}

fn made_up() -> Result<NewPassword, Fault> {
    let secret = Password::random();
    let secret = secret.ok_or_else(|| Fault::Directory("The system gives no random numbers.".to_owned()))?;
    Ok(NewPassword { secret, attribute: None })
}
