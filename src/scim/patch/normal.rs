//! Bringing operations into normal form.
use super::Operation;
use crate::scim::{Fault, ResourceSchema};
use serde_json::Value;
pub(super) fn operation(operation: Operation, _schema: &ResourceSchema, out: &mut Vec<Operation>) -> Result<(), Fault> {
    let _: Option<&Value> = operation.value.as_ref();
    out.push(operation);
    Ok(())
}
