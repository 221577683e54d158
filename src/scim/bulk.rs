//! Many operations in one request (RFC 7644 section 3.7).
//!
//! [`Bulk`] is the request as the client sent it, [`Schedule`] the order in which its operations can be carried out.

mod reference;
mod schedule;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::fault::{Fault, FaultKind};
use super::resource::intake::kind_of;
use super::text::quoted;

pub use schedule::{Refusal, Schedule, Step, What};

/// A bulk request.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// After how many errors to stop; `None`: never.
    pub fail_on_errors: Option<usize>,
    /// The operations in the order of the request.
    pub operations: Vec<Operation>,
}

/// One operation, as the client sent it.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// The method in capital letters.
    pub method: String,
    /// The path below the tenant's base URL.
    pub path: String,
    /// The client's name for the operation, and for the resource that a POST makes.
    pub bulk_id: Option<String>,
    /// The version of the resource that the client expects, an entity tag.
    pub version: Option<String>,
    /// What would be the body of a single request.
    pub data: Option<Value>,
    /// What is wrong with the operation as it stands.
    pub fault: Option<Fault>,
}

/// What came of one operation (RFC 7644 section 3.7.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status.
    pub status: u16,
    /// Where the resource is; nowhere when a POST failed.
    pub location: Option<String>,
    /// Its version now.
    pub version: Option<String>,
    /// The body of the answer; errors have one.
    pub response: Option<Value>,
}

impl Bulk {
    /// Reads the body of a bulk request. Names come in any case, `schemas` is not looked at. What is wrong with a single
    /// operation is noted there.
    ///
    /// # Errors
    /// [`FaultKind::InvalidSyntax`] if the body is no object with a list of `Operations`, [`FaultKind::InvalidValue`]
    /// for `failOnErrors`.
    pub fn from_client(body: Value) -> Result<Self, Fault> {
        let Value::Object(mut members) = body else {
            let detail = format!("The body of a bulk request must be a JSON object, not {}.", kind_of(&body));
            return Err(Fault::new(FaultKind::InvalidSyntax, detail));
        };
        let fail_on_errors = take(&mut members, "failOnErrors").map_or(Ok(None), |value| limit(&value))?;
        match take(&mut members, "Operations") {
            Some(Value::Array(operations)) if !operations.is_empty() => {
                let operations = operations.into_iter().map(Operation::from_client).collect();
                Ok(Self { fail_on_errors, operations })
            }
            _ => {
                Err(Fault::new(FaultKind::InvalidSyntax, "A bulk request needs Operations, a list with at least one."))
            }
        }
    }
}

/// RFC 7644 section 3.7.3: an integer from 1 up.
fn limit(value: &Value) -> Result<Option<usize>, Fault> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number.filter(|number| *number > 0) {
        Some(number) => Ok(Some(usize::try_from(number).unwrap_or(usize::MAX))),
        None => Err(Fault::new(FaultKind::InvalidValue, "failOnErrors must be a whole number from 1 up.")),
    }
}

impl Operation {
    fn from_client(value: Value) -> Self {
        let Value::Object(mut members) = value else {
            let detail = format!("An operation must be a JSON object, not {}.", kind_of(&value));
            return Self { fault: Some(Fault::new(FaultKind::InvalidSyntax, detail)), ..Self::default() };
        };
        let mut fault = None;
        let mut text = |name: &str| match take(&mut members, name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Some(other) => {
                let detail = format!("{name} of the operation must be a text, not {}.", kind_of(&other));
                fault.get_or_insert_with(|| Fault::new(FaultKind::InvalidSyntax, detail));
                None
            }
        };
        let method = text("method").unwrap_or_default().to_ascii_uppercase();
        let (path, bulk_id, version) = (text("path").unwrap_or_default(), text("bulkId"), text("version"));
        let data = take(&mut members, "data").filter(|data| !data.is_null());
        let fault = fault.or_else(|| missing(&method, &path, bulk_id.as_deref()));
        Self { method, path, bulk_id, version, data, fault }
    }

    /// The operation's part of the answer.
    #[must_use]
    pub fn answer(&self, outcome: Outcome) -> Value {
        let mut answer = Map::new();
        let texts = [
            ("location", outcome.location),
            ("method", Some(self.method.clone()).filter(|method| !method.is_empty())),
            ("bulkId", self.bulk_id.clone()),
            ("version", outcome.version),
            ("status", Some(outcome.status.to_string())),
        ];
        answer.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
        answer.extend(outcome.response.map(|response| ("response".to_owned(), response)));
        Value::Object(answer)
    }
}

fn missing(method: &str, path: &str, bulk_id: Option<&str>) -> Option<Fault> {
    let detail = if method.is_empty() {
        "The operation has no method: POST, PUT, PATCH or DELETE.".to_owned()
    } else if path.is_empty() {
        "The operation has no path, such as /Users or /Users/{id}.".to_owned()
    } else if method == "POST" && bulk_id.is_none() {
        "A POST in a bulk request needs a bulkId, by which its answer can be told from others.".to_owned()
    } else if bulk_id.is_some_and(|bulk_id| bulk_id.contains(['"', '/'])) {
        format!("The bulkId {} can't be referred to: it may hold neither a quote nor a slash.", quoted(bulk_id?))
    } else {
        return None;
    };
    Some(Fault::new(FaultKind::InvalidValue, detail))
}

/// Takes the member called `name`, in any case, out of an object.
fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = members.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
    members.shift_remove(&key)
}

/// The answer to a bulk request.
#[must_use]
pub fn response(operations: Vec<Value>) -> Value {
    let mut body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"] });
    body["Operations"] = Value::Array(operations);
    body
}
