//! Rust types that a value of a table can be read as.

use std::ops::Deref;
use std::time::Duration;

use super::diagnostic::{Origin, Place, Spot};
use super::document::{Node, Table, Value};

/// A value that was read, and where it stands.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub spot: Spot,
}

impl<T> Located<T> {
    /// File, line and column.
    pub fn place(&self) -> Place {
        self.spot.place()
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A type that knows how it is written in a table.
pub trait Readable: Sized {
    /// What the value must be, in words that follow "must be".
    const EXPECTED: &'static str;

    /// The value, or `None` when `node` is something else.
    fn read(node: &Node) -> Option<Self>;

    /// What to write, as the right-hand side of an example; may take up what was written instead.
    fn example(node: &Node) -> String;
}

/// The text of an environment variable as it was given, unless it is a quoted TOML string.
fn raw(node: &Node) -> Option<&str> {
    match (&node.value, &node.spot.origin) {
        (Value::Text(text), _) => Some(text),
        (_, Origin::Variable(variable)) => Some(&variable.value),
        _ => None,
    }
}

/// A scalar as it could be written inside quotes.
fn in_quotes(node: &Node) -> Option<String> {
    let written = node.spot.origin.text().get(node.spot.span.clone())?;
    let scalar = !matches!(node.value, Value::List(_) | Value::Table(_));
    let plain = written.trim_matches(['"', '\'']);
    (scalar && !plain.contains(['"', '\\', '\n']) && !plain.is_empty()).then(|| format!("\"{plain}\""))
}

impl Readable for String {
    const EXPECTED: &'static str = "a text in quotes";

    fn read(node: &Node) -> Option<Self> {
        raw(node).map(str::to_owned)
    }

    fn example(node: &Node) -> String {
        in_quotes(node).unwrap_or_else(|| "\"...\"".to_owned())
    }
}

impl Readable for bool {
    const EXPECTED: &'static str = "true or false, without quotes";

    fn read(node: &Node) -> Option<Self> {
        match node.value {
            Value::Boolean(flag) => Some(flag),
            _ => None,
        }
    }

    fn example(node: &Node) -> String {
        match &node.value {
            Value::Text(text) if matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0") => "false",
            Value::Integer(Some(0)) => "false",
            _ => "true",
        }
        .to_owned()
    }
}

impl Readable for u64 {
    const EXPECTED: &'static str = "a whole number, without quotes";

    fn read(node: &Node) -> Option<Self> {
        match node.value {
            Value::Integer(Some(number)) => Self::try_from(number).ok(),
            _ => None,
        }
    }

    fn example(node: &Node) -> String {
        match &node.value {
            Value::Text(text) if text.trim().parse::<u32>().is_ok() => text.trim().to_owned(),
            _ => "10".to_owned(),
        }
    }
}

/// A list of texts; a single text will do, and in the environment one with commas.
impl Readable for Vec<Located<String>> {
    const EXPECTED: &'static str = "a list of texts in quotes";

    fn read(node: &Node) -> Option<Self> {
        let one = |text: &str, spot: &Spot| Located { value: text.to_owned(), spot: spot.clone() };
        match (&node.value, &node.spot.origin) {
            (Value::List(items), _) => items
                .iter()
                .map(|item| match &item.value {
                    Value::Text(text) => Some(one(text, &item.spot)),
                    _ => None,
                })
                .collect(),
            (Value::Text(text), Origin::Variable(_)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(parts.map(|part| one(part, &node.spot)).collect())
            }
            (Value::Text(text), Origin::File(_)) => Some(vec![one(text, &node.spot)]),
            _ => None,
        }
    }

    fn example(node: &Node) -> String {
        format!("[{}]", in_quotes(node).unwrap_or_else(|| "\"...\", \"...\"".to_owned()))
    }
}

impl Readable for Duration {
    const EXPECTED: &'static str = "a time: a number of seconds, or a text with a unit";

    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Integer(Some(seconds)) => u64::try_from(*seconds).ok().map(Self::from_secs),
            Value::Decimal(seconds) => Self::try_from_secs_f64(*seconds).ok(),
            Value::Text(text) => {
                let units = [("ms", 0.001), ("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3600.0)];
                let (number, unit) = number_and_unit(text)?;
                let (_, seconds) = units.iter().find(|(name, _)| *name == unit)?;
                Self::try_from_secs_f64(number * seconds).ok()
            }
            _ => None,
        }
    }

    fn example(_: &Node) -> String {
        "\"5s\"".to_owned()
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl Readable for Bytes {
    const EXPECTED: &'static str = "a size: a number of bytes, or a text with a unit";

    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Integer(Some(bytes)) => u64::try_from(*bytes).ok().map(Self),
            Value::Text(text) => {
                let (number, unit) = text.trim().split_at(text.trim().find(|c: char| !c.is_ascii_digit())?);
                let shift = match unit.trim().to_ascii_lowercase().as_str() {
                    "kib" | "k" => 10,
                    "mib" | "m" => 20,
                    "gib" | "g" => 30,
                    _ => return None,
                };
                number.parse::<u64>().ok()?.checked_mul(1 << shift).map(Self)
            }
            _ => None,
        }
    }

    fn example(_: &Node) -> String {
        "\"8 MiB\"".to_owned()
    }
}

fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?);
    Some((number.parse().ok()?, unit.trim()))
}

/// A table as a value; in the environment an inline table (`{ a = 1 }`).
impl Readable for Table {
    const EXPECTED: &'static str = "a table";

    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Table(table) => Some(table.clone()),
            _ => None,
        }
    }

    fn example(_: &Node) -> String {
        "{ ... }".to_owned()
    }
}
