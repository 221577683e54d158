//! Walks a table and notes everything that is wrong with it.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::diagnostic::{Findings, Origin, Spot};
use super::document::{Key, Node, Table, Value};
use super::mask::is_secret_name;
use super::readable::{Located, Readable};

/// Reads the keys of one table. Every key that is ever asked for counts as known; [`TableReader::finish`] reports
/// the others.
pub struct TableReader<'a> {
    table: &'a Table,
    name: String,
    spot: Spot,
    findings: &'a Findings,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> TableReader<'a> {
    /// A reader for `table`, called `name` in messages (`[server]`), that stands at `spot`.
    pub fn new(table: &'a Table, name: impl Into<String>, spot: Spot, findings: &'a Findings) -> Self {
        Self { table, name: name.into(), spot, findings, known: RefCell::default() }
    }

    /// Where the table stands.
    #[must_use]
    pub fn spot(&self) -> &Spot {
        &self.spot
    }

    /// The name of the table in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where mistakes go.
    #[must_use]
    pub fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The value of `key` as it stands.
    pub fn node(&self, key: &'static str) -> Option<&'a Node> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.get(key)
    }

    /// The value of `key`, when it is there and right.
    pub fn optional<T: Readable>(&self, key: &'static str) -> Option<Located<T>> {
        let node = self.node(key)?;
        let value = T::read(node);
        if value.is_none() {
            self.mistyped::<T>(key, node);
        }
        Some(Located { value: value?, spot: node.spot.clone() })
    }

    /// The value of `key`, which must be there; `example` is what could stand behind the `=`.
    pub fn required<T: Readable>(&self, key: &'static str, example: &str) -> Option<Located<T>> {
        if self.node(key).is_none() {
            self.missing(key, example);
        }
        self.optional(key)
    }

    /// A whole number within `range`.
    pub fn number(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<Located<u64>> {
        let node = self.node(key)?;
        if let Value::Integer(number) = node.value {
            let number = number.and_then(|number| u64::try_from(number).ok()).filter(|number| range.contains(number));
            if number.is_none() {
                let help = format!("write a number from {} to {}", range.start(), range.end());
                self.findings.report(&node.spot, format!("`{key}` is out of range"), help);
            }
            return Some(Located { value: number?, spot: node.spot.clone() });
        }
        self.optional(key)
    }

    /// A text that `parse` turns into something else; its reason for refusing is reported together with `help`.
    pub fn parsed<T, E: Display>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        help: &str,
    ) -> Option<Located<T>> {
        let text = self.optional::<String>(key)?;
        match parse(&text) {
            Ok(value) => Some(Located { value, spot: text.spot }),
            Err(reason) => {
                self.findings.report(&text.spot, reason.to_string(), Some(help.to_owned()).filter(|h| !h.is_empty()));
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Clone>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<Located<T>> {
        self.choice_or(key, choices, "")
    }

    /// One of a few words; `or` tells, for the help, what else can stand there.
    pub fn choice_or<T: Clone>(&self, key: &'static str, choices: &[(&str, T)], or: &str) -> Option<Located<T>> {
        let node = self.node(key)?;
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let Some(text) = String::read(node) else {
            let message = format!("`{key}` can't be {}", node.value.describe());
            self.findings.report(&node.spot, message, format!("write {}{or}", list("one of", "\"", &words)));
            return None;
        };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(Located { value: value.clone(), spot: node.spot.clone() });
        }
        let help = match nearest(&text, &words) {
            Some(near) => format!("did you mean \"{near}\"? {}{or}", list("It can be", "\"", &words)),
            None => format!("write {}{or}", list("one of", "\"", &words)),
        };
        self.findings.report(&node.spot, format!("`{key}` can't be \"{text}\""), help);
        None
    }

    /// The table under `key`.
    pub fn table(&self, key: &'static str) -> Option<TableReader<'a>> {
        let node = self.node(key)?;
        let name = match self.name.strip_suffix(']') {
            Some(outer) => format!("{outer}.{key}]"),
            None if self.name.starts_with("this ") => format!("`{key}` of {}", self.name),
            None => format!("[{key}]"),
        };
        self.reader_of(node, key, name)
    }

    /// The table under `key`, or an empty one when it isn't there.
    pub fn section(&self, key: &'static str) -> Option<TableReader<'a>> {
        static EMPTY: Table = Table::EMPTY;
        match self.node(key) {
            Some(_) => self.table(key),
            None => Some(TableReader::new(&EMPTY, format!("[{key}]"), self.spot.clone(), self.findings)),
        }
    }

    /// The tables under `key`, each with its name: `[key.NAME]`.
    pub fn named_tables(&self, key: &'static str) -> Vec<(&'a Key, TableReader<'a>)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::Table(table) = &node.value else {
            self.findings.report(
                &node.spot,
                format!("`{key}` must be tables with a name each, and is {}", node.value.describe()),
                format!("write [{key}.NAME] on a line of its own and the keys below it"),
            );
            return Vec::new();
        };
        let read = |(name, node): &'a (Key, Node)| {
            let reader = self.reader_of(node, &name.name, format!("[{key}.{}]", name.name))?;
            Some((name, reader))
        };
        table.iter().filter_map(read).collect()
    }

    /// The tables in the list under `key`: `[[key]]`, or `[{..}, {..}]`.
    pub fn list_of_tables(&self, key: &'static str, name: &str, example: &str) -> Vec<TableReader<'a>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.findings.report(
                &node.spot,
                format!("`{key}` must be a list of tables, and is {}", node.value.describe()),
                format!("write {example}"),
            );
            return Vec::new();
        };
        let read = |item: &'a Node| match &item.value {
            Value::Table(table) => Some(TableReader::new(table, name, item.spot.clone(), self.findings)),
            other => {
                let message = format!("every item of `{key}` must be a table, and this is {}", other.describe());
                self.findings.report(&item.spot, message, format!("write {example}"));
                None
            }
        };
        items.iter().filter_map(read).collect()
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter() {
            if known.contains(&key.name.as_str()) {
                continue;
            }
            let help = match nearest(&key.name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => list("known keys here are", "`", &known),
            };
            self.findings.report(&key.spot, format!("unknown key `{}` in {}", key.name, self.name), help);
        }
    }

    /// Reports that `key` is not there.
    pub fn missing(&self, key: &str, example: &str) {
        if self.findings.is_broken(&self.spot.origin) {
            return;
        }
        let message = format!("{} lacks `{key}`", self.name);
        self.findings.report(&self.spot, message, format!("add `{key} = {example}`"));
    }

    fn reader_of(&self, node: &'a Node, key: &str, name: String) -> Option<TableReader<'a>> {
        if let Value::Table(table) = &node.value {
            return Some(TableReader::new(table, name, node.spot.clone(), self.findings));
        }
        let message = format!("`{key}` must be a table, and is {}", node.value.describe());
        self.findings.report(&node.spot, message, format!("write {name} on a line of its own and the keys below it"));
        None
    }

    fn mistyped<T: Readable>(&self, key: &str, node: &Node) {
        let found = match &node.value {
            Value::Integer(None) => "a number too large",
            Value::Integer(Some(number)) if *number < 0 => "a negative number",
            value => value.describe(),
        };
        let example = if is_secret_name(key) { "\"...\"".to_owned() } else { T::example(node) };
        let message = match node.value {
            Value::Text(_) => format!("`{key}` must be {}", T::EXPECTED),
            _ => format!("`{key}` must be {}, and is {found}", T::EXPECTED),
        };
        let help = match &node.spot.origin {
            Origin::File(_) => format!("write `{key} = {example}`"),
            Origin::Variable(variable) => format!("write {}={example}", variable.name),
        };
        self.findings.report(&node.spot, message, help);
    }
}

/// The word nearest to `text`, if one is near enough to have been meant.
#[must_use]
pub fn nearest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let text = text.to_lowercase();
    let scored = words.iter().map(|word| (strsim::normalized_damerau_levenshtein(&text, &word.to_lowercase()), *word));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score >= 0.6).map(|(_, word)| word)
}

fn list(intro: &str, quote: &str, words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{quote}{word}{quote}")).collect();
    format!("{intro} {}", quoted.join(", "))
}
