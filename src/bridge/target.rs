//! What a carrier reads and writes: the directory, or the shadow of it.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::directory::{
    self, AttributeName, Dialect, Directory, Dn, Entry, Fault, Filter, Follow, Followed, Modification, ModifyOptions,
    Password, PasswordWay, Rdn, SchemaView, Scope, Search, ServerInfo, UnderWay,
};
use crate::mapping::{IdAttribute, Mapping};

use super::outage::{Aliases, Echoes};
use super::shadow::{Echo, Shadow};

/// Where the entries are. What each operation means, RFC 4511 section 4 says.
#[derive(Clone)]
pub(super) enum Target {
    /// The directory itself.
    Live(Live),
    /// The model of it in the store.
    Shadow(Shadow),
}

/// The directory, as everybody outside knows it: by the ids that were given out.
#[derive(Clone)]
pub(super) struct Live {
    directory: Directory,
    ids: Arc<[IdAttribute]>,
    aliases: Arc<Aliases>,
    /// Who is told of each operation that was carried out.
    echoes: Option<Echoes>,
}

/// An entry as it is after it was written, where the server told in the same step.
pub(super) type ReadBack = Result<Option<Entry>, Fault>;

/// What a search finds, page by page.
pub(super) enum Pages<'a> {
    Live(&'a Live, directory::Pages<'a>),
    /// All on one page.
    Shadow(Option<Result<Vec<Entry>, Fault>>),
}

impl Pages<'_> {
    /// The next page; `None` behind the last one.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        match self {
            Self::Live(live, pages) => {
                let page = pages.next().await?;
                Ok(page.map(|mut entries| {
                    live.aliases.outward(&mut entries, &live.ids);
                    entries
                }))
            }
            Self::Shadow(found) => found.take().transpose(),
        }
    }
}

