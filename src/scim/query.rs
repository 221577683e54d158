//! What a listing asks for (RFC 7644 sections 3.4.2 and 3.4.3, RFC 9865 section 2).

use serde_json::Value;

use super::fault::{Fault, FaultKind};
use super::filter::Filter;
use super::path::AttributePath;
use super::projection::Projection;
use super::resource::intake::kind_of;
use super::schema::ResourceSchema;
use super::text::quoted;

/// In which direction a listing is sorted.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    #[default]
    Ascending,
    Descending,
}

/// What a listing asks for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Which resources; all of them without a filter.
    pub filter: Option<Filter>,
    /// The attribute to sort by.
    pub sort_by: Option<AttributePath>,
    /// In which direction to sort.
    pub sort_order: SortOrder,
    /// The number of the first resource of the page, from 1.
    pub start_index: usize,
    /// The most resources on the page; 0 asks for the total alone.
    pub count: Option<usize>,
    /// The page to go on with, which an earlier answer named (RFC 9865); an empty text asks for the first page of such
    /// a sequence. `None`: pages by number, with `start_index`.
    pub cursor: Option<String>,
    /// Which attributes to show.
    pub projection: Projection,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            filter: None,
            sort_by: None,
            sort_order: SortOrder::Ascending,
            start_index: 1,
            count: None,
            cursor: None,
            projection: Projection::default(),
        }
    }
}

/// The parameters as text, before they are understood.
#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl Query {
    /// Reads the parameters of a query string, already decoded. Names come in any case; unknown ones are ignored, and
    /// of one that is there twice the last counts.
    ///
    /// # Errors
    /// [`FaultKind::InvalidFilter`] for the filter, [`FaultKind::InvalidPath`] for a malformed attribute name,
    /// [`FaultKind::InvalidCount`] for a `count` beside a `cursor`, [`FaultKind::InvalidValue`] for the rest.
    pub fn from_pairs<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        schema: &ResourceSchema,
    ) -> Result<Self, Fault> {
        let mut raw = Raw::default();
        for (name, value) in pairs {
            if let Some(field) = raw.field(name) {
                *field = Some(value.to_owned());
            }
        }
        raw.understand(schema)
    }

    /// Reads the body of a `POST .search` (RFC 7644 section 3.4.3). Its `schemas` are not looked at.
    ///
    /// # Errors
    /// [`FaultKind::InvalidSyntax`] if the body is no object; otherwise as [`Self::from_pairs`].
    pub fn from_search_request(body: Value, schema: &ResourceSchema) -> Result<Self, Fault> {
        let Value::Object(members) = body else {
            let detail = format!("The body of a search must be a JSON object, not {}.", kind_of(&body));
            return Err(Fault::new(FaultKind::InvalidSyntax, detail));
        };
        let mut raw = Raw::default();
        for (name, value) in members {
            if let Some(field) = raw.field(&name) {
                *field = parameter(&name, value)?;
            }
        }
        raw.understand(schema)
    }
}

fn parameter(name: &str, value: Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            items.map(|items| Some(items.join(","))).ok_or_else(|| invalid(name, "must be a list of texts"))
        }
        other => Err(invalid(name, &format!("cannot be {}", kind_of(&other)))),
    }
}

fn invalid(name: &str, why: &str) -> Fault {
    Fault::new(FaultKind::InvalidValue, format!("The parameter {name} {why}."))
}

impl Raw {
    fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        let fields = [
            ("filter", &mut self.filter),
            ("sortBy", &mut self.sort_by),
            ("sortOrder", &mut self.sort_order),
            ("startIndex", &mut self.start_index),
            ("count", &mut self.count),
            ("cursor", &mut self.cursor),
            ("attributes", &mut self.attributes),
            ("excludedAttributes", &mut self.excluded_attributes),
        ];
        fields.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| field)
    }

    fn understand(self, schema: &ResourceSchema) -> Result<Query, Fault> {
        let filter = self.filter.map(|text| Filter::parse(&text, schema)).transpose()?;
        let sort_by = self.sort_by.filter(|text| !text.trim().is_empty());
        // Who names a cursor has chosen how to page: a number of the first resource says nothing then.
        let start_index = self.start_index.filter(|_| self.cursor.is_none());
        let start_index = start_index.map(|text| number("startIndex", &text)).transpose()?;
        let read_count: fn(&str) -> Result<usize, Fault> =
            if self.cursor.is_some() { cursor_count } else { |text| number("count", text) };
        let count = self.count.map(|text| read_count(&text)).transpose()?;
        Ok(Query {
            filter,
            sort_by: sort_by.map(|text| AttributePath::parse(&text, schema)).transpose()?,
            sort_order: self.sort_order.map_or(Ok(SortOrder::Ascending), |text| sort_order(&text))?,
            start_index: start_index.unwrap_or(1).max(1),
            count,
            cursor: self.cursor.map(|text| text.trim().to_owned()),
            projection: Projection::new(self.attributes.as_deref(), self.excluded_attributes.as_deref(), schema)?,
        })
    }
}

/// The fault for a page of no size that could be understood has a keyword of its own beside a cursor (RFC 9865
/// section 2.1).
fn cursor_count(text: &str) -> Result<usize, Fault> {
    number("count", text).map_err(|fault| Fault { kind: FaultKind::InvalidCount, ..fault })
}

