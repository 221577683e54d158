//! Translation both ways between resources and entries. Pure.

pub mod codec;
pub mod lookup;
pub mod template;

pub use codec::Codec;
pub use lookup::Lookup;
pub use template::{Template, TemplateFault};
