//! Distinguished names with templates in them: `ou={{ department }},ou=people,dc=example,dc=com`.
//!
//! The structure of the name is read from the text first, every value is a template of its own and is escaped when
//! it is put in: no value of a resource can add a component or leave the place it was given.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{Template, TemplateFault};
use crate::directory::{AttributeName, Dn, Rdn};

/// A name that is computed from a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnTemplate {
    source: String,
    /// The components in front of the fixed end, the entry's own first.
    components: Vec<(AttributeName, Template)>,
    root: Dn,
}

impl DnTemplate {
    /// Parses the text of a name; values may be templates.
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        let parts = split(text, ',');
        let fixed_from = parts.iter().rposition(|part| has_template(&text[part.clone()])).map_or(0, |last| last + 1);
        let (computed, fixed) = parts.split_at(fixed_from);
        let root_from = fixed.first().map_or(text.len(), |part| part.start);
        let root = Dn::parse(text.get(root_from..).unwrap_or_default())
            .map_err(|error| TemplateFault { message: error.to_string(), span: root_from..text.len() })?;
        let components = computed.iter().map(|part| component(text, part.clone())).collect::<Result<_, _>>()?;
        Ok(Self { source: text.to_owned(), components, root })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The end of the name that is the same for all resources.
    #[must_use]
    pub fn root(&self) -> &Dn {
        &self.root
    }

    /// True when no part of the name is computed.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.components.is_empty()
    }

    /// The attributes of the resource that the name depends on.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.components.iter().flat_map(|(_, template)| template.attributes()).map(String::as_str)
    }

    /// The name for this resource; the error says, in words for the admin who sent it, which part can't be computed.
    pub fn render(&self, resource: &Map<String, Value>) -> Result<Dn, String> {
        let mut dn = self.root.clone();
        for (attribute, template) in self.components.iter().rev() {
            let value = template.render(resource)?.ok_or_else(|| {
                format!("the place in the directory depends on `{}`, which gives no value", template.source())
            })?;
            dn = dn.child(attribute, &value);
        }
        Ok(dn)
    }
}

fn has_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}

fn component(text: &str, span: Range<usize>) -> Result<(AttributeName, Template), TemplateFault> {
    let part = &text[span.clone()];
    let fault = |message: String| TemplateFault { message, span: span.clone() };
    if !has_template(part) {
        let rdn = Rdn::parse(part).map_err(|error| fault(error.to_string()))?;
        let mut attributes = rdn.attributes();
        let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
            return Err(fault("a component in front of a template can have one attribute only".to_owned()));
        };
        let value = rdn.value_of(attribute).unwrap_or_default();
        return Ok((attribute.clone(), Template::literal(value)));
    }
    if split(part, '+').len() > 1 {
        return Err(fault("a component with a template can have one attribute only".to_owned()));
    }
    let Some((name, value)) = part.split_once('=') else {
        return Err(fault("a component of a name looks like ou={{ department }}".to_owned()));
    };
    let attribute = AttributeName::parse(name.trim()).map_err(|error| fault(error.to_string()))?;
    let value_from = span.start + name.len() + 1;
    let template = Template::parse(value).map_err(|error| TemplateFault {
        span: value_from + error.span.start..value_from + error.span.end,
        message: error.message,
    })?;
    Ok((attribute, template))
}

/// The parts between separators that are neither escaped nor inside a template expression.
fn split(text: &str, separator: char) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut depth, mut escaped) = (Vec::new(), 0, 0usize, false);
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match (previous, c) {
            _ if escaped => escaped = false,
            ('{', '{' | '%' | '#') => depth += 1,
            ('}' | '%' | '#', '}') => depth = depth.saturating_sub(1),
            (_, '\\') if depth == 0 => escaped = true,
            (_, c) if c == separator && depth == 0 => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        // The second brace of a pair opens no further pair.
        previous = if previous == '{' || (previous == '}' && c == '}') { ' ' } else { c };
    }
    parts.push(start..text.len());
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn render(text: &str, department: &str) -> Result<String, String> {
        let resource = json!({"userName": "jdoe", "title": department});
        DnTemplate::parse(text).unwrap().render(resource.as_object().unwrap()).map(|dn| dn.to_string())
    }

    #[test]
    fn values_are_put_in_escaped() {
        let text = "ou={{ title }},ou=people,dc=example,dc=com";
        assert_eq!(render(text, "Sales").unwrap(), "ou=Sales,ou=people,dc=example,dc=com");
        assert_eq!(render(text, "R, D").unwrap(), "ou=R\\, D,ou=people,dc=example,dc=com");
        assert_eq!(DnTemplate::parse(text).unwrap().root(), &Dn::parse("ou=people,dc=example,dc=com").unwrap());
    }

    #[test]
    fn commas_in_expressions_and_fixed_parts_in_front_are_understood() {
        let text = "ou=A\\, B,ou={{ title | replace(\",\", \"\") }}, ou=x-{{ userName }},dc=example";
        assert_eq!(render(text, "a,b").unwrap(), "ou=A\\, B,ou=ab,ou=x-jdoe,dc=example");
    }

    #[test]
    fn a_name_without_templates_is_fixed() {
        let name = DnTemplate::parse("ou=people,dc=example").unwrap();
        assert!(name.is_fixed());
        assert_eq!(name.root().as_str(), "ou=people,dc=example");
    }

    #[test]
    fn a_missing_value_is_named() {
        assert!(render("ou={{ title }},dc=x", " ").unwrap_err().contains("title"));
    }

    #[test]
    fn faults_say_where() {
        let fault = DnTemplate::parse("ou={{ title. }},dc=x").unwrap_err();
        assert!(fault.span.start >= 3 && fault.span.end <= 15, "{fault:?}");
        assert!(DnTemplate::parse("{{ title }},dc=x").is_err());
        assert!(DnTemplate::parse("ou={{ title }}+cn=x,dc=x").is_err());
        assert!(DnTemplate::parse("ou={{ title }},what").is_err());
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place(department in "\\PC{0,20}") {
            let root = Dn::parse("ou=people,dc=example").unwrap();
            if let Ok(dn) = render("ou={{ title }},ou=people,dc=example", &department) {
                let parent = Dn::parse(&dn).unwrap().parent();
                prop_assert_eq!(parent, Some(root));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\{\\{|\\}\\}|\\{%|%\\}|ou=|,|\\\\|\\+|[ a-zé]){0,12}") {
            let _ = DnTemplate::parse(&text);
        }
    }
}
