//! Colours, for those who look at a terminal.

use std::io::IsTerminal;

/// Paints text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// In colours when the standard output is a terminal and nobody asked for none (`NO_COLOR`).
    pub fn for_terminal() -> Self {
        Self {
            colours: std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// A heading.
    pub fn title(self, text: &str) -> String {
        self.dress("1", text)
    }

    /// Of less importance.
    pub fn quiet(self, text: &str) -> String {
        self.dress("2", text)
    }

    /// Added, or well done.
    pub fn good(self, text: &str) -> String {
        self.dress("32", text)
    }

    /// Taken away, or gone wrong.
    pub fn bad(self, text: &str) -> String {
        self.dress("31", text)
    }

    /// Neither.
    pub fn note(self, text: &str) -> String {
        self.dress("36", text)
    }

    fn dress(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
