//! Values computed from a resource: Jinja templates with limited fuel.
//!
//! A template sees the resource under the names of its core attributes (`userName`, `name.givenName`,
//! `emails[0].value`), the enterprise extension as `enterprise` (and its attributes by their own name too, where no
//! core attribute has it), and everything as `resource`, which reaches other extensions:
//! `resource["urn:example:hr:2.0:User"].role`. What a resource lacks renders as nothing.

mod ascii;
pub mod dn;

use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde_json::Map;

use crate::scim::schema::ENTERPRISE_URN as ENTERPRISE;

/// Steps that one rendering may take; a name takes about ten.
const FUEL: u64 = 20_000;

/// What the engine itself defines.
const GLOBALS: [&str; 5] = ["range", "dict", "namespace", "debug", "loop"];

/// Stands for a blank that belongs to a value while the blanks between values are tidied up. Control characters are
/// refused in values, so none has it.
const VALUE_BLANK: char = '\u{1}';

const NAME: &str = "template";

/// A parsed template.
#[derive(Clone)]
pub struct Template {
    source: Arc<str>,
    /// `None`: the text has no expression in it and stands for itself.
    environment: Option<Arc<Environment<'static>>>,
    /// Every word in the text: the names it can read, among others. (What the engine says it reads is incomplete: it
    /// overlooks a name in front of a slice.)
    words: Arc<[Arc<str>]>,
    attributes: Arc<[String]>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Template({:?})", self.source)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Template {}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateFault {
    /// What is wrong.
    pub message: String,
    /// The wrong part, in bytes of the template's text.
    pub span: Range<usize>,
}

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let source: Arc<str> = text.into();
        if !["{{", "{%", "{#"].iter().any(|open| text.contains(open)) {
            return Ok(Self::literal(text));
        }
        let fault = |error: &minijinja::Error| TemplateFault { message: describe(error), span: span_of(error, text) };
        let mut environment = environment();
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| fault(&error))?;
        let template = environment.get_template(NAME).map_err(|error| fault(&error))?;
        let mut attributes: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        attributes.retain(|name| !GLOBALS.contains(&name.split('.').next().unwrap_or(name)));
        attributes.sort();
        let words = words(text);
        // Filters and functions are only looked up when they run: once without values and once with all of them.
        for sampled in [0, words.len()] {
            let context = Value::from_pairs(words.iter().take(sampled).map(|word| (word.clone(), "x")));
            if let Err(error) = template.render(context)
                && matches!(
                    error.kind(),
                    ErrorKind::UnknownFilter
                        | ErrorKind::UnknownFunction
                        | ErrorKind::UnknownTest
                        | ErrorKind::TemplateNotFound
                )
            {
                return Err(fault(&error));
            }
        }
        environment.set_debug(false);
        Ok(Self { source, environment: Some(Arc::new(environment)), words, attributes: attributes.into() })
    }

    /// A template that renders as `text`, whatever stands in it.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self { source: text.into(), environment: None, words: [].into(), attributes: [].into() }
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The attributes it reads, as far as they can be told from the text: `userName`, `name.givenName`.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// True when the text has every part of `path` (`name.givenName`) in it as a word of its own: it may read it.
    #[must_use]
    pub fn mentions(&self, path: &str) -> bool {
        path.split('.').all(|part| self.words.iter().any(|word| **word == *part))
    }

    /// Whether it comes to the same for both resources, because nothing differs that it may read.
    #[must_use]
    pub fn reads_the_same(&self, one: &Map<String, serde_json::Value>, other: &Map<String, serde_json::Value>) -> bool {
        self.words.iter().all(|word| match &**word {
            "resource" => one == other,
            word => json_of(word, one) == json_of(word, other),
        })
    }

    /// The value for this resource, `None` when nothing but blanks comes out. Blanks around parts that are missing
    /// shrink to one; blanks inside values stay.
    ///
    /// The error is the reason in words for people: the template runs for too long, or applies an operation to a
    /// value of another type.
    pub fn render(&self, resource: &Map<String, serde_json::Value>) -> Result<Option<String>, String> {
        let Some(environment) = &self.environment else {
            let text = self.source.trim();
            return Ok((!text.is_empty()).then(|| text.to_owned()));
        };
        // Only what the template can read is handed over, not the whole resource.
        let values = self.words.iter().filter_map(|word| Some((word.clone(), value_of(word, resource)?)));
        let context = Value::from_pairs(values);
        let rendered = environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| format!("the template `{}` can't be applied: {}", self.source, describe(&error)))?;
        Ok(tidied(&rendered))
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(true);
    environment.set_formatter(write_value);
    // A missing value passes through as nothing.
    environment.add_filter("ascii", |text: Option<String>| ascii::ascii(&text.unwrap_or_default()));
    environment.add_filter("slug", |text: Option<String>| ascii::slug(&text.unwrap_or_default()));
    environment.add_filter("without", |text: Option<String>, letters: String| {
        text.unwrap_or_default().replace(|c| letters.contains(c), "")
    });
    environment
}

