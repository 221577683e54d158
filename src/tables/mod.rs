//! TOML files that people edit, read so that every mistake is reported at once.
//!
//! [`document::parse`] turns the text of a file into a [`Table`] whose every key and value knows where it stands;
//! a [`TableReader`] walks such a table and writes down in [`Findings`] whatever is unknown, missing, of the wrong
//! type or out of range, and goes on; [`Diagnostics`] shows all of it with file, line, column and what to write
//! instead. Values of keys that hold secrets are masked wherever a source line is shown.

pub mod diagnostic;
pub mod document;
mod mask;
pub mod readable;
pub mod reader;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Diagnostics, Findings, Origin, Place, Source, Spot, Variable, Warning};
pub use document::{Key, Node, Table, Value};
pub use readable::{Located, Readable};
pub use reader::TableReader;
