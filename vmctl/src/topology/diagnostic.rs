//! What is wrong with a file, where, and what would be right.

use std::ops::Range;

/// Whether the file is refused because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; the author may have meant something else.
    Warning,
}

/// A place in the text and a remark about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The remark; may be empty.
    pub text: String,
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub title: String,
    /// Where.
    pub place: Option<Label>,
    /// Other places that bear on it.
    pub context: Vec<Label>,
    /// Why it is so.
    pub note: Option<String>,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake that refuses the file.
    pub fn error(title: impl Into<String>) -> Self {
        Self::new(Severity::Error, title.into())
    }

    /// Something that looks like a mistake.
    pub fn warning(title: impl Into<String>) -> Self {
        Self::new(Severity::Warning, title.into())
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.place = Some(Label { span, text: text.into() });
        self
    }

    /// Adds another place that bears on it.
    #[must_use]
    pub fn beside(mut self, span: Range<usize>, text: impl Into<String>) -> Self {
        self.context.push(Label { span, text: text.into() });
        self
    }

    /// Says why.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says what would be right, if that is known.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }

    fn new(severity: Severity, title: String) -> Self {
        Self { severity, title, place: None, context: Vec::new(), note: None, help: None }
    }
}

/// The mistakes found so far. Keeps the first [`Diagnostics::KEPT`] of each severity, counts all.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// How many of each severity are kept: more than anybody reads at once.
    pub const KEPT: usize = 20;

    /// Adds one. A mistake that is kept already does not count again: a bad default is one
    /// mistake, however many links inherit it.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count >= Self::KEPT {
            *count += 1;
        } else if !self.kept.contains(&diagnostic) {
            *count += 1;
            self.kept.push(diagnostic);
        }
    }

    /// Errors found, including those not kept.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Warnings found, including those not kept.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// The kept ones, in the order of the text.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        let place = |d: &Diagnostic| d.place.as_ref().map_or(0, |label| label.span.start);
        self.kept.sort_by_key(place);
        self.kept
    }
}

/// A name from the file, fit for a message: in backquotes, without control characters, and cut
/// where it is longer than any good name.
pub fn quote(name: &str) -> String {
    const LONGEST: usize = 48;
    let mut shown = String::new();
    for character in name.chars().take(LONGEST) {
        match character {
            // What escape_debug escapes besides the unprintable.
            '"' | '\'' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
