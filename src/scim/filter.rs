//! Filters (RFC 7644 section 3.4.2.2).

use std::fmt;

use super::path::AttributePath;

mod check;
mod eval;
mod parse;

pub(super) use parse::parse_value_path;

/// A condition over a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them hold.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A value of the attribute compares so with the literal.
    #[allow(missing_docs)]
    Compare { path: AttributePath, op: Comparison, value: Literal },
    /// The attribute has a value.
    Present(AttributePath),
    /// One element of the attribute satisfies the inner filter, whose paths name sub-attributes.
    #[allow(missing_docs)]
    Complex { path: AttributePath, filter: Box<Filter> },
}

/// How a value is compared (RFC 7644 table 3).
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What a value is compared with.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    String(String),
    Integer(i64),
    Decimal(f64),
    Boolean(bool),
    Null,
}

impl Comparison {
    const ALL: [Self; 9] = [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    /// The operator as filters spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name().eq_ignore_ascii_case(word))
    }
}

impl Literal {
    /// The literal as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        match self {
            Self::String(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Decimal(number) => (*number).into(),
            Self::Boolean(flag) => (*flag).into(),
            Self::Null => serde_json::Value::Null,
        }
    }
}

impl Filter {
    /// Calls `visit` with the full path of every attribute that the filter mentions.
    pub fn paths(&self, visit: &mut dyn FnMut(&AttributePath)) {
        match self {
            Self::And(filters) | Self::Or(filters) => filters.iter().for_each(|filter| filter.paths(visit)),
            Self::Not(filter) => filter.paths(visit),
            Self::Compare { path, .. } | Self::Present(path) => visit(path),
            Self::Complex { path, filter } => filter.paths(&mut |inner| visit(&path.with_sub(&inner.attribute))),
        }
    }

    /// The names and values of a filter that only demands equality, such as `type eq "work" and primary eq true`.
    /// None for any other filter.
    #[must_use]
    pub fn simple_equalities(&self) -> Option<Vec<(&str, &Literal)>> {
        match self {
            Self::Compare { path: AttributePath { schema: None, attribute, sub: None }, op: Comparison::Eq, value } => {
                Some(vec![(attribute.as_str(), value)])
            }
            Self::And(filters) => {
                let parts: Option<Vec<_>> = filters.iter().map(Self::simple_equalities).collect();
                parts.map(|parts| parts.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    // `and` binds tighter than `or`, and a chain of the same operator is one list.
    fn join(filters: &[Self], word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, filter) in filters.iter().enumerate() {
            if index > 0 {
                write!(f, " {word} ")?;
            }
            match filter {
                Self::Or(_) | Self::And(_) => write!(f, "({filter})")?,
                _ => write!(f, "{filter}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(filters) => Self::join(filters, "and", f),
            Self::Or(filters) => Self::join(filters, "or", f),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Compare { path, op, value } => write!(f, "{path} {} {value}", op.name()),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Complex { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(_) => self.to_value().fmt(f),
            Self::Integer(number) => number.fmt(f),
            // The debug form keeps the fraction, without which the number would be read back as an integer.
            Self::Decimal(number) => write!(f, "{number:?}"),
            Self::Boolean(flag) => flag.fmt(f),
            Self::Null => f.write_str("null"),
        }
    }
}

#[cfg(test)]
mod tests;
