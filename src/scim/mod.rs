//! RFC 7643 (resources and schemas) and RFC 7644 (protocol) as values. Pure: no HTTP, no LDAP, no clock, no files.

pub mod fault;

pub mod schema;

pub use fault::{Fault, FaultKind};
pub use schema::{Attribute, AttributeType, Mutability, ResourceKind, ResourceSchema, Returned, Schema, Uniqueness};
