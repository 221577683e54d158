//! Reading filters, by recursive descent.

use super::{Comparison, Filter, Literal, check};
use crate::scim::fault::{Fault, FaultKind};
use crate::scim::path::{AttributePath, Named, is_name, named};
use crate::scim::schema::{Attribute, ResourceSchema};
use crate::scim::text::quoted;

const MAX_BYTES: usize = 16 * 1024;
const MAX_DEPTH: usize = 64;

impl Filter {
    /// Reads a filter. Operators and attribute names may be in any case; a comparison with a complex attribute is
    /// read as one with its `value`; `"True"` compared with a boolean attribute is the boolean.
    ///
    /// # Errors
    /// [`FaultKind::InvalidFilter`], with the column, if the filter is empty, malformed, longer than 16 KiB,
    /// nested deeper than 64 levels, or compares in a way that makes no sense for the type of the attribute.
    pub fn parse(text: &str, schema: &ResourceSchema) -> Result<Self, Fault> {
        let mut parser = Parser { text, at: 0, depth: 0, scope: Scope::Resource(schema) };
        parser.check_length()?;
        parser.skip_blanks();
        if parser.at == text.len() {
            return Err(parser.fault(0, "it is empty. Leave the parameter out to get everything"));
        }
        let filter = parser.any_of()?;
        parser.skip_blanks();
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(parser.unexpected("`and`, `or` or the end")),
        }
    }
}

/// Reads the filter in brackets of a PATCH path, from `start` on, with what follows the closing bracket.
pub(in crate::scim) fn parse_value_path<'t>(
    text: &'t str,
    start: usize,
    attribute: Option<&Attribute>,
) -> Result<(Filter, &'t str), Fault> {
    let mut parser = Parser { text, at: start, depth: 0, scope: Scope::Element(attribute) };
    parser.check_length()?;
    let filter = parser.any_of()?;
    parser.close(b']')?;
    Ok((filter, parser.text.get(parser.at..).unwrap_or_default()))
}

