//! Translation both ways between resources and entries, identity, filters, and the plan. Pure: parsed once from the
//! table, no sockets, no store, no HTTP.

mod account;
mod bound;
pub mod check;
pub mod codec;
mod explain;
mod filter;
mod generate;
mod group_names;
mod identity;
pub mod lookup;
mod members;
mod plan;
pub mod protect;
mod read;
pub mod row;
mod scope;
mod select;
pub mod table;
pub mod template;
mod write;

pub use crate::directory::IdForm;
pub use codec::Codec;
pub use explain::Step;
pub use filter::{Compiled, Terms};
pub use generate::{Generate, Generated};
pub use group_names::{GroupName, GroupNames, Joined};
pub use lookup::Lookup;
pub use members::{MemberChange, MemberDelta};
pub use plan::{NewEntry, NewPassword, Rename, Update, Wish};
pub use read::{NoId, Pointer, Reading, Referenced, version_without_members};
pub use row::{Case, Direction, Number, NumberRange, Reference, ReferenceKey, Row, RowPath, When};
pub use table::{
    Base, Delete, Disable, GroupsOf, IdAttribute, InitialPassword, Mapping, MemberValue, Members, ResourceMapping,
    Unique,
};
pub use template::{Template, TemplateFault};
pub use write::{Mention, Mentions, Unmet, WriteMode};
