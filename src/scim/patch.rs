//! PATCH requests (RFC 7644 section 3.5.2).

use serde_json::Value;

use super::fault::{Fault, FaultKind};
use super::path::PatchPath;
use super::resource::Resource;
use super::resource::intake::kind_of;
use super::schema::ResourceSchema;
use super::text::quoted;

mod apply;
mod normal;

/// Changes to one resource, to be made in order and all or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// The changes. Those read from a client have a path each, and a value in the type of their attribute.
    pub operations: Vec<Operation>,
}

/// What an operation does.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Remove,
    Replace,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What it does.
    pub op: Op,
    /// To what. Without a path, `value` is an object whose keys are paths.
    pub path: Option<PatchPath>,
    /// With which value. Of a remove: only these values of a multi-valued attribute.
    pub value: Option<Value>,
}

impl Op {
    /// The operation as requests spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Add, Self::Remove, Self::Replace].into_iter().find(|op| op.name().eq_ignore_ascii_case(word.trim()))
    }
}

impl Patch {
    /// Reads the body of a PATCH request. What is left is in normal form: an operation without a path has become one
    /// for each attribute it names; values are in the type of their attribute; to replace by nothing has become to
    /// remove; to remove `members[value eq "1"]` has become to remove that value from `members`; additions to the same
    /// attribute that follow each other are one, and so are removals; what concerns unknown attributes is gone.
    ///
    /// # Errors
    /// [`FaultKind::InvalidSyntax`] if the body has not the form of a PATCH request; [`FaultKind::InvalidPath`],
    /// [`FaultKind::InvalidFilter`], [`FaultKind::InvalidValue`], [`FaultKind::Mutability`] or
    /// [`FaultKind::NoTarget`] for what is wrong with one operation.
    pub fn from_client(body: Value, schema: &ResourceSchema) -> Result<Self, Fault> {
        let Value::Object(members) = body else {
            return Err(syntax(&format!("must be a JSON object, not {}", kind_of(&body))));
        };
        let operations = members.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("Operations"));
        let Some((_, Value::Array(operations))) = operations else {
            return Err(syntax("needs a list called Operations"));
        };
        if operations.is_empty() {
            return Err(syntax("needs at least one operation in Operations"));
        }
        let mut normal = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            read_operation(operation, schema, &mut normal).map_err(|fault| numbered(index + 1, &fault))?;
        }
        Ok(Self { operations: normal })
    }

    /// The resource as it is after all the operations.
    ///
    /// # Errors
    /// [`FaultKind::NoTarget`] if a filter in a path finds nothing and does not say what to create;
    /// [`FaultKind::Mutability`] if a value that must not change would; and what [`Self::from_client`] returns for
    /// operations that were made in another way.
    pub fn apply(&self, resource: &Resource, schema: &ResourceSchema) -> Result<Resource, Fault> {
        let mut changed = resource.clone();
        let mut normal = Vec::with_capacity(self.operations.len());
        for operation in &self.operations {
            normal::operation_again(operation, schema, &mut normal)?;
        }
        for operation in &normal {
            apply::operation(&mut changed, operation, schema)?;
        }
        for operation in &normal {
            apply::sweep(&mut changed, operation, schema);
        }
        Ok(changed)
    }
}

fn read_operation(operation: Value, schema: &ResourceSchema, out: &mut Vec<Operation>) -> Result<(), Fault> {
    let Value::Object(members) = operation else {
        let detail = format!("It must be an object with op, path and value, not {}.", kind_of(&operation));
        return Err(Fault::new(FaultKind::InvalidSyntax, detail));
    };
    let (mut op, mut path, mut value) = (None, None, None);
    for (key, member) in members {
        match key {
            key if key.eq_ignore_ascii_case("op") => op = Some(member),
            key if key.eq_ignore_ascii_case("path") => path = Some(member),
            key if key.eq_ignore_ascii_case("value") => value = Some(member),
            _ => {}
        }
    }
    let op = read_op(op.as_ref())?;
    let path = match path {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(PatchPath::parse(&text, schema)?),
        Some(other) => {
            let detail = format!("The path must be text, not {}.", kind_of(&other));
            return Err(Fault::new(FaultKind::InvalidPath, detail));
        }
    };
    normal::operation(Operation { op, path, value }, schema, out)
}

fn read_op(op: Option<&Value>) -> Result<Op, Fault> {
    let found = match op {
        Some(Value::String(word)) => match Op::parse(word) {
            Some(op) => return Ok(op),
            None => quoted(word),
        },
        Some(other) => kind_of(other).to_owned(),
        None => "nothing".to_owned(),
    };
    Err(Fault::new(FaultKind::InvalidSyntax, format!("Its op must be add, remove or replace, not {found}.")))
}

fn syntax(why: &str) -> Fault {
    Fault::new(FaultKind::InvalidSyntax, format!("The body of a PATCH request {why}."))
}

fn numbered(number: usize, fault: &Fault) -> Fault {
    Fault::new(fault.kind, format!("PATCH operation {number}: {}", fault.detail))
}

#[cfg(test)]
mod tests;
