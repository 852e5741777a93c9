//! A YAML text as a tree that knows where each of its parts stands.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{YamlError, shown};

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`.
    Single,
    /// `"…"`.
    Double,
    /// `|` or `>`.
    Block,
}

/// One part of the text.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    /// Bytes of the text; of a collection only its beginning counts.
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
    /// Position of its event.
    pub event: usize,
    /// Number of its anchor; 0: none.
    pub anchor: usize,
    pub tagged: bool,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(String, Style),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Alias,
}

impl Node {
    /// The value of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(value, _) => Some(value),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    pub(super) fn field(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value),
            _ => None,
        }
    }
}

/// A text of one document.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    pub text: &'t str,
    pub root: Node,
    /// Anchors that an alias repeats.
    pub aliased: BTreeSet<usize>,
    events: Vec<Event<'t>>,
}

impl<'t> Tree<'t> {
    /// Reads a text.
    pub(super) fn parse(text: &'t str) -> Result<Self, YamlError> {
        let mut reader = Reader { open: Vec::new(), root: None, aliased: BTreeSet::new() };
        let mut events = Vec::new();
        let mut documents = 0;
        for next in Parser::new_from_str(text) {
            let (event, span) =
                next.map_err(|e| YamlError::NotYaml { line: e.marker().line(), why: shown(&e.info()) })?;
            documents += usize::from(matches!(event, Event::DocumentStart(..)));
            if documents <= 1 {
                reader.take(&event, span, events.len())?;
            }
            events.push(event);
        }
        match (documents, reader.root) {
            (1, Some(root)) => Ok(Self { text, root, aliased: reader.aliased, events }),
            (documents, _) => Err(YamlError::Documents(documents)),
        }
    }

    /// Whether another text says the same, but for the value of one scalar, which is `new` there.
    pub(super) fn differs_only_at(&self, after: &Tree<'_>, event: usize, new: &str) -> bool {
        let same = |n: usize, a: &Event<'_>, b: &Event<'_>| match (a, b) {
            (Event::Scalar(_, _, a_anchor, a_tag), Event::Scalar(value, style, b_anchor, b_tag)) if n == event => {
                let one_line = !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                &**value == new && one_line && a_anchor == b_anchor && a_tag == b_tag
            }
            (a, b) => n != event && a == b,
        };
        self.events.len() == after.events.len()
            && self.events.iter().zip(&after.events).enumerate().all(|(n, (a, b))| same(n, a, b))
    }
}

/// Puts events together.
struct Reader {
    open: Vec<Node>,
    root: Option<Node>,
    aliased: BTreeSet<usize>,
}

impl Reader {
    fn take(&mut self, event: &Event<'_>, span: Span, at: usize) -> Result<(), YamlError> {
        let node = |kind: Kind, anchor: usize, tagged: bool| Node {
            kind,
            span: span.byte_range().unwrap_or_default(),
            line: span.start.line(),
            event: at,
            anchor,
            tagged,
        };
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    _ => Style::Block,
                };
                self.put(node(Kind::Scalar(value.to_string(), style), *anchor, tag.is_some()));
            }
            Event::Alias(anchor) => {
                self.aliased.insert(*anchor);
                self.put(node(Kind::Alias, 0, false));
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open.push(node(Kind::List(Vec::new()), *anchor, tag.is_some()));
            }
            // A mapping is read as a list of keys and values, one after the other, until it ends.
            Event::MappingStart(_, anchor, tag) => {
                self.open.push(node(Kind::List(Vec::new()), *anchor, tag.is_some()));
            }
            Event::SequenceEnd => {
                if let Some(list) = self.open.pop() {
                    self.put(list);
                }
            }
            Event::MappingEnd => {
                if let Some(map) = self.open.pop() {
                    let map = paired(map)?;
                    self.put(map);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut().map(|n| &mut n.kind) {
            Some(Kind::List(items)) => items.push(node),
            _ => self.root = Some(node),
        }
    }
}

/// A mapping out of its keys and values.
fn paired(node: Node) -> Result<Node, YamlError> {
    let Node { kind: Kind::List(items), span, line, event, anchor, tagged } = node else { return Ok(node) };
    let mut entries = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        entries.push((key, value));
    }
    let mut seen = HashSet::new();
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.text().is_some_and(|k| !seen.insert(k.to_owned()))) {
        return Err(YamlError::Duplicate { line: key.line, key: shown(key.text().unwrap_or_default()) });
    }
    Ok(Node { kind: Kind::Map(entries), span, line, event, anchor, tagged })
}
