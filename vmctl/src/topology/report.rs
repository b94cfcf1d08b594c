//! Mistakes rendered as rustc renders them: path, line, caret, remark, help.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::diagnostic::Label;
use super::{Diagnostic, Diagnostics, Severity, Source};

/// What was found wrong with one file. Displays without colour.
#[derive(Clone, Debug, Default)]
pub struct Report {
    source: Source,
    kept: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// Joins the mistakes to the text they are in.
    pub fn new(source: Source, found: Diagnostics) -> Self {
        let (errors, warnings) = (found.errors(), found.warnings());
        Self { source, kept: found.into_sorted(), errors, warnings }
    }

    /// The text that they are in.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How many errors were found.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings were found.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// The mistakes, in the order of the text; at most [`Diagnostics::KEPT`] of each severity.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.kept
    }

    /// Renders all of them; empty if there are none.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut rendered: Vec<_> =
            self.kept.iter().map(|found| self.render_one(&renderer, found)).collect();
        let beyond = self.errors + self.warnings - self.kept.len();
        if beyond > 0 {
            let more = Level::NOTE.primary_title(format!("{beyond} more like these are not shown"));
            rendered.push(renderer.render(&[Group::with_title(more)]));
        }
        rendered.join("\n\n")
    }

    /// Writes them to a stream, in colour if that is a terminal and `NO_COLOR` is unset.
    ///
    /// # Errors
    /// If the stream cannot be written.
    pub fn print_to(&self, stream: &mut (impl Write + IsTerminal)) -> io::Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        writeln!(stream, "{}\n", self.render(stream.is_terminal() && !plain))
    }

    fn render_one(&self, renderer: &Renderer, found: &Diagnostic) -> String {
        let level = match found.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(found.title.as_str()));
        group = match &found.place {
            Some(place) => group.element(self.snippet(place, &found.context)),
            None => group.element(Origin::path(self.path())),
        };
        if let Some(note) = &found.note {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &found.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// The lines that the labels are on. Only these are handed on: the renderer maps every line
    /// that it is given, for each mistake anew.
    fn snippet<'a>(&'a self, place: &Label, context: &[Label]) -> Snippet<'a, Annotation<'a>> {
        let text = self.source.text.as_str();
        let spans: Vec<_> =
            context.iter().chain([place]).map(|label| within(text, &label.span)).collect();
        let first = spans.iter().map(|span| span.start).min().unwrap_or(0);
        let last = spans.iter().map(|span| span.end).max().unwrap_or(0);
        let start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[last..].find('\n').map_or(text.len(), |length| last + length);
        let annotate = |kind: AnnotationKind, label: &Label| {
            let span = within(text, &label.span);
            let remark = (!label.text.is_empty()).then(|| label.text.clone());
            kind.span(span.start - start..span.end - start).label(remark)
        };
        Snippet::source(&text[start..end])
            .line_start(1 + text[..start].matches('\n').count())
            .path(self.path())
            .annotation(annotate(AnnotationKind::Primary, place))
            .annotations(context.iter().map(|label| annotate(AnnotationKind::Context, label)))
    }

    fn path(&self) -> String {
        self.source.path.display().to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The span cut to its first line and to the text, on character boundaries: a table header's span
/// may reach over all that follows it, and a parser's may end past the text.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    let line = text[start..end].find('\n').map_or(end, |length| start + length);
    start..line.max(start)
}
