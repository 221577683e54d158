//! What owed items have changed: entries that must not be refreshed from the directory until the items are done, and
//! names that somebody owes it to the directory to leave.

use std::collections::BTreeSet;

use super::{Shadow, field, now};
use crate::store::{Document, Session, StoreFault, Stored};

/// The list of the items that hold a document.
const OWED: &str = "owed";
/// The field of a tombstone with the ids of those who stood there.
const ID: &str = "id";
/// Between the ids in a tombstone.
const BREAK: &str = "\n";

impl Shadow {
    /// Ties all that this run wrote to `item`: see [`Shadow::is_pinned`]. Names that were left stay reserved.
    pub fn pin(&self, item: i64) -> Result<(), StoreFault> {
        let item = number(item);
        for row in self.run.rows() {
            self.session.add_links(row, OWED, std::slice::from_ref(&item))?;
        }
        for (key, ids) in self.run.vacated() {
            if self.session.document(&self.shape.space, &key)?.is_none() {
                let row = self.bury(&key, &ids)?;
                self.session.add_links(row, OWED, std::slice::from_ref(&item))?;
            }
        }
        Ok(())
    }

    /// Unties all that `item` holds: it is done, or it was dropped. What the directory is asked from now on counts.
    pub fn unpin(&self, item: i64) -> Result<(), StoreFault> {
        unpin(&self.session, item)
    }

    /// Unties what `item` holds besides the resource with this SCIM id. Whether there was anything.
    pub fn hold_only(&self, item: i64, id: &str) -> Result<bool, StoreFault> {
        let number = number(item);
        let mut own = Vec::new();
        for document in self.of_resource(id)? {
            if self.session.has_link(document.row, OWED, &number)? {
                own.push(document.row);
            }
        }
        let held = self.session.remove_everywhere(OWED, &number, now())?;
        for row in &own {
            self.session.add_links(*row, OWED, std::slice::from_ref(&number))?;
        }
        Ok(held > own.len())
    }

    /// Whether an owed item holds this document.
    pub fn is_pinned(&self, row: i64) -> Result<bool, StoreFault> {
        Ok(!self.session.first_links(row, OWED, 1)?.is_empty())
    }

    /// Whether an owed item holds the resource with this SCIM id, or a name that it has left.
    pub(super) fn is_held(&self, id: &str) -> Result<bool, StoreFault> {
        for document in self.of_resource(id)? {
            if self.is_pinned(document.row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entry of the resource with this SCIM id, and the tombstones at names that it has left.
    fn of_resource(&self, id: &str) -> Result<Vec<Stored>, StoreFault> {
        let mut documents = self.session.with_field(&self.shape.gone(), ID, id.as_bytes())?;
        for part in self.shape.parts() {
            let Some(value) = part.id.value(id) else { continue };
            let form = self.rule(&part.id.attribute).form(&value);
            documents.extend(self.session.with_field(&self.shape.space, &field(&part.id.attribute), &form)?);
        }
        Ok(documents)
    }

    /// Leaves a tombstone at a name.
    pub(super) fn bury(&self, key: &[u8], ids: &BTreeSet<String>) -> Result<i64, StoreFault> {
        let mut all = ids.clone();
        if let Some(grave) = self.session.document(&self.shape.gone(), key)? {
            all.extend(buried(&grave));
        }
        let fields = all.iter().map(|id| (ID.to_owned(), id.as_bytes().to_vec())).collect();
        let body = all.into_iter().collect::<Vec<_>>().join(BREAK).into_bytes();
        self.session.put(&self.shape.gone(), &Document { key: key.to_vec(), body, fields, stamp: self.now() })
    }

    /// Whoever takes a name that somebody still has to leave waits for them.
    pub(super) fn note_entered(&self, key: &[u8]) -> Result<(), StoreFault> {
        if let Some(grave) = self.session.document(&self.shape.gone(), key)?
            && self.is_pinned(grave.row)?
        {
            self.run.note_seen(buried(&grave));
        }
        Ok(())
    }

    /// Whether an entry that was read at `asked_at` has left since: by an owed item, or later than it was read.
    pub(super) fn has_left(&self, key: &[u8], id: &str, asked_at: i64) -> Result<bool, StoreFault> {
        let gone = self.shape.gone();
        let mut graves = self.session.with_field(&gone, ID, id.as_bytes())?;
        graves.extend(self.session.document(&gone, key)?);
        for grave in graves {
            if grave.stamp > asked_at || self.is_pinned(grave.row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those of these ids whose owners are gone or moved by owed items: in the directory they may still be where they were.
    pub fn leaving<'i>(&self, ids: &'i [String]) -> Result<Vec<&'i String>, StoreFault> {
        let gone = self.shape.gone();
        let mut leaving = Vec::new();
        // Mostly nobody has left.
        if self.session.with_prefix(&gone, &[], None, 1)?.is_empty() {
            return Ok(leaving);
        }
        for id in ids {
            for grave in self.session.with_field(&gone, ID, id.as_bytes())? {
                if self.is_pinned(grave.row)? {
                    leaving.push(id);
                    break;
                }
            }
        }
        Ok(leaving)
    }

    /// Forgets the tombstones that nothing is owed for, of those who left before `stamp`.
    pub(super) fn forget_graves(&self, stamp: i64) -> Result<(), StoreFault> {
        for grave in self.session.with_prefix(&self.shape.gone(), &[], None, usize::MAX)? {
            if grave.stamp < stamp && !self.is_pinned(grave.row)? {
                self.session.delete(grave.row)?;
            }
        }
        Ok(())
    }
}

/// Unties all that `item` holds, whatever the table says of whose item it is: no two tenants' items have one number.
pub(in crate::bridge) fn unpin(session: &Session, item: i64) -> Result<(), StoreFault> {
    // What the directory was asked before the item was done is no longer true.
    session.remove_everywhere(OWED, &number(item), now()).map(drop)
}

/// The place in the store of names that owed items have left.
pub(super) fn gone(space: &str) -> String {
    [space, "/gone"].concat()
}

fn number(item: i64) -> Vec<u8> {
    item.to_be_bytes().to_vec()
}

fn buried(grave: &Stored) -> Vec<String> {
    let text = String::from_utf8_lossy(&grave.body);
    text.split(BREAK).filter(|id| !id.is_empty()).map(ToOwned::to_owned).collect()
}
