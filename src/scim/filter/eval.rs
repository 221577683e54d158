//! Whether a resource, or one element of an attribute, satisfies a filter.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, Filter, Literal};
use crate::scim::path::AttributePath;
use crate::scim::resource::Resource;
use crate::scim::schema::{Attribute, AttributeType, ResourceSchema};
use crate::scim::text;

impl Filter {
    /// Whether `resource` satisfies the filter. Of an attribute with several values one that does is enough;
    /// `ne` is the opposite of `eq`, so it holds where there is no value.
    #[must_use]
    pub fn matches(&self, resource: &Resource, schema: &ResourceSchema) -> bool {
        match self {
            Self::And(filters) => filters.iter().all(|filter| filter.matches(resource, schema)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(resource, schema)),
            Self::Not(filter) => !filter.matches(resource, schema),
            Self::Present(path) => resource.any_value(path, &mut is_present),
            Self::Compare { path, op, value } => {
                let rule = Rule::of(schema.deepest(path));
                compare(*op, value, &mut |test| resource.any_value(path, &mut |found| test(found, rule)))
            }
            Self::Complex { path, filter } => schema
                .top(path)
                .is_some_and(|parent| resource.any_value(path, &mut |element| filter.matches_element(element, parent))),
        }
    }

    /// Whether one element of the attribute `parent` satisfies the filter, whose paths name sub-attributes. An element
    /// that has no parts is its own `value`.
    #[must_use]
    pub fn matches_element(&self, element: &Value, parent: &Attribute) -> bool {
        match self {
            Self::And(filters) => filters.iter().all(|filter| filter.matches_element(element, parent)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches_element(element, parent)),
            Self::Not(filter) => !filter.matches_element(element, parent),
            Self::Present(path) => part(element, path).is_some_and(is_present),
            Self::Compare { path, op, value } => {
                let rule =
                    Rule::of(if parent.is_complex() { parent.sub_attribute(&path.attribute) } else { Some(parent) });
                compare(*op, value, &mut |test| part(element, path).is_some_and(|found| test(found, rule)))
            }
            Self::Complex { .. } => false,
        }
    }
}

fn part<'v>(element: &'v Value, path: &AttributePath) -> Option<&'v Value> {
    match element {
        Value::Object(members) => members.get(&path.attribute),
        scalar => (path.attribute.eq_ignore_ascii_case("value")).then_some(scalar),
    }
}

/// Whether a value counts as one: null, empty text and empty collections are the absence of a value.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// How values of an attribute are compared.
#[derive(Clone, Copy)]
struct Rule {
    exact: bool,
    instant: bool,
}

impl Rule {
    fn of(attribute: Option<&Attribute>) -> Self {
        // `value` stands for a complex attribute as a whole.
        let attribute = attribute.map(|it| it.sub_attribute("value").unwrap_or(it));
        Self {
            exact: attribute.is_some_and(|it| it.case_exact),
            instant: attribute.is_some_and(|it| it.kind == AttributeType::DateTime),
        }
    }
}

type Test<'t> = &'t dyn Fn(&Value, Rule) -> bool;

fn compare(op: Comparison, literal: &Literal, any: &mut dyn FnMut(Test) -> bool) -> bool {
    match (op, literal) {
        (Comparison::Eq, Literal::Null) => !any(&|value, _| is_present(value)),
        (Comparison::Ne, Literal::Null) => any(&|value, _| is_present(value)),
        (_, Literal::Null) => false,
        (Comparison::Ne, _) => !any(&|value, rule| satisfies(value, Comparison::Eq, literal, rule)),
        _ => any(&|value, rule| satisfies(value, op, literal, rule)),
    }
}

fn satisfies(value: &Value, op: Comparison, literal: &Literal, rule: Rule) -> bool {
    match (value, literal) {
        (Value::Object(members), _) => {
            members.get("value").is_some_and(|inner| !inner.is_object() && satisfies(inner, op, literal, rule))
        }
        (Value::String(text), Literal::String(wanted)) => text_satisfies(text, op, wanted, rule),
        (Value::Bool(flag), Literal::Boolean(wanted)) => op == Comparison::Eq && flag == wanted,
        (Value::Number(number), Literal::Integer(wanted)) => {
            let order = match number.as_i64() {
                Some(integer) => Some(integer.cmp(wanted)),
                None => number.as_f64().and_then(|decimal| decimal.partial_cmp(&to_decimal(*wanted))),
            };
            order.is_some_and(|order| in_order(order, op))
        }
        (Value::Number(number), Literal::Decimal(wanted)) => {
            number.as_f64().and_then(|decimal| decimal.partial_cmp(wanted)).is_some_and(|order| in_order(order, op))
        }
        _ => false,
    }
}

#[allow(clippy::cast_precision_loss)]
const fn to_decimal(integer: i64) -> f64 {
    integer as f64
}

fn text_satisfies(text: &str, op: Comparison, wanted: &str, rule: Rule) -> bool {
    if rule.instant
        && let (Some(instant), Some(wanted)) = (text::instant(text), text::instant(wanted))
    {
        return in_order(instant.cmp(&wanted), op);
    }
    match op {
        Comparison::Eq => text::equal(text, wanted, rule.exact),
        Comparison::Co => text::contains(text, wanted, rule.exact),
        Comparison::Sw => text::starts_with(text, wanted, rule.exact),
        Comparison::Ew => text::ends_with(text, wanted, rule.exact),
        _ => in_order(text::order(text, wanted, rule.exact), op),
    }
}

const fn in_order(order: Ordering, op: Comparison) -> bool {
    match op {
        Comparison::Eq => order.is_eq(),
        Comparison::Gt => order.is_gt(),
        Comparison::Ge => order.is_ge(),
        Comparison::Lt => order.is_lt(),
        Comparison::Le => order.is_le(),
        Comparison::Ne | Comparison::Co | Comparison::Sw | Comparison::Ew => false,
    }
}
