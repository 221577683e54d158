//! A TOML document as a tree whose every key and value knows where it stands.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Findings, Origin, Source, Spot, Variable};

/// A value and where it stands.
#[derive(Clone)]
pub struct Node {
    /// What it says.
    pub value: Value,
    /// Where it says so.
    pub spot: Spot,
}

/// What TOML can say.
#[derive(Clone)]
#[allow(missing_docs)]
pub enum Value {
    Text(String),
    /// `None`: does not fit 64 bits.
    Integer(Option<i64>),
    Decimal(f64),
    Boolean(bool),
    Moment(String),
    List(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The kind of value, in words that follow "is".
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Decimal(_) => "a decimal number",
            Self::Boolean(true) => "true",
            Self::Boolean(false) => "false",
            Self::Moment(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// A key and where it stands.
#[derive(Debug, Clone)]
pub struct Key {
    /// As written, without quotes.
    pub name: String,
    /// Where.
    pub spot: Spot,
}

/// Keys with their values, in the order of the file.
#[derive(Clone, Default)]
pub struct Table(Vec<(Key, Node)>);

impl Table {
    /// A table without keys.
    pub const EMPTY: Self = Self(Vec::new());

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(known, _)| known.name == key).map(|(_, node)| node)
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, Node)> {
        self.0.iter()
    }

    /// The value of `key` in any case, which is made with `make` when there is none.
    pub fn entry(&mut self, key: &str, make: impl FnOnce() -> (Key, Node)) -> Option<&mut Node> {
        let known = self.0.iter().position(|(known, _)| known.name.eq_ignore_ascii_case(key));
        let at = known.unwrap_or_else(|| {
            self.0.push(make());
            self.0.len() - 1
        });
        self.0.get_mut(at).map(|(_, node)| node)
    }
}

/// Reads a document; what the parser could not make sense of goes to `findings` and is left out.
pub fn parse(source: &Arc<Source>, findings: &Findings) -> Table {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let origin = Origin::File(source.clone());
    for error in errors {
        findings.add_syntax_error(syntax_error(&origin, &error));
    }
    convert_table(root.get_ref(), &origin)
}

/// Reads the value of an environment variable: a TOML value where it is one, a text otherwise.
#[must_use]
pub fn parse_variable(variable: &Arc<Variable>) -> Node {
    let origin = Origin::Variable(variable.clone());
    let spot = Spot { origin: origin.clone(), span: 0..variable.value.len() };
    let value = match DeValue::parse(variable.value.trim()) {
        Ok(value) => convert_value(value.get_ref(), &origin),
        Err(_) => Value::Text(variable.value.clone()),
    };
    Node { value, spot }
}

fn convert_table(table: &DeTable<'_>, origin: &Origin) -> Table {
    let mut entries: Vec<(Key, Node)> = table
        .iter()
        .map(|(key, value)| {
            let key_spot = Spot { origin: origin.clone(), span: key.span() };
            (Key { name: key.get_ref().to_string(), spot: key_spot }, convert_node(value, origin))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.spot.span.start);
    Table(entries)
}

fn convert_node(value: &Spanned<DeValue<'_>>, origin: &Origin) -> Node {
    Node {
        value: convert_value(value.get_ref(), origin),
        spot: Spot { origin: origin.clone(), span: on_one_line(origin, value.span()) },
    }
}

fn convert_value(value: &DeValue<'_>, origin: &Origin) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Decimal(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| convert_node(item, origin)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, origin)),
    }
}

/// A table or list over many lines is pointed at where it begins.
fn on_one_line(origin: &Origin, span: Range<usize>) -> Range<usize> {
    let text = origin.text().get(span.clone()).unwrap_or_default();
    let first_line = text.lines().next().unwrap_or_default();
    let is_string = text.starts_with(['"', '\'']);
    if is_string { span } else { span.start..span.start + first_line.len() }
}

fn syntax_error(origin: &Origin, error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    let help = if message.starts_with("duplicate key") {
        Some("keep one of the two; a table such as [server] may stand in a file only once")
    } else if message.contains("string values must be quoted") {
        Some("put the value in quotes: key = \"value\"")
    } else if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        Some("close the text with the same quote it begins with, on the same line")
    } else if message.contains("escape") || message.contains("unicode") {
        Some("a backslash in \"...\" must be doubled; or use single quotes, in which it stands for itself: 'C:\\x'")
    } else {
        None
    };
    Diagnostic {
        origin: origin.clone(),
        span: Some(error.span().unwrap_or(0..0)),
        message: message.to_owned(),
        help: help.map(str::to_owned),
    }
}
