//! The LDAP conversation: values, connections, controls, fail-over, and what kinds of server do differently.
//!
//! The values ([`AttributeName`], [`Dn`], [`Filter`], [`Entry`]) are pure and can only be built valid: nobody else
//! writes a name or a filter as text. [`Directory`] is the handle to one directory; an operation goes through it to
//! the pool of connections (`pool`), over one of them (`connection`, or `wire` where the answer may be very large), and
//! comes back as entries or as a [`Fault`],
//! whose [`is_transient`](Fault::is_transient) is the only place that decides whether trying again can help.
//! What kinds of server do differently is data ([`Dialect`]).

mod ber;
mod connection;
mod decode;
mod dialect;
mod dn;
mod entry;
mod explain;
mod fault;
mod filter;
mod follow;
mod handle;
mod health;
mod kerberos;
mod moves;
mod name;
mod operation;
mod password;
mod pool;
mod ranges;
mod scan;
mod schema;
mod server;
mod servers;
mod settings;
mod socket;
mod srv;
mod tls;
mod url;
mod vacated;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use dialect::{Dialect, EffectiveRights, IdForm, Kind, PrimaryGroup, UnknownKind};
pub use dn::{Dn, InvalidDn, Rdn};
pub use entry::{Change, Entry, Modification};
pub use fault::{Fault, FaultKind};
pub use filter::{Filter, InvalidFilter};
pub use follow::{Follow, Followed, FollowedName};
pub use handle::Directory;
pub use health::Health;
pub use moves::{Kept, Moved, News, UnderWay};
pub use name::{AttributeName, InvalidName};
pub use operation::{ModifyOptions, Scope, Search};
pub use password::{Password, PasswordWay};
pub use pool::work_beside;
pub use scan::Pages;
pub use schema::{AttributeType, ClassKind, ObjectClass, SchemaView};
pub use server::{ASSERTION, DEREFERENCE, PAGED_RESULTS, PERMISSIVE_MODIFY, POST_READ, ServerInfo};
pub use settings::{Bind, ClientIdentity, Protection, Settings, SettingsFault, Srv, TrustAnchors, Way};
pub use url::{InvalidUrl, ServerUrl};
pub mod ldif;
