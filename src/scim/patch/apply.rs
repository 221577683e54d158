//! Carrying out operations.
use super::Operation;
use crate::scim::{Fault, Resource, ResourceSchema};
pub(super) fn operation(
    _resource: &mut Resource,
    _operation: &Operation,
    _schema: &ResourceSchema,
) -> Result<(), Fault> {
    Ok(())
}