#[derive(Clone, Copy)]
enum Scope<'s> {
    /// Names are attributes of the resource.
    Resource(&'s ResourceSchema),
    /// Names are sub-attributes of this attribute, if it is known.
    Element(Option<&'s Attribute>),
}

struct Parser<'t, 's> {
    text: &'t str,
    at: usize,
    depth: usize,
    scope: Scope<'s>,
}

impl<'t, 's> Parser<'t, 's> {
    fn any_of(&mut self) -> Result<Filter, Fault> {
        let first = self.all_of()?;
        if !self.keyword("or") {
            return Ok(first);
        }
        let mut filters = Vec::new();
        append_or(&mut filters, first);
        loop {
            append_or(&mut filters, self.all_of()?);
            if !self.keyword("or") {
                return Ok(Filter::Or(filters));
            }
        }
    }

    fn all_of(&mut self) -> Result<Filter, Fault> {
        let first = self.term()?;
        if !self.keyword("and") {
            return Ok(first);
        }
        let mut filters = Vec::new();
        append_and(&mut filters, first);
        loop {
            append_and(&mut filters, self.term()?);
            if !self.keyword("and") {
                return Ok(Filter::And(filters));
            }
        }
    }

    fn term(&mut self) -> Result<Filter, Fault> {
        self.skip_blanks();
        if self.peek() == Some(b'(') {
            return self.group();
        }
        let start = self.at;
        let word = self.word();
        if word.is_empty() {
            return Err(self.unexpected("the name of an attribute"));
        }
        self.skip_blanks();
        if word.eq_ignore_ascii_case("not") && self.peek() == Some(b'(') {
            return Ok(Filter::Not(Box::new(self.group()?)));
        }
        let (path, attribute) = self.resolve(word, start)?;
        if self.peek() == Some(b'[') {
            return self.complex(path, attribute, start);
        }
        self.comparison(path, attribute, start)
    }

    fn group(&mut self) -> Result<Filter, Fault> {
        self.open()?;
        let filter = self.any_of()?;
        self.close(b')')?;
        Ok(filter)
    }

    /// `attribute[filter]`, perhaps with `.sub op value` behind it, which Entra ID sends.
    fn complex(&mut self, path: AttributePath, top: Option<&'s Attribute>, start: usize) -> Result<Filter, Fault> {
        let outer = self.scope;
        if path.sub.is_some() || matches!(outer, Scope::Element(_)) {
            return Err(self.fault(start, "brackets can only follow the name of an attribute, not of a sub-attribute"));
        }
        self.open()?;
        self.scope = Scope::Element(top);
        let mut filter = self.any_of()?;
        self.close(b']')?;
        if self.peek() == Some(b'.') {
            self.at += 1;
            let start = self.at;
            let word = self.word();
            let (inner, attribute) = self.resolve(word, start)?;
            self.skip_blanks();
            let mut filters = Vec::new();
            append_and(&mut filters, filter);
            filters.push(self.comparison(inner, attribute, start)?);
            filter = Filter::And(filters);
        }
        self.scope = outer;
        Ok(Filter::Complex { path, filter: Box::new(filter) })
    }

    fn comparison(
        &mut self,
        path: AttributePath,
        attribute: Option<&'s Attribute>,
        start: usize,
    ) -> Result<Filter, Fault> {
        let op_start = self.at;
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            check::filterable(attribute).map_err(|why| self.fault(start, &why))?;
            return Ok(Filter::Present(path));
        }
        let Some(op) = Comparison::parse(word) else {
            let found = if word.is_empty() { self.found() } else { quoted(word) };
            let why = format!("expected an operator (eq, ne, co, sw, ew, gt, ge, lt, le, pr), found {found}");
            return Err(self.fault(op_start, &why));
        };
        self.skip_blanks();
        let value_start = self.at;
        let value = self.literal()?;
        let in_element = matches!(self.scope, Scope::Element(_));
        check::comparison(path, attribute, op, value, in_element).map_err(|problem| match problem {
            check::Problem::Attribute(why) => self.fault(start, &why),
            check::Problem::Operator(why) => self.fault(op_start, &why),
            check::Problem::Value(why) => self.fault(value_start, &why),
        })
    }

    fn resolve(&self, word: &str, start: usize) -> Result<(AttributePath, Option<&'s Attribute>), Fault> {
        match self.scope {
            Scope::Resource(schema) => match named(word, schema) {
                Ok(Named::Attribute(path, attribute)) => Ok((path, attribute)),
                Ok(Named::Schema(_)) => Err(self.fault(start, "a schema is named here where an attribute belongs")),
                Err(_) => Err(self.fault(start, &format!("{} is not the name of an attribute", quoted(word)))),
            },
            Scope::Element(parent) if is_name(word) => {
                let attribute = parent.and_then(|parent| sub_attribute(parent, word));
                let name = attribute.filter(|it| it.name.eq_ignore_ascii_case(word)).map_or(word, |it| &it.name);
                Ok((AttributePath::core(name), attribute))
            }
            Scope::Element(_) => {
                Err(self.fault(start, &format!("{} is not the name of a sub-attribute", quoted(word))))
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, Fault> {
        if self.peek() == Some(b'"') {
            return self.string().map(Literal::String);
        }
        let start = self.at;
        let word = self.word();
        if word.eq_ignore_ascii_case("true") {
            return Ok(Literal::Boolean(true));
        }
        if word.eq_ignore_ascii_case("false") {
            return Ok(Literal::Boolean(false));
        }
        if word.eq_ignore_ascii_case("null") {
            return Ok(Literal::Null);
        }
        if let Some(number) = number(word) {
            return Ok(number);
        }
        let found = if word.is_empty() { self.found() } else { quoted(word) };
        Err(self.fault(start, &format!("expected a value, found {found}. Text must stand in double quotes")))
    }

    /// A JSON string (RFC 8259 section 7).
    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let rest = self.text.get(start + 1..).unwrap_or_default();
        let mut escaped = false;
        let mut plain = true;
        let end = rest.bytes().position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            plain = plain && byte != b'\\' && byte >= 0x20;
            closes
        });
        let Some(end) = end else {
            return Err(self.fault(start, "the closing double quote is missing"));
        };
        self.at = start + end + 2;
        if plain {
            return Ok(rest.get(..end).unwrap_or_default().to_owned());
        }
        let text = serde_json::from_str::<String>(self.text.get(start..self.at).unwrap_or_default());
        match text {
            Ok(text) if !text.contains('\0') => Ok(text),
            _ => {
                Err(self
                    .fault(start, "the value is not a JSON string: escape \\ as \\\\ and use no control characters"))
            }
        }
    }

    /// Everything up to a blank, a parenthesis, a bracket or a quote.
    fn word(&mut self) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_end = |byte: u8| is_blank(byte) || matches!(byte, b'(' | b')' | b'[' | b']' | b'"');
        let end = rest.bytes().position(is_end).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        let before = self.at;
        if self.word().eq_ignore_ascii_case(keyword) {
            return true;
        }
        self.at = before;
        false
    }

    fn open(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(self.at, &format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        self.at += 1;
        Ok(())
    }

    fn close(&mut self, bracket: u8) -> Result<(), Fault> {
        self.skip_blanks();
        if self.peek() != Some(bracket) {
            return Err(self.unexpected(&format!("`and`, `or` or `{}`", char::from(bracket))));
        }
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    fn check_length(&self) -> Result<(), Fault> {
        if self.text.len() <= MAX_BYTES {
            return Ok(());
        }
        let detail = format!("The filter is {} bytes long; at most {MAX_BYTES} are allowed.", self.text.len());
        Err(Fault::new(FaultKind::InvalidFilter, detail))
    }

    fn found(&self) -> String {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            None => "the end".to_owned(),
            Some(character) => quoted(character.encode_utf8(&mut [0; 4])),
        }
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let start = self.at;
        let word = Parser { text: self.text, at: self.at, depth: 0, scope: self.scope }.word();
        let found = if word.is_empty() { self.found() } else { quoted(word) };
        self.fault(start, &format!("expected {expected}, found {found}"))
    }

    fn fault(&self, at: usize, why: &str) -> Fault {
        let column = self.text.get(..at).map_or(at, |before| before.chars().count()) + 1;
        Fault::new(FaultKind::InvalidFilter, format!("The filter is wrong at column {column}: {why}."))
    }
}

/// A JSON number (RFC 8259 section 6).
fn number(word: &str) -> Option<Literal> {
    serde_json::from_str::<serde_json::Number>(word).ok()?;
    // serde_json may be off in the last digit of a fraction.
    let decimal = || word.parse().ok().filter(|decimal: &f64| decimal.is_finite()).map(Literal::Decimal);
    word.parse().ok().map(Literal::Integer).or_else(decimal)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The sub-attribute called `name`; `value` of an attribute without parts is the attribute itself.
fn sub_attribute<'s>(parent: &'s Attribute, name: &str) -> Option<&'s Attribute> {
    parent
        .sub_attribute(name)
        .or_else(|| (!parent.is_complex() && name.eq_ignore_ascii_case("value")).then_some(parent))
}

fn append_and(filters: &mut Vec<Filter>, filter: Filter) {
    match filter {
        Filter::And(inner) => filters.extend(inner),
        other => filters.push(other),
    }
}

fn append_or(filters: &mut Vec<Filter>, filter: Filter) {
    match filter {
        Filter::Or(inner) => filters.extend(inner),
        other => filters.push(other),
    }
}
