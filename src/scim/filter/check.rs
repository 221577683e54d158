//! Whether a comparison makes sense for the type of the attribute (RFC 7644 table 3).

use super::{Comparison, Filter, Literal};
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, AttributeType, Mutability, Returned};
use crate::scim::text;

/// Which part of the comparison is at fault, and why.
pub(super) enum Problem {
    Attribute(String),
    Operator(String),
    Value(String),
}

/// Refuses attributes that are never shown: a filter would let their values be guessed.
pub(super) fn filterable(attribute: Option<&Attribute>) -> Result<(), String> {
    match attribute {
        Some(it) if it.mutability == Mutability::WriteOnly || it.returned == Returned::Never => {
            Err(format!("{} cannot be used in a filter", it.name))
        }
        _ => Ok(()),
    }
}

/// A comparison with the literal in the type of the attribute. One with a complex attribute is one with its `value`.
pub(super) fn comparison(
    path: AttributePath,
    attribute: Option<&Attribute>,
    op: Comparison,
    value: Literal,
    in_element: bool,
) -> Result<Filter, Problem> {
    filterable(attribute).map_err(Problem::Attribute)?;
    if value == Literal::Null && !matches!(op, Comparison::Eq | Comparison::Ne) {
        return Err(Problem::Operator(format!("null can only be compared by eq and ne, not by {}", op.name())));
    }
    let Some(attribute) = attribute else { return Ok(Filter::Compare { path, op, value }) };
    if !attribute.is_complex() {
        let value = convert(attribute, op, value)?;
        return Ok(Filter::Compare { path, op, value });
    }
    let Some(part) = attribute.sub_attribute("value").filter(|_| !in_element) else {
        let why = format!("{} has parts and cannot be compared as a whole; name one of its parts", attribute.name);
        return Err(Problem::Attribute(why));
    };
    let value = convert(part, op, value)?;
    Ok(Filter::Compare { path: path.with_sub(&part.name), op, value })
}

fn convert(attribute: &Attribute, op: Comparison, value: Literal) -> Result<Literal, Problem> {
    if !allowed(attribute.kind, op) {
        let (name, kind) = (&attribute.name, attribute.kind.name());
        return Err(Problem::Operator(format!("{name} is of type {kind} and cannot be compared by {}", op.name())));
    }
    if value == Literal::Null {
        return Ok(value);
    }
    fitting(attribute.kind, value).map_err(|value| {
        let (name, kind) = (&attribute.name, attribute.kind.name());
        Problem::Value(format!("{name} is of type {kind}, {value} is not"))
    })
}

const fn allowed(kind: AttributeType, op: Comparison) -> bool {
    match op {
        Comparison::Eq | Comparison::Ne => true,
        Comparison::Co | Comparison::Sw | Comparison::Ew => {
            matches!(kind, AttributeType::String | AttributeType::Reference)
        }
        Comparison::Gt | Comparison::Ge | Comparison::Lt | Comparison::Le => {
            !matches!(kind, AttributeType::Boolean | AttributeType::Binary | AttributeType::Complex)
        }
    }
}

/// The literal in the type of the attribute; or back unchanged when it cannot be.
fn fitting(kind: AttributeType, value: Literal) -> Result<Literal, Literal> {
    match (kind, value) {
        (AttributeType::Boolean, Literal::String(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Literal::Boolean(true))
        }
        (AttributeType::Boolean, Literal::String(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Literal::Boolean(false))
        }
        (AttributeType::DateTime, Literal::String(text)) if text::instant(&text).is_none() => {
            Err(Literal::String(text))
        }
        (AttributeType::Integer, Literal::String(text)) => {
            text.parse().map(Literal::Integer).map_err(|_| Literal::String(text))
        }
        (AttributeType::Decimal, Literal::String(text)) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Decimal(number)),
            _ => Err(Literal::String(text)),
        },
        (AttributeType::String, number @ (Literal::Integer(_) | Literal::Decimal(_))) => {
            Ok(Literal::String(number.to_string()))
        }
        (
            AttributeType::String | AttributeType::Reference | AttributeType::Binary | AttributeType::DateTime,
            value @ Literal::String(_),
        )
        | (AttributeType::Boolean, value @ Literal::Boolean(_))
        | (AttributeType::Integer | AttributeType::Decimal, value @ (Literal::Integer(_) | Literal::Decimal(_))) => {
            Ok(value)
        }
        (_, value) => Err(value),
    }
}
