//! The LDAP conversation: values, connections, controls, fail-over, and what kinds of server do differently.
//!
//! The values ([`AttributeName`], [`Dn`], [`Filter`], [`Entry`]) are pure and can only be built valid: nobody else
//! writes a name or a filter as text.

mod dialect;
mod dn;
mod entry;
mod filter;
mod name;

pub use dialect::{Dialect, IdForm, Kind, UnknownKind};
pub use dn::{Dn, InvalidDn, Rdn};
pub use entry::{Change, Entry, Modification};
pub use filter::{Filter, InvalidFilter};
pub use name::{AttributeName, InvalidName};