fn words(text: &str) -> Arc<[Arc<str>]> {
    let mut words: Vec<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    words.sort_unstable();
    words.dedup();
    words.into_iter().filter(|word| !word.is_empty()).map(Arc::from).collect()
}

fn value_of(word: &str, resource: &Map<String, serde_json::Value>) -> Option<Value> {
    if word == "resource" {
        return Some(Value::from(Serde(resource)));
    }
    json_of(word, resource).map(|value| Value::from(Serde(value)))
}

fn json_of<'r>(word: &str, resource: &'r Map<String, serde_json::Value>) -> Option<&'r serde_json::Value> {
    match word {
        "enterprise" => resource.get(ENTERPRISE),
        name => resource.get(name).or_else(|| resource.get(ENTERPRISE)?.get(name)),
    }
}

fn write_value(out: &mut Output, _: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    let written = match value.as_str() {
        Some(text) if text.contains(' ') => out.write_str(&text.replace(' ', VALUE_BLANK.encode_utf8(&mut [0; 4]))),
        Some(text) => out.write_str(text),
        None if value.kind() == ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" }),
        None if value.is_undefined() || value.is_none() => Ok(()),
        None => write!(out, "{value}"),
    };
    written.map_err(minijinja::Error::from)
}

fn tidied(rendered: &str) -> Option<String> {
    let mut tidy = String::with_capacity(rendered.len());
    for c in rendered.trim().chars() {
        if c != ' ' || !tidy.ends_with(' ') {
            tidy.push(c);
        }
    }
    if tidy.contains(VALUE_BLANK) {
        tidy = tidy.replace(VALUE_BLANK, " ");
    }
    let text = tidy.trim();
    match text.len() {
        0 => None,
        same if same == tidy.len() => Some(tidy),
        _ => Some(text.to_owned()),
    }
}

