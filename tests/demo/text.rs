//! Requests made short enough to read.

use serde_json::{Map, Value};

/// How wide a line may get, without the margin.
const WIDTH: usize = 108;
/// How many lines a body may take.
const LINES: usize = 5;

/// The body without its schemas; of a resource that was read before, what differs.
pub fn brief(body: &Value, known: Option<&Value>) -> String {
    if let Some(known) = known {
        return format!("what was read, with {}", loose(&difference(body, known)));
    }
    let mut body = body.clone();
    body.as_object_mut().map(|body| body.shift_remove("schemas"));
    loose(&body)
}

/// What of `new` is not in `old`; lists are taken whole.
fn difference(new: &Value, old: &Value) -> Value {
    let (Value::Object(new), Value::Object(old)) = (new, old) else { return new.clone() };
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
    let parts = changed.map(|(name, value)| (name.clone(), difference(value, old.get(name).unwrap_or(&Value::Null))));
    Value::Object(parts.collect::<Map<_, _>>())
}

/// JSON on one line with blanks where people put them.
fn loose(value: &Value) -> String {
    let list = |open: char, parts: Vec<String>, close: char| format!("{open}{}{close}", parts.join(", "));
    match value {
        Value::Object(map) => {
            let parts = map.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), loose(value)));
            list('{', parts.collect(), '}')
        }
        Value::Array(values) => list('[', values.iter().map(loose).collect(), ']'),
        _ => value.to_string(),
    }
}

/// A text in a few lines, broken at blanks, cut where it is much too long.
pub fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push("…".to_owned());
    }
    lines
}

/// Ids by their first eight digits: nobody reads the others.
pub fn with_short_ids(text: &str) -> String {
    let short = |part: &str| match part.split_once('-') {
        Some((first, _)) if part.len() == 36 && first.len() == 8 => format!("{first}…"),
        _ => part.to_owned(),
    };
    text.split('/').map(short).collect::<Vec<_>>().join("/")
}
