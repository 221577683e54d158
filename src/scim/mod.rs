//! RFC 7643 (resources and schemas) and RFC 7644 (protocol) as values. Pure: no HTTP, no LDAP, no clock, no files.

pub mod bulk;
pub mod discovery;
pub mod fault;
pub mod filter;
pub mod patch;
pub mod path;
pub mod projection;
#[cfg(test)]
mod properties;
pub mod query;
pub mod resource;
pub mod schema;
mod standard;
mod text;

pub use fault::{Fault, FaultKind};
pub use filter::{Comparison, Filter, Literal};
pub use patch::{Op, Operation, Patch};
pub use path::{AttributePath, PatchPath};
pub use projection::Projection;
pub use query::{Query, SortOrder};
pub use resource::Resource;
pub use schema::{Attribute, AttributeType, Mutability, ResourceKind, ResourceSchema, Returned, Schema, Uniqueness};