impl Target {
    /// How servers of this kind speak.
    pub fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Live(live) => live.directory.dialect(),
            Self::Shadow(shadow) => shadow.dialect(),
        }
    }

    /// Whether it is the directory itself.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// The name of the directory in the configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Live(live) => live.directory.name(),
            Self::Shadow(shadow) => shadow.name(),
        }
    }

    /// Whether a change can be made to hold for one state of an entry only (RFC 4528).
    pub async fn has_assertion(&self) -> bool {
        match self {
            Self::Live(live) => live.directory.server().await.as_ref().is_ok_and(ServerInfo::has_assertion),
            Self::Shadow(_) => true,
        }
    }

    /// The schema of the server.
    pub async fn schema(&self) -> Result<SchemaView, Fault> {
        match self {
            Self::Live(live) => live.directory.schema().await,
            Self::Shadow(shadow) => shadow.schema(),
        }
    }

    /// Whether what a write leaves behind matters to others than who asked for it.
    pub const fn is_watched(&self) -> bool {
        match self {
            Self::Live(live) => live.echoes.is_some(),
            Self::Shadow(_) => true,
        }
    }

    /// Few entries, whole.
    pub async fn search(&self, search: &Search) -> Result<Vec<Entry>, Fault> {
        match self {
            Self::Live(live) => live.search(search).await,
            Self::Shadow(shadow) => shadow.search(search),
        }
    }

    /// Few entries, with what is behind the names in one of their attributes; `None` where that can't be asked for.
    /// What is behind the names has the directory's ids: see [`Self::as_given`].
    pub async fn search_and_follow(
        &self,
        search: &Search,
        follow: &Follow,
    ) -> Result<Option<Vec<(Entry, Followed)>>, Fault> {
        match self {
            Self::Live(live) => live.search_and_follow(search, follow).await,
            Self::Shadow(_) => Ok(None),
        }
    }

    /// Gives followed entries the ids that everybody outside knows.
    pub fn as_given(&self, entries: &mut [Entry]) {
        match self {
            Self::Live(live) => live.aliases.outward(entries, &live.ids),
            Self::Shadow(_) => {}
        }
    }

    /// Any number of entries, one after the other.
    pub async fn scan(
        &self,
        search: &Search,
        each: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send),
    ) -> Result<(), Fault> {
        match self {
            Self::Live(live) => live.scan(search, each).await,
            Self::Shadow(shadow) => shadow.scan(search, each),
        }
    }

    /// The same page by page, as it is asked for.
    pub fn pages(&self, search: &Search) -> Pages<'_> {
        match self {
            Self::Live(live) => Pages::Live(live, live.directory.pages(live.inward(search))),
            Self::Shadow(shadow) => Pages::Shadow(Some(shadow.search(search))),
        }
    }

    /// A new entry.
    pub async fn add(
        &self,
        dn: &Dn,
        attributes: &[(AttributeName, Vec<Vec<u8>>)],
        read_back: &[AttributeName],
    ) -> ReadBack {
        match self {
            Self::Live(live) => live.add(dn, attributes, read_back).await,
            Self::Shadow(shadow) => shadow.add(dn, attributes, read_back),
        }
    }

    /// A changed entry.
    pub async fn modify(&self, dn: &Dn, modifications: &[Modification], options: &ModifyOptions) -> ReadBack {
        match self {
            Self::Live(live) => live.modify(dn, modifications, options).await,
            Self::Shadow(shadow) => shadow.modify(dn, modifications, options),
        }
    }

    /// An entry with another name, or at another place.
    pub async fn rename(
        &self,
        dn: &Dn,
        new_rdn: &Rdn,
        new_parent: Option<&Dn>,
        read_back: &[AttributeName],
    ) -> ReadBack {
        match self {
            Self::Live(live) => live.rename(dn, new_rdn, new_parent, read_back).await,
            Self::Shadow(shadow) => shadow.rename_and_follow(dn, new_rdn, new_parent, read_back),
        }
    }

    /// An entry with another password.
    pub async fn set_password(&self, dn: &Dn, password: &Password, way: &PasswordWay) -> Result<(), Fault> {
        match self {
            Self::Live(live) => live.directory.set_password(dn, password, way).await,
            // The shadow keeps no passwords.
            Self::Shadow(_) => Ok(()),
        }
    }

    /// A change begins that names other entries; it must not have looked them up yet.
    pub fn under_way(&self) -> UnderWay {
        match self {
            Self::Live(live) => live.directory.under_way(),
            Self::Shadow(_) => UnderWay::alone(),
        }
    }

    /// An entry has left `dn`, and is at `now` or gone; to be told before what refers to it is looked for.
    pub fn left(&self, dn: &Dn, now: Option<&Dn>) {
        if let Self::Live(live) = self {
            live.directory.left(dn, now);
        }
    }

    /// Nothing refers to the name any more that an entry has left; to see to that took so long.
    pub fn tidied(&self, old: &Dn, took: Duration) {
        let Self::Live(live) = self else { return };
        // The entry may have left it long before it was known, so what the server does about it may still come.
        live.directory.keep_free(old, took);
        live.directory.followed(old);
        if let Some(echoes) = &live.echoes {
            echoes.tidied(old);
        }
    }

    /// An entry that goes.
    pub async fn delete(&self, dn: &Dn) -> Result<(), Fault> {
        match self {
            Self::Live(live) => live.delete(dn).await,
            Self::Shadow(shadow) => shadow.delete_and_follow(dn),
        }
    }
}

impl Live {
    pub fn new(directory: Directory, mapping: &Mapping, aliases: Arc<Aliases>) -> Self {
        let mut ids = vec![mapping.user.id.clone()];
        ids.extend(mapping.group.iter().map(|group| group.id.clone()).filter(|id| *id != mapping.user.id));
        Self { directory, ids: ids.into(), aliases, echoes: None }
    }

    /// The same, with what it does repeated on the shadow.
    pub fn echoing(self, echoes: Echoes) -> Self {
        Self { echoes: Some(echoes), ..self }
    }

    async fn search(&self, search: &Search) -> Result<Vec<Entry>, Fault> {
        let mut entries = match self.aliases.inward(&search.filter, &self.ids) {
            Cow::Borrowed(_) => self.directory.search(search).await?,
            Cow::Owned(filter) => self.directory.search(&Search { filter, ..search.clone() }).await?,
        };
        self.aliases.outward(&mut entries, &self.ids);
        Ok(entries)
    }

