//! The members of a group as an answer shows them: from what the directory holds to ids, names and addresses.
//!
//! Where the server can follow names, one search brings a group with what is behind each of them. Who is not clear
//! from that, and everybody on other servers, is looked up by name, many at a time.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::directory::{AttributeName, Dn, Entry, Filter, Follow, Followed, FollowedName, Scope, Search};
use crate::mapping::{Members, Referenced, ResourceMapping};
use crate::scim::ResourceKind;

use super::read::in_sight;
use super::references::{AT_ONCE, Known, SIDE_BY_SIDE};
use super::{Carrier, Fault};

/// Who can be a member. Where the first kind has nothing, the next is asked.
const KINDS: [ResourceKind; 2] = [ResourceKind::User, ResourceKind::Group];
/// After so many members others get their turn.
const BREATH: usize = 2000;

/// What an entry holds as members.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// The values of the attribute.
    Values(Vec<Vec<u8>>),
    /// The same with the entries that they name.
    Followed(Followed),
}

impl Carrier {
    /// A group and what is behind its members, by one search; `None` where that can't be done.
    pub(super) async fn group_by_id(
        &self,
        mapping: &ResourceMapping,
        members: &Members,
        id: &str,
        attributes: &[AttributeName],
    ) -> Result<Option<(Entry, Followed)>, Fault> {
        // What is followed is not read itself, and a row could want it.
        let holds_names =
            members.name_attribute().is_none() && !mapping.rows.iter().any(|row| row.ldap == members.attribute);
        let (true, Some(filter)) = (holds_names, mapping.id.filter(id)) else { return Ok(None) };
        let follow = Follow { attribute: members.attribute.clone(), read: self.telling() };
        let filter = Filter::And(vec![filter, mapping.filter.clone()]);
        let attributes = attributes.iter().filter(|name| **name != members.attribute).cloned().collect();
        let mut search = Search { base: Dn::root(), scope: Scope::Sub, filter, attributes, size_limit: 0 };
        for base in mapping.search_bases() {
            search.base = base;
            let found =
                self.inner.target.search_and_follow(&search, &follow).await.map_err(|fault| self.fault(fault))?;
            let Some(found) = found else { return Ok(None) };
            if let Some(group) = found.into_iter().find(|(entry, _)| in_sight(mapping, &entry.dn)) {
                return Ok(Some(group));
            }
        }
        Err(Fault::NotFound { kind: mapping.kind, id: id.to_owned() })
    }

    /// What tells who a member is.
    fn telling(&self) -> Vec<AttributeName> {
        let mut names = Vec::new();
        for mapping in KINDS.iter().filter_map(|kind| self.mapping(*kind).ok()) {
            names.push(mapping.id.attribute.clone());
            names.extend(mapping.display_attributes());
            mapping.filter.simple_attributes(&mut names);
        }
        names.sort();
        names.dedup();
        names
    }

    /// The members of a group as the JSON array of an answer. Values that lead nowhere are left out.
    pub(super) async fn members_text(&self, members: &Members, held: &Held) -> Result<String, Fault> {
        match held {
            Held::Values(values) => self.looked_up_members(members, values).await,
            Held::Followed(followed) => self.followed(members, followed).await,
        }
    }

    async fn followed(&self, members: &Members, followed: &Followed) -> Result<String, Fault> {
        let senseless = || {
            let detail = "The directory's answer about the members of the group makes no sense.";
            Fault::Directory(detail.to_owned())
        };
        let mut names = followed.names().ok_or_else(senseless)?;
        names.retain(|name| name.value != members.placeholder.as_bytes());
        let (text, unclear) = self.write_followed(&names, None).await;
        if unclear.is_empty() {
            return Ok(text);
        }
        // In the order in which they are held, so all of them are written again.
        let known = self.look_at(unclear, &KINDS).await?;
        Ok(self.write_followed(&names, Some(&known)).await.0)
    }

