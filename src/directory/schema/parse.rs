//! Reading the definitions of a schema (RFC 4512 section 4.1), and what servers make of them: quoted OIDs, keywords
//! in any order, keywords of their own.

use std::iter::Peekable;

use super::{AttributeType, ClassKind, ContentRule, ObjectClass};

pub(super) fn attribute_type(text: &str) -> Option<AttributeType> {
    let mut attribute = AttributeType::default();
    attribute.oid = read(text, |keyword, mut values| match keyword {
        "NAME" => attribute.names = values,
        "OBSOLETE" => attribute.obsolete = true,
        "SUP" => attribute.sup = values.pop(),
        "EQUALITY" => attribute.equality = values.pop(),
        "ORDERING" => attribute.ordering = values.pop(),
        "SUBSTR" => attribute.substring = values.pop(),
        "SYNTAX" => (attribute.syntax, attribute.length) = syntax(&values),
        "SINGLE-VALUE" => attribute.single_value = true,
        "NO-USER-MODIFICATION" => attribute.no_user_modification = true,
        "USAGE" => attribute.operational = values.first().is_some_and(|usage| usage != "userApplications"),
        _ => {}
    })?;
    Some(attribute)
}

pub(super) fn object_class(text: &str) -> Option<ObjectClass> {
    let mut class = ObjectClass::default();
    class.oid = read(text, |keyword, values| match keyword {
        "NAME" => class.names = values,
        "OBSOLETE" => class.obsolete = true,
        "SUP" => class.sup = values,
        "ABSTRACT" => class.kind = ClassKind::Abstract,
        "STRUCTURAL" => class.kind = ClassKind::Structural,
        "AUXILIARY" => class.kind = ClassKind::Auxiliary,
        "MUST" => class.must = values,
        "MAY" => class.may = values,
        _ => {}
    })?;
    Some(class)
}

pub(super) fn content_rule(text: &str) -> Option<ContentRule> {
    let mut rule = ContentRule::default();
    rule.oid = read(text, |keyword, values| match keyword {
        "NAME" => rule.names = values,
        "AUX" => rule.aux = values,
        "MUST" => rule.must = values,
        "MAY" => rule.may = values,
        _ => {}
    })?;
    Some(rule)
}

/// `1.3.6.1.4.1.1466.115.121.1.15{32768}`: the syntax and how long a value may be at least.
fn syntax(values: &[String]) -> (Option<String>, Option<u32>) {
    let Some(text) = values.first() else { return (None, None) };
    match text.split_once('{') {
        Some((oid, length)) => (Some(oid.to_owned()), length.trim_end_matches('}').parse().ok()),
        None => (Some(text.clone()), None),
    }
}

/// Passes every keyword of a definition with its values to `take`, and returns the OID it starts with.
fn read(text: &str, mut take: impl FnMut(&str, Vec<String>)) -> Option<String> {
    let mut tokens = Tokens { rest: text }.peekable();
    if tokens.next()? != Token::Open {
        return None;
    }
    let Token::Word(oid) = tokens.next()? else { return None };
    loop {
        match tokens.next()? {
            Token::Close => return Some(oid),
            Token::Word(keyword) => {
                let keyword = keyword.to_ascii_uppercase();
                let values = if is_flag(&keyword) { Vec::new() } else { values(&mut tokens)? };
                take(&keyword, values);
            }
            Token::Open | Token::Dollar | Token::Quoted(_) => return None,
        }
    }
}

fn is_flag(keyword: &str) -> bool {
    const FLAGS: [&str; 7] =
        ["OBSOLETE", "SINGLE-VALUE", "COLLECTIVE", "NO-USER-MODIFICATION", "ABSTRACT", "STRUCTURAL", "AUXILIARY"];
    FLAGS.contains(&keyword)
}

/// One value, or several in parentheses with or without dollar signs between them.
fn values(tokens: &mut Peekable<Tokens<'_>>) -> Option<Vec<String>> {
    match tokens.next()? {
        Token::Word(value) | Token::Quoted(value) => Some(vec![value]),
        Token::Open => {
            let mut values = Vec::new();
            loop {
                match tokens.next()? {
                    Token::Close => return Some(values),
                    Token::Word(value) | Token::Quoted(value) => values.push(value),
                    Token::Dollar => {}
                    Token::Open => return None,
                }
            }
        }
        Token::Close | Token::Dollar => None,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Dollar,
    Word(String),
    Quoted(String),
}

struct Tokens<'a> {
    rest: &'a str,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.rest = self.rest.trim_start();
        let (token, length) = match self.rest.chars().next()? {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '$' => (Token::Dollar, 1),
            '\'' => {
                let (text, _) = self.rest.get(1..)?.split_once('\'')?;
                (Token::Quoted(unescaped(text)), text.len() + 2)
            }
            _ => {
                let end = |character: char| character.is_whitespace() || matches!(character, '(' | ')' | '$' | '\'');
                let length = self.rest.find(end).unwrap_or(self.rest.len());
                (Token::Word(self.rest.get(..length)?.to_owned()), length)
            }
        };
        self.rest = self.rest.get(length..)?;
        Some(token)
    }
}

/// A quoted text holds a quote as `\27` and a backslash as `\5c`.
fn unescaped(text: &str) -> String {
    if text.contains('\\') {
        text.replace("\\27", "'").replace("\\5c", "\\").replace("\\5C", "\\")
    } else {
        text.to_owned()
    }
}