    async fn search_and_follow(
        &self,
        search: &Search,
        follow: &Follow,
    ) -> Result<Option<Vec<(Entry, Followed)>>, Fault> {
        let filter = self.aliases.inward(&search.filter, &self.ids).into_owned();
        let mut found = self.directory.search_and_follow(&Search { filter, ..search.clone() }, follow).await?;
        for (entry, _) in found.iter_mut().flatten() {
            self.aliases.outward(std::slice::from_mut(entry), &self.ids);
        }
        Ok(found)
    }

    async fn scan(
        &self,
        search: &Search,
        each: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send),
    ) -> Result<(), Fault> {
        let mut translated = |mut entry: Entry| {
            self.aliases.outward(std::slice::from_mut(&mut entry), &self.ids);
            each(entry)
        };
        self.directory.scan(&self.inward(search), &mut translated).await
    }

    fn inward(&self, search: &Search) -> Search {
        let filter = self.aliases.inward(&search.filter, &self.ids).into_owned();
        Search { filter, ..search.clone() }
    }

    async fn add(&self, dn: &Dn, attributes: &[(AttributeName, Vec<Vec<u8>>)], read: &[AttributeName]) -> ReadBack {
        let mut entry = self.translated(self.directory.add(dn, attributes, read).await?);
        if let Some(echoes) = &self.echoes {
            if entry.is_none() && !read.is_empty() {
                // The shadow keeps no entry whose id it does not know; the caller need not read it again.
                entry = self.read(dn, read).await;
            }
            let (dn, attributes) = (Cow::Borrowed(dn), Cow::Borrowed(attributes));
            echoes.repeat(Echo::Added { dn, attributes, read: entry.as_ref().map(Cow::Borrowed) }).await;
        }
        Ok(entry)
    }

    async fn read(&self, dn: &Dn, attributes: &[AttributeName]) -> Option<Entry> {
        let (base, attributes) = (dn.clone(), attributes.to_vec());
        let search = Search { base, scope: Scope::Base, filter: Filter::any(), attributes, size_limit: 0 };
        self.search(&search).await.ok()?.into_iter().next()
    }

    async fn modify(&self, dn: &Dn, modifications: &[Modification], options: &ModifyOptions) -> ReadBack {
        let inward = options.assertion.as_ref().map(|assertion| self.aliases.inward(assertion, &self.ids));
        let entry = match inward {
            Some(Cow::Owned(assertion)) => {
                let options = ModifyOptions { assertion: Some(assertion), ..options.clone() };
                self.directory.modify(dn, modifications, &options).await?
            }
            _ => self.directory.modify(dn, modifications, options).await?,
        };
        let entry = self.translated(entry);
        if let Some(echoes) = &self.echoes {
            let (dn, modifications) = (Cow::Borrowed(dn), Cow::Borrowed(modifications));
            echoes.repeat(Echo::Modified { dn, modifications, read: entry.as_ref().map(Cow::Borrowed) }).await;
        }
        Ok(entry)
    }

    async fn rename(&self, dn: &Dn, rdn: &Rdn, parent: Option<&Dn>, read: &[AttributeName]) -> ReadBack {
        let entry = self.translated(self.directory.rename(dn, rdn, parent, read).await?);
        if let Some(echoes) = &self.echoes {
            let (dn, rdn, parent) = (Cow::Borrowed(dn), Cow::Borrowed(rdn), parent.map(Cow::Borrowed));
            echoes.repeat(Echo::Renamed { dn, rdn, parent, read: entry.as_ref().map(Cow::Borrowed) }).await;
        }
        Ok(entry)
    }

    async fn delete(&self, dn: &Dn) -> Result<(), Fault> {
        self.directory.delete(dn).await?;
        if let Some(echoes) = &self.echoes {
            echoes.repeat(Echo::Deleted { dn: Cow::Borrowed(dn) }).await;
        }
        Ok(())
    }

    fn translated(&self, mut entry: Option<Entry>) -> Option<Entry> {
        self.aliases.outward(entry.as_mut_slice(), &self.ids);
        entry
    }
}
