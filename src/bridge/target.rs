//! What a carrier reads and writes: the directory.

use std::ops::ControlFlow;

use crate::directory::{
    AttributeName, Dialect, Directory, Dn, Entry, Fault, Follow, Followed, Modification, ModifyOptions, Rdn,
    SchemaView, Search, ServerInfo,
};

/// Where the entries are. What each operation means, RFC 4511 section 4 says.
#[derive(Clone)]
pub(super) enum Target {
    /// The directory itself.
    Live(Directory),
}

/// An entry as it is after it was written, where the server told in the same step.
pub(super) type ReadBack = Result<Option<Entry>, Fault>;

impl Target {
    /// How servers of this kind speak.
    pub fn dialect(&self) -> &'static Dialect {
        match self {
            Self::Live(directory) => directory.dialect(),
        }
    }

    /// The name of the directory in the configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Live(directory) => directory.name(),
        }
    }

    /// Whether a change can be made to hold for one state of an entry only (RFC 4528).
    pub async fn has_assertion(&self) -> bool {
        match self {
            Self::Live(directory) => directory.server().await.as_ref().is_ok_and(ServerInfo::has_assertion),
        }
    }

    /// The schema of the server.
    pub async fn schema(&self) -> Result<SchemaView, Fault> {
        match self {
            Self::Live(directory) => directory.schema().await,
        }
    }

    /// Few entries, whole.
    pub async fn search(&self, search: &Search) -> Result<Vec<Entry>, Fault> {
        match self {
            Self::Live(directory) => directory.search(search).await,
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
        }
    }

    /// A changed entry.
    pub async fn modify(&self, dn: &Dn, modifications: &[Modification], options: &ModifyOptions) -> ReadBack {
        match self {
            Self::Live(directory) => directory.modify(dn, modifications, options).await,
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
        }
    }

    /// An entry that goes.
    pub async fn delete(&self, dn: &Dn) -> Result<(), Fault> {
        match self {
            Self::Live(directory) => directory.delete(dn).await,
        }
    }
}