/// A whole number of any size, of which all below zero are zero.
fn number(name: &str, text: &str) -> Result<usize, Fault> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(name, &format!("must be a whole number, not {}", quoted(text))));
    }
    let number = if text.starts_with('-') { 0 } else { digits.parse().unwrap_or(i64::MAX) };
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn sort_order(text: &str) -> Result<SortOrder, Fault> {
    match text.trim() {
        "" => Ok(SortOrder::Ascending),
        text if text.eq_ignore_ascii_case("ascending") => Ok(SortOrder::Ascending),
        text if text.eq_ignore_ascii_case("descending") => Ok(SortOrder::Descending),
        other => Err(invalid("sortOrder", &format!("must be ascending or descending, not {}", quoted(other)))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::ResourceKind;

    fn schema() -> ResourceSchema {
        ResourceSchema::standard(ResourceKind::User)
    }

    fn query(pairs: &[(&str, &str)]) -> Result<Query, Fault> {
        Query::from_pairs(pairs.iter().copied(), &schema())
    }

    #[test]
    fn the_probe_of_okta_asks_for_two_users() {
        let query = query(&[("startIndex", "1"), ("count", "2")]).unwrap();
        assert_eq!((query.start_index, query.count, query.filter), (1, Some(2), None));
    }

    #[test]
    fn names_come_in_any_case_and_junk_is_ignored() {
        let pairs = [("FILTER", "userName eq \"a\""), ("", ""), ("aadOptscim062020", ""), ("STARTINDEX", " 3 ")];
        let query = query(&pairs).unwrap();
        assert_eq!(query.filter.unwrap().to_string(), "userName eq \"a\"");
        assert_eq!((query.start_index, query.count), (3, None));
    }

    #[test]
    fn numbers_below_the_least_are_the_least() {
        for (sent, start_index, count) in [("0", 1, 0), ("-5", 1, 0), ("1", 1, 1)] {
            let query = query(&[("startIndex", sent), ("count", sent)]).unwrap();
            assert_eq!((query.start_index, query.count), (start_index, Some(count)));
        }
    }

    #[test]
    fn numbers_of_any_size_are_numbers() {
        let most = query(&[("startIndex", "99999999999999999999"), ("count", "99999999999999999999")]).unwrap();
        let limit = usize::try_from(i64::MAX).unwrap();
        assert_eq!((most.start_index, most.count), (limit, Some(limit)));
        let least = query(&[("startIndex", "-99999999999999999999"), ("count", "-99999999999999999999")]).unwrap();
        assert_eq!((least.start_index, least.count), (1, Some(0)));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for sent in ["", "x", "1.5", "1e3", "+", "- 1", "9999999999999999999x"] {
            assert_eq!(query(&[("count", sent)]).unwrap_err().kind, FaultKind::InvalidValue, "{sent}");
            assert!(query(&[("startIndex", sent)]).unwrap_err().detail.contains("startIndex"), "{sent}");
        }
    }

    #[test]
    fn a_cursor_may_be_empty_and_makes_the_start_index_meaningless() {
        let first = query(&[("cursor", ""), ("count", "10"), ("startIndex", "x")]).unwrap();
        assert_eq!((first.cursor.as_deref(), first.count, first.start_index), (Some(""), Some(10), 1));
        assert_eq!(query(&[("CURSOR", "abc")]).unwrap().cursor.as_deref(), Some("abc"));
        assert_eq!(query(&[("count", "10")]).unwrap().cursor, None);
        let body = json!({ "cursor": "", "count": 3 });
        assert_eq!(Query::from_search_request(body, &schema()).unwrap().cursor.as_deref(), Some(""));
    }

    #[test]
    fn beside_a_cursor_a_count_that_is_no_number_has_a_fault_of_its_own() {
        for count in ["x", "", "1.5"] {
            let fault = query(&[("cursor", ""), ("count", count)]).unwrap_err();
            assert_eq!(fault.kind, FaultKind::InvalidCount, "{count}");
        }
        assert_eq!(query(&[("cursor", ""), ("count", "-1")]).unwrap().count, Some(0));
    }

    #[test]
    fn an_empty_filter_is_refused() {
        assert_eq!(query(&[("filter", "")]).unwrap_err().kind, FaultKind::InvalidFilter);
    }

    #[test]
    fn sorting_is_ascending_unless_asked_otherwise() {
        let sorted = query(&[("sortBy", "NAME.familyname"), ("sortOrder", "Descending")]).unwrap();
        assert_eq!(sorted.sort_by.unwrap().to_string(), "name.familyName");
        assert_eq!(sorted.sort_order, SortOrder::Descending);
        assert_eq!(query(&[("sortBy", "")]).unwrap().sort_by, None);
        assert_eq!(query(&[]).unwrap().sort_order, SortOrder::Ascending);
        assert_eq!(query(&[("sortOrder", "up")]).unwrap_err().kind, FaultKind::InvalidValue);
    }

    #[test]
    fn a_search_request_says_the_same_in_json() {
        let body = json!({
            "schemas": ["whatever"], "FILTER": "title pr", "startIndex": 2, "count": "10", "sortOrder": null,
            "attributes": ["userName", "emails.value"], "excludedAttributes": "emails.type",
        });
        let searched = Query::from_search_request(body, &schema()).unwrap();
        assert_eq!((searched.start_index, searched.count), (2, Some(10)));
        assert_eq!(searched.filter.unwrap().to_string(), "title pr");
        let expected = Projection::new(Some("userName,emails.value"), Some("emails.type"), &schema()).unwrap();
        assert_eq!(searched.projection, expected);
    }

    #[test]
    fn a_malformed_search_request_is_refused() {
        for (body, kind) in [
            (json!([]), FaultKind::InvalidSyntax),
            (json!({ "filter": {} }), FaultKind::InvalidValue),
            (json!({ "attributes": [1] }), FaultKind::InvalidValue),
            (json!({ "count": true }), FaultKind::InvalidValue),
            (json!({ "count": 1.5 }), FaultKind::InvalidValue),
        ] {
            assert_eq!(Query::from_search_request(body.clone(), &schema()).unwrap_err().kind, kind, "{body}");
        }
    }
}
