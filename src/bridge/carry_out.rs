//! How the plan of a change becomes operations of the directory, in their order, and what is taken back when one of them is
//! refused.

use crate::directory::{
    self, AttributeName, Change as LdapChange, Dn, Entry, Filter, Modification, ModifyOptions, PasswordWay,
};
use crate::mapping::{MemberDelta, Members, NewPassword, ResourceMapping, Update};

use super::Carrier;
use super::membership::Beside;
use super::places::Place;

impl Carrier {
    /// Carries out a change that may enable an account for which the rules for passwords are not met yet.
    pub(super) async fn carry_out_account(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        update: &mut Update,
        read_back: &[AttributeName],
        unchanged: Option<Filter>,
    ) -> Result<Option<Entry>, directory::Fault> {
        match self.carry_out(mapping, entry, update, read_back, unchanged.clone()).await {
            Err(fault) if fault.is_password_policy() && self.mend_account(mapping, entry, update).await? => {
                self.carry_out(mapping, entry, update, read_back, unchanged).await
            }
            outcome => outcome,
        }
    }

    /// Rename first, for that is where conflicts show, then the modifications. If those are refused, the old name
    /// comes back: a request is carried out whole or not at all. Returns the entry as it is now, if it changed and
    /// anything of it is to be read back.
    pub(super) async fn carry_out(
        &self,
        mapping: &ResourceMapping,
        entry: &Entry,
        update: &Update,
        read_back: &[AttributeName],
        unchanged: Option<Filter>,
    ) -> Result<Option<Entry>, directory::Fault> {
        let directory = &self.inner.target;
        let now = update.renamed(&entry.dn);
        let mut answer = None;
        if update.is_empty() {
            return Ok(None);
        }
        let (mut modifications, by_itself) = self.with_password(update);
        if let Some((password, way)) = &by_itself {
            // A password is what servers refuse most; then nothing else is done.
            directory.set_password(&entry.dn, &password.secret, way).await?;
            let disabled = mapping.stay_disabled(entry);
            if !disabled.iter().any(|mark| modifications.iter().any(|other| other.attribute == mark.attribute)) {
                modifications.extend(disabled);
            }
        }
        if let Some(rename) = &update.rename {
            answer = directory.rename(&entry.dn, &rename.rdn, rename.parent.as_ref(), read_back).await?;
        }
        if !modifications.is_empty() {
            // The rename or the password itself changed what there would be to compare.
            let assertion = unchanged.filter(|_| update.rename.is_none() && by_itself.is_none());
            let options = ModifyOptions { read_back: read_back.to_vec(), assertion, permissive: false };
            match directory.modify(&now, &modifications, &options).await {
                Ok(entry) => answer = entry,
                Err(fault) if update.rename.is_some() && !fault.is_transient() => {
                    self.rename_back(&entry.dn, &now).await;
                    return Err(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        if let (Some(_), Some(id)) = (&update.rename, mapping.id.of(entry)) {
            self.inner.places.forget(&id);
        }
        match answer {
            Some(entry) => Ok(Some(entry)),
            None if read_back.is_empty() => Ok(None),
            None => self.search_entry(&now, read_back.to_vec()).await.map(Some),
        }
    }

    /// The same for a group whose members change as well, by one modify as far as that can hold it.
    pub(super) async fn carry_out_together(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        place: &mut Place,
        update: &Update,
        (id, delta, mut beside): (&str, MemberDelta, Beside),
    ) -> Result<Option<Entry>, directory::Fault> {
        let was = place.dn.clone();
        self.inner.places.forget(id);
        if let Some(rename) = &update.rename {
            self.inner.target.rename(&was, &rename.rdn, rename.parent.as_ref(), &[]).await?;
            place.dn = update.renamed(&was);
            // The rename itself changed what there would be to compare.
            beside.assertion = None;
        }
        let outcome = self.apply_together(mapping, members, place, id, (delta, beside)).await;
        if let (Err(fault), Some(_)) = (&outcome, &update.rename)
            && !fault.is_transient()
        {
            self.rename_back(&was, &place.dn).await;
        }
        outcome
    }

    /// The modifications of an update, with the password where it is set like any attribute; otherwise the password
    /// and how it is set.
    fn with_password<'u>(&self, update: &'u Update) -> (Vec<Modification>, Option<(&'u NewPassword, PasswordWay)>) {
        let mut modifications = update.modifications.clone();
        let Some(password) = &update.password else { return (modifications, None) };
        match password.way(self.dialect()) {
            PasswordWay::Attribute(attribute) => {
                let change = LdapChange::Replace(vec![password.secret.value_for(&attribute)]);
                modifications.insert(0, Modification::new(attribute, change));
                (modifications, None)
            }
            way @ PasswordWay::Operation => (modifications, Some((password, way))),
        }
    }

    async fn rename_back(&self, old: &Dn, now: &Dn) {
        let (Some(rdn), parent) = (old.rdn(), old.parent()) else { return };
        if let Err(fault) = self.inner.target.rename(now, &rdn, parent.as_ref(), &[]).await {
            tracing::error!(entry = %now, wanted = %old, %fault, "the old name could not be restored");
        } else if let Err(fault) = self.tidy(now, Some(old)).await {
            tracing::error!(entry = %old, %fault, "references to the entry by a name that it had for a moment may be left");
        }
    }
}