    /// Those who are clear, or `known`, as a JSON array; and those who are not.
    async fn write_followed(&self, names: &[FollowedName<'_>], known: Option<&Known>) -> (String, Vec<Dn>) {
        let telling = self.telling();
        let (mut list, mut unclear) = (Array::default(), Vec::new());
        for (at, piece) in names.chunks(BREATH).enumerate() {
            if at == 1 {
                list.make_room(names.len().div_ceil(BREATH));
            }
            let mut entries: Vec<Entry> = piece.iter().filter_map(|name| name.entry(&telling)).collect();
            self.inner.target.as_given(&mut entries);
            for entry in entries {
                let dn = entry.dn.clone();
                match (self.surely(entry), known) {
                    (Some(member), _) => list.push(&member),
                    (None, Some(known)) => known.at(&dn).into_iter().for_each(|member| list.push(member)),
                    (None, None) => unclear.push(dn),
                }
            }
            tokio::task::yield_now().await;
        }
        (list.into_text(), unclear)
    }

    /// What the entry is, if that is certain without asking the directory.
    fn surely(&self, entry: Entry) -> Option<Referenced> {
        let mut mappings = KINDS.iter().filter_map(|kind| self.mapping(*kind).ok());
        // An entry of the first kind that may stand there would be shown as that, so its filter must be certain.
        let mapping = mappings.find(|mapping| mapping.holds(&entry.dn))?;
        if !mapping.filter.surely_holds(&entry) {
            return None;
        }
        Some(self.referenced(mapping, &mapping.display_attributes(), entry)?.1)
    }

    async fn looked_up_members(&self, members: &Members, values: &[Vec<u8>]) -> Result<String, Fault> {
        let pieces: Vec<_> = values.chunks(AT_ONCE).map(|values| self.look_up(members, values)).collect();
        let list = stream::iter(pieces)
            .buffered(SIDE_BY_SIDE)
            .try_fold(Array::default(), async |mut list, piece| {
                list.append(&piece);
                Ok(list)
            })
            .await?;
        Ok(list.into_text())
    }

    async fn look_up(&self, members: &Members, values: &[Vec<u8>]) -> Result<Array, Fault> {
        let mut piece = Array::default();
        if members.name_attribute().is_some() {
            self.named_members(members, values).await?.iter().for_each(|member| piece.push(member));
            return Ok(piece);
        }
        let dns: Vec<Dn> = values.iter().filter_map(|value| Dn::in_value(value)).collect();
        let known = self.look_at(dns.clone(), &KINDS).await?;
        dns.iter().filter_map(|dn| known.at(dn)).for_each(|member| piece.push(member));
        Ok(piece)
    }

    async fn named_members(&self, members: &Members, values: &[Vec<u8>]) -> Result<Vec<Referenced>, Fault> {
        let (Some(name), Ok(mapping)) = (members.name_attribute(), self.mapping(ResourceKind::User)) else {
            return Ok(Vec::new());
        };
        let names = mapping.display_attributes();
        let mut attributes = names.clone();
        attributes.push(mapping.id.attribute.clone());
        let filter = Filter::Or(values.iter().map(|value| Filter::Equal(name.clone(), value.clone())).collect());
        let found = self.find(mapping, filter, attributes).await?;
        Ok(found.into_iter().filter_map(|entry| Some(self.referenced(mapping, &names, entry)?.1)).collect())
    }
}

/// A JSON array as it is written.
struct Array(String);

impl Default for Array {
    fn default() -> Self {
        Self("[".to_owned())
    }
}

impl Array {
    fn push(&mut self, member: &Referenced) {
        self.separate();
        member.write_member(&mut self.0);
    }

    fn append(&mut self, other: &Self) {
        if let Some(elements) = other.0.get(1..).filter(|elements| !elements.is_empty()) {
            self.separate();
            self.0.push_str(elements);
        }
    }

    fn separate(&mut self) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
    }

    /// Makes room for more of what it holds now, for so many times as much in all. To grow step by step would take
    /// twice the memory for a moment.
    fn make_room(&mut self, times: usize) {
        let more = self.0.len().saturating_mul(times.saturating_sub(1));
        self.0.reserve_exact(more + more / 16 + 1);
    }

    fn into_text(mut self) -> String {
        self.0.push(']');
        self.0
    }
}
