//! Translation both ways between resources and entries. Pure.

pub mod codec;
pub mod lookup;
pub mod row;
pub mod table;
pub mod template;

pub use codec::Codec;
pub use lookup::Lookup;
pub use row::{Case, Direction, Reference, ReferenceKey, Row, RowPath, When};
pub use table::{Base, Delete, Disable, IdAttribute, Mapping, Members, ResourceMapping, Unique};
pub use template::{Template, TemplateFault};