fn describe(error: &minijinja::Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
        (ErrorKind::SyntaxError, Some(detail)) => format!("template syntax: {detail}"),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

fn span_of(error: &minijinja::Error, text: &str) -> Range<usize> {
    let span = error.range().unwrap_or(0..text.len());
    if text.get(span.clone()).is_some() { span } else { 0..text.len() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn resource() -> Map<String, serde_json::Value> {
        let resource = json!({
            "userName": "jdoe@example.com", "displayName": "Jane  Doe", "active": true,
            "name": {"givenName": "Jane", "familyName": "van der Doe"},
            "emails": [{"type": "work", "value": "jane@example.com"}],
            ENTERPRISE: {"department": "R, D"},
            "urn:example:hr:2.0:User": {"role": "admin"},
        });
        resource.as_object().unwrap().clone()
    }

    fn render(text: &str) -> Option<String> {
        Template::parse(text).unwrap().render(&resource()).unwrap()
    }

    #[test]
    fn templates_read_core_and_extension_attributes() {
        let cases = [
            ("{{ name.givenName }} {{ name.familyName }}", "Jane van der Doe"),
            ("{{ emails[0].value | upper }}", "JANE@EXAMPLE.COM"),
            ("{{ enterprise.department }}/{{ department }}", "R, D/R, D"),
            ("{{ resource[\"urn:example:hr:2.0:User\"].role }}", "admin"),
            ("{{ userName | split('@') | first }}", "jdoe"),
            ("{{ title | default('none') }}", "none"),
            ("{{ active }}", "true"),
            ("plain text ", "plain text"),
            ("{{ displayName }}", "Jane  Doe"),
            ("{{ name.familyName | slug }}", "van-der-doe"),
            ("{{ (userName | without('@.'))[:9] }}", "jdoeexamp"),
            ("x{{ title | slug }}{{ title | ascii }}{{ title | without('a') }}", "x"),
        ];
        for (text, expected) in cases {
            assert_eq!(render(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn blanks_around_missing_parts_shrink_and_blanks_in_values_stay() {
        assert_eq!(render("{{ name.givenName }} {{ name.middleName }} {{ displayName }} ").unwrap(), "Jane Jane  Doe");
        assert_eq!(render("{{ title }} {% if nickName %}x{% endif %} {{ userName }}").unwrap(), "jdoe@example.com");
    }

    #[test]
    fn nothing_but_blanks_is_none() {
        assert_eq!(render("{{ title }} {{ name.middleName }}"), None);
        assert_eq!(render("{{ ims[0].value.x.y }}"), None);
        assert_eq!(render("  "), None);
    }

    #[test]
    fn what_a_template_does_not_read_makes_no_difference_to_it() {
        let mut other = resource();
        other.insert("title".to_owned(), json!("Engineer"));
        other.insert(ENTERPRISE.to_owned(), json!({"department": "Sales"}));
        for (text, same) in [
            ("{{ name.givenName }} {{ displayName }}", true),
            ("{{ title }}", false),
            ("{{ department }}", false),
            ("{{ enterprise.department }}", false),
            ("{{ resource.userName }}", false),
            ("plain", true),
        ] {
            assert_eq!(Template::parse(text).unwrap().reads_the_same(&resource(), &other), same, "{text}");
        }
    }

    #[test]
    fn attributes_are_named() {
        let template = Template::parse("{{ name.givenName }}{% if title %}{{ range(3) }}{% endif %}").unwrap();
        assert_eq!(template.attributes(), ["name.givenName", "title"]);
    }

    #[test]
    fn faults_are_found_when_parsing_and_say_where() {
        let fault = Template::parse("ab {{ name. }}").unwrap_err();
        assert!(fault.message.starts_with("template syntax"), "{fault}");
        assert!(fault.span.start >= 3, "{fault:?}");
        let fault = Template::parse("{% if title %}{{ title | uper }}{% endif %}").unwrap_err();
        assert!(fault.message.contains("uper"), "{fault}");
        assert!(Template::parse("{{ frobnicate() }}").is_err());
        assert!(Template::parse("{{ 'x' ").is_err());
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        let template =
            Template::parse("{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}");
        assert!(template.unwrap().render(&resource()).unwrap_err().contains("too many steps"));
    }

    #[test]
    fn an_operation_on_the_wrong_type_is_an_error_in_words() {
        let reason = Template::parse("{{ active + 'x' }}").unwrap().render(&resource()).unwrap_err();
        assert!(reason.contains("{{ active + 'x' }}"), "{reason}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\{\\{|\\}\\}|\\{%|%\\}|name|\\.|\\||'|\\[|[ a-zA-Zé0-9]){0,12}") {
            if let Ok(template) = Template::parse(&text) {
                let _ = template.render(&resource());
            }
        }
    }
}
