//! What a carrier reads and writes: the directory, or the shadow of it.

use std::ops::ControlFlow;

use crate::directory::{
    AttributeName, Dialect, Directory, Dn, Entry, Fault, Follow, Followed, Modification, ModifyOptions, Rdn,
    SchemaView, Search, ServerInfo,
};

use super::shadow::Shadow;

/// Where the entries are. What each operation means, RFC 4511 section 4 says.
#[derive(Clone)]
pub(super) enum Target {
    /// The directory itself.
    Live(Directory),
    /// The model of it in the store.
    #[cfg_attr(not(test), expect(dead_code, reason = "nothing is carried out on the shadow yet"))]
    Shadow(Shadow),
}

/// An entry as it is after it was written, where the server told in the same step.
pub(super) type ReadBack = Result<Option<Entry>, Fault>;

impl Target {
    /// How servers of this kind speak.
    pub fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Live(directory) => directory.dialect(),
            Self::Shadow(shadow) => shadow.dialect(),
        }
    }

    /// The name of the directory in the configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Live(directory) => directory.name(),
            Self::Shadow(shadow) => shadow.name(),
        }
    }

    /// Whether a change can be made to hold for one state of an entry only (RFC 4528).
    pub async fn has_assertion(&self) -> bool {
        match self {
            Self::Live(directory) => directory.server().await.as_ref().is_ok_and(ServerInfo::has_assertion),
            Self::Shadow(_) => true,
        }
    }

    /// The schema of the server.
    pub async fn schema(&self) -> Result<SchemaView, Fault> {
        match self {
            Self::Live(directory) => directory.schema().await,
            Self::Shadow(shadow) => shadow.schema(),
        }
    }

    /// Few entries, whole.
    pub async fn search(&self, search: &Search) -> Result<Vec<Entry>, Fault> {
        match self {
            Self::Live(directory) => directory.search(search).await,
            Self::Shadow(shadow) => shadow.search(search),
        }
    }

    /// Few entries, with what is behind the names in one of their attributes; `None` where that can't be asked for.
    pub async fn search_and_follow(
        &self,
        search: &Search,
        follow: &Follow,
    ) -> Result<Option<Vec<(Entry, Followed)>>, Fault> {
        match self {
            Self::Live(directory) => directory.search_and_follow(search, follow).await,
            Self::Shadow(_) => Ok(None),
        }
    }

    /// Any number of entries, one after the other.
    pub async fn scan(
        &self,
        search: &Search,
        each: &mut (dyn FnMut(Entry) -> ControlFlow<()> + Send),
    ) -> Result<(), Fault> {
        match self {
            Self::Live(directory) => directory.scan(search, each).await,
            Self::Shadow(shadow) => shadow.scan(search, each),
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
            Self::Live(directory) => directory.add(dn, attributes, read_back).await,
            Self::Shadow(shadow) => shadow.add(dn, attributes, read_back),
        }
    }

    /// A changed entry.
    pub async fn modify(&self, dn: &Dn, modifications: &[Modification], options: &ModifyOptions) -> ReadBack {
        match self {
            Self::Live(directory) => directory.modify(dn, modifications, options).await,
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
            Self::Live(directory) => directory.rename(dn, new_rdn, new_parent, read_back).await,
            Self::Shadow(shadow) => shadow.rename(dn, new_rdn, new_parent, read_back),
        }
    }

    /// An entry that goes.
    pub async fn delete(&self, dn: &Dn) -> Result<(), Fault> {
        match self {
            Self::Live(directory) => directory.delete(dn).await,
            Self::Shadow(shadow) => shadow.delete(dn),
        }
    }
}
