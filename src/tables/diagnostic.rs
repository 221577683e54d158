//! What is wrong in a file, where, and what to write instead.

use std::cell::RefCell;
use std::fmt;
use std::io::IsTerminal;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Level, Snippet};

use super::mask;

/// A file as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The name shown to people.
    pub name: String,
    /// The whole text; may hold secrets, so it never appears in `Debug`.
    pub text: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An environment variable that overrides a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// The variable's name.
    pub name: String,
    /// Its value; may be a secret, so it never appears in `Debug`.
    pub value: String,
}

impl fmt::Debug for Variable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Variable").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(Arc<Source>),
    /// The environment.
    Variable(Arc<Variable>),
}

impl Origin {
    /// The name shown to people.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(source) => source.name.clone(),
            Self::Variable(variable) => format!("environment variable {}", variable.name),
        }
    }

    /// The text that spans point into.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::File(source) => &source.text,
            Self::Variable(variable) => &variable.value,
        }
    }

    fn masked(&self) -> String {
        match self {
            Self::File(source) => mask::document(&source.text),
            Self::Variable(variable) => mask::variable(&variable.name, &variable.value),
        }
    }
}

/// A stretch of text in a file or in an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file or variable.
    pub origin: Origin,
    /// Byte offsets into its text.
    pub span: Range<usize>,
}

impl Spot {
    /// The spot as file, line and column.
    #[must_use]
    pub fn place(&self) -> Place {
        let before = self.origin.text().get(..self.span.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            file: self.origin.name().into(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The part `within` (byte offsets into `value`) of a quoted string that stands here and reads `value`.
    ///
    /// A string with escapes doesn't map byte for byte; the spot is then the whole string.
    #[must_use]
    pub fn inside(&self, value: &str, within: Range<usize>) -> Self {
        let written = self.origin.text().get(self.span.clone()).unwrap_or_default();
        let Some(offset) = written.find(value).filter(|_| !value.is_empty() && within.end <= value.len()) else {
            return self.clone();
        };
        let start = self.span.start + offset;
        Self { origin: self.origin.clone(), span: start + within.start..start + within.end }
    }
}

/// Where a value stands, for messages of later stages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file (or environment variable).
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file or variable that is wrong.
    pub origin: Origin,
    /// The wrong part of it; `None` when it is wrong as a whole (it can't be read, for one).
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// File, line and column, when the mistake has a place inside the file.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let span = self.span.clone()?;
        Some(Spot { origin: self.origin.clone(), span }.place())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let masked = self.origin.masked();
        let name = self.origin.name();
        let title = Level::ERROR.primary_title(self.message.as_str());
        let group = match (&self.span, &self.origin) {
            (Some(span), Origin::File(_)) => {
                let start = span.start.min(masked.len());
                let end = span.end.clamp(start, masked.len());
                let annotation = AnnotationKind::Primary.span(start..end);
                title.element(Snippet::source(masked.as_str()).path(name.as_str()).annotation(annotation))
            }
            (_, Origin::Variable(_)) => title
                .element(annotate_snippets::Origin::path(name.as_str()))
                .element(Level::NOTE.message(format!("it is set to \"{masked}\""))),
            (None, Origin::File(_)) => title.element(annotate_snippets::Origin::path(name.as_str())),
        };
        let help = self.help.as_ref().map(|help| Level::HELP.message(help.as_str()));
        renderer.render(&[group.elements(help)])
    }
}

/// Everything that is wrong, in the order it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The mistakes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// For standard error: in colour when that is a terminal and `NO_COLOR` is unset.
    #[must_use]
    pub fn render(&self) -> String {
        let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        self.render_with(&if coloured { Renderer::styled() } else { Renderer::plain() })
    }

    fn render_with(&self, renderer: &Renderer) -> String {
        let each: Vec<String> = self.0.iter().map(|diagnostic| diagnostic.render(renderer)).collect();
        each.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render_with(&Renderer::plain()))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\n{self}")
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// Where mistakes are written down while reading goes on.
#[derive(Debug, Default)]
pub struct Findings {
    all: RefCell<Vec<Diagnostic>>,
    /// Files and lines that aren't TOML: what else seems wrong there is a consequence.
    broken: RefCell<Vec<(Arc<str>, usize)>>,
    warnings: RefCell<Vec<Warning>>,
}

/// Something that works but is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub place: Place,
    /// What is not as it should be.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Findings {
    /// Nothing wrong so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that what stands at `spot` is wrong.
    pub fn report(&self, spot: &Spot, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.add(Diagnostic {
            origin: spot.origin.clone(),
            span: Some(spot.span.clone()),
            message: message.into(),
            help: help.into(),
        });
    }

    /// Notes one mistake, unless it is known already or follows from a line that isn't TOML.
    pub fn add(&self, diagnostic: Diagnostic) {
        let mut all = self.all.borrow_mut();
        let place = diagnostic.place().map(|place| (place.file, place.line));
        if !all.contains(&diagnostic) && place.is_none_or(|place| !self.broken.borrow().contains(&place)) {
            all.push(diagnostic);
        }
    }

    /// Notes a line that isn't TOML.
    pub fn add_syntax_error(&self, diagnostic: Diagnostic) {
        let place = diagnostic.place().map(|place| (place.file, place.line));
        self.add(diagnostic);
        self.broken.borrow_mut().extend(place);
    }

    /// True when a part of this file could not be read, so that nobody knows what is missing from it.
    #[must_use]
    pub fn is_broken(&self, origin: &Origin) -> bool {
        self.broken.borrow().iter().any(|(file, _)| **file == *origin.name())
    }

    /// Notes that what stands at `spot` works but is not as it should be.
    pub fn warn(&self, spot: &Spot, message: impl Into<String>, help: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { place: spot.place(), message: message.into(), help: help.into() });
    }

    /// The warnings so far; they are handed over once.
    pub fn take_warnings(&self) -> Vec<Warning> {
        self.warnings.take()
    }

    /// Takes over what an inner reading found.
    pub fn absorb(&self, diagnostics: Diagnostics) {
        diagnostics.0.into_iter().for_each(|diagnostic| self.add(diagnostic));
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }

    /// `value`, unless something is wrong. Without a value something is wrong in any case.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Diagnostics> {
        let mut all = self.all.into_inner();
        if let Some(value) = value.filter(|_| all.is_empty()) {
            return Ok(value);
        }
        // Reading jumps about; people read files from the top.
        let mut files: Vec<String> = Vec::new();
        for diagnostic in &all {
            let name = diagnostic.origin.name();
            if !files.contains(&name) {
                files.push(name);
            }
        }
        all.sort_by_key(|diagnostic| {
            let name = diagnostic.origin.name();
            (files.iter().position(|file| *file == name), diagnostic.span.as_ref().map_or(0, |span| span.start))
        });
        Err(Diagnostics(all))
    }
}
