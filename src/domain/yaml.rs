//! One scalar of a YAML text is replaced, and no other byte of it.
//!
//! The text is read before and after: unless exactly that value differs, nothing is given back. What
//! cannot be replaced without doubt (an anchor, a tag, a text of several lines) is refused in words.

mod plain;
mod tree;

use std::ops::Range;

use super::fleet::{CarryPath, CarryStep};
use super::text::safe;
use plain::{Resolves, resolves};
use tree::{Kind, Node, Style, Tree};

/// Longest text that is edited, in bytes.
pub const LONGEST: usize = 1024 * 1024;
/// Longest value that is written, in bytes.
const LONGEST_VALUE: usize = 512;
/// Fields of an `images` entry of Kustomize: texts, whatever they look like.
const TEXTS: [&str; 3] = ["newTag", "digest", "newName"];

/// A scalar as a text holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its value, without quotes.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// Why a scalar cannot be read or replaced. Follows the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Some bytes are no text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It is larger than [`LONGEST`].
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// It cannot be parsed.
    #[error("line {line} is not YAML: {why}")]
    NotYaml {
        /// Where.
        line: usize,
        /// What the parser says, made visible.
        why: String,
    },
    /// YAML forbids it, and tools differ in what they make of it.
    #[error("line {0} is indented with a tab: use spaces")]
    Tab(usize),
    /// Not one document.
    #[error("it holds {0} YAML documents, not one: give the overlay a file of its own")]
    Documents(usize),
    /// Tools differ in which one counts.
    #[error("line {line}: `{key}` is given twice: take one of them out")]
    Duplicate {
        /// Line of the second.
        line: usize,
        /// The key, made visible.
        key: String,
    },
    /// The path leads nowhere.
    #[error("it has no {0}")]
    Missing(String),
    /// The path leads to several.
    #[error("{1} entries are {0}: take all but one of them out")]
    Ambiguous(String, usize),
    /// A list or a mapping.
    #[error("line {0}: a list or mapping is there, not a single value")]
    NotScalar(usize),
    /// `|` or `>`, or quotes over several lines.
    #[error("line {0}: the value spans several lines: write it in one")]
    SeveralLines(usize),
    /// `&anchor` on it, or around it and used elsewhere.
    #[error("line {0}: an anchor makes the value appear elsewhere too: write it out there, without anchor")]
    Anchored(usize),
    /// `*alias` or `<<`.
    #[error("line {0}: the value comes from an alias: write it out there")]
    Aliased(usize),
    /// `!tag`.
    #[error("line {0}: the value has a tag: take the tag out")]
    Tagged(usize),
    /// Kustomize uses tag and digest together: a new tag alone would change nothing that runs.
    #[error(
        "line {0}: the entry has a digest too, and the digest decides what runs: take it out, or name the field `digest`"
    )]
    DigestDecides(usize),
    /// Somebody else changed it.
    #[error("line {line} says `{found}`, not `{expected}`")]
    Differs {
        /// Where.
        line: usize,
        /// What is there, made visible.
        found: String,
        /// What should be there, made visible.
        expected: String,
    },
    /// The new value is the old one.
    #[error("line {0} says so already")]
    Same(usize),
    /// The new value is empty, too long, or holds characters that a terminal obeys.
    #[error("the new value cannot be written: {0}")]
    Value(&'static str),
    /// Read again, more differs than that value.
    #[error("line {0}: the value cannot be replaced without changing something else")]
    Unsure(usize),
}

/// Reads the scalar at a path.
///
/// # Errors
/// There is none, or it could not be replaced by [`replace`].
pub fn read(text: &[u8], path: &CarryPath) -> Result<Scalar, YamlError> {
    let tree = parse(text)?;
    let found = target(&tree, path)?;
    Ok(Scalar { value: found.value.to_owned(), line: found.node.line })
}

/// The text with `new` instead of `old` at a path, and not a byte besides.
///
/// Quotes stay as they are, unless the new value without quotes would not be a text any more.
///
/// # Errors
/// The scalar cannot be found, is another one, or cannot be replaced without doubt.
pub fn replace(text: &[u8], path: &CarryPath, old: &str, new: &str) -> Result<Vec<u8>, YamlError> {
    writable(new)?;
    let tree = parse(text)?;
    let found = target(&tree, path)?;
    let line = found.node.line;
    if found.value != old {
        return Err(YamlError::Differs { line, found: shown(found.value), expected: shown(old) });
    }
    if old == new {
        return Err(YamlError::Same(line));
    }
    let is_text = matches!(path.0.last(), Some(CarryStep::Key(key)) if TEXTS.contains(&&**key));
    let stays_plain = match resolves(new) {
        Resolves::Text => true,
        other => !is_text && other == resolves(old),
    };
    let styles: &[Style] = match found.style {
        Style::Plain if stays_plain => &[Style::Plain, Style::Single, Style::Double],
        Style::Plain | Style::Single => &[Style::Single, Style::Double],
        Style::Double => &[Style::Double],
        Style::Block => return Err(YamlError::SeveralLines(line)),
    };
    let written = |style: &Style| spliced(tree.text, &found.node.span, &quoted(new, *style));
    let edits = styles.iter().filter_map(written);
    let only_that =
        |edited: &String| Tree::parse(edited).is_ok_and(|after| tree.differs_only_at(&after, found.node.event, new));
    edits.into_iter().find(only_that).map(String::into_bytes).ok_or(YamlError::Unsure(line))
}

/// A scalar that may be replaced.
struct Found<'t> {
    node: &'t Node,
    value: &'t str,
    style: Style,
}

fn parse(text: &[u8]) -> Result<Tree<'_>, YamlError> {
    if text.len() > LONGEST {
        return Err(YamlError::TooLong);
    }
    let text = std::str::from_utf8(text).map_err(|_| YamlError::NotText)?;
    let tab = text
        .lines()
        .position(|l| l.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t') && !l.trim().is_empty());
    if let Some(line) = tab {
        return Err(YamlError::Tab(line + 1));
    }
    Tree::parse(text)
}

/// Follows a path, and looks whether what it leads to is one value in one place.
fn target<'t>(tree: &'t Tree<'_>, path: &CarryPath) -> Result<Found<'t>, YamlError> {
    let mut node = &tree.root;
    let mut inside: Option<&Node> = None;
    for (n, step) in path.0.iter().enumerate() {
        shared(tree, node)?;
        inside = Some(node);
        let so_far = || shown(&CarryPath(path.0.iter().take(n + 1).cloned().collect()).to_string());
        node = next(node, step, &so_far)?;
    }
    let line = node.line;
    if node.anchor != 0 {
        return Err(YamlError::Anchored(line));
    }
    if node.tagged {
        return Err(YamlError::Tagged(line));
    }
    let (value, style) = match &node.kind {
        Kind::Scalar(_, Style::Block) => return Err(YamlError::SeveralLines(line)),
        Kind::Scalar(value, style) => (value, *style),
        Kind::Alias => return Err(YamlError::Aliased(line)),
        Kind::List(_) | Kind::Map(_) => return Err(YamlError::NotScalar(line)),
    };
    if tree.text.get(node.span.clone()).is_none_or(|t| t.contains(['\n', '\r'])) {
        return Err(YamlError::SeveralLines(line));
    }
    if let Some(digest) = inside.and_then(|entry| digest_beside(entry, path)) {
        return Err(YamlError::DigestDecides(digest.line));
    }
    Ok(Found { node, value, style })
}

/// A collection that an alias repeats elsewhere, or that is itself an alias.
fn shared(tree: &Tree<'_>, node: &Node) -> Result<(), YamlError> {
    match node.kind {
        Kind::Alias => Err(YamlError::Aliased(node.line)),
        _ if node.anchor != 0 && tree.aliased.contains(&node.anchor) => Err(YamlError::Anchored(node.line)),
        _ => Ok(()),
    }
}

fn next<'t>(node: &'t Node, step: &CarryStep, so_far: &dyn Fn() -> String) -> Result<&'t Node, YamlError> {
    let missing = || YamlError::Missing(so_far());
    match (step, &node.kind) {
        (CarryStep::Key(key), Kind::Map(entries)) => {
            let found = entries.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value);
            let merged = || entries.iter().find(|(k, _)| k.text() == Some("<<"));
            match (found, merged()) {
                (Some(value), _) => Ok(value),
                (None, Some((merge, _))) => Err(YamlError::Aliased(merge.line)),
                (None, None) => Err(missing()),
            }
        }
        (CarryStep::Key(index), Kind::List(items)) => {
            index.parse::<usize>().ok().and_then(|i| items.get(i)).ok_or_else(missing)
        }
        (CarryStep::Named { field, value }, Kind::List(items)) => {
            let named = |item: &&Node| item.field(field).and_then(Node::text) == Some(value);
            let mut found = items.iter().filter(named);
            match (found.next(), found.count()) {
                (Some(item), 0) => Ok(item),
                (Some(_), more) => Err(YamlError::Ambiguous(so_far(), more + 1)),
                (None, _) => Err(missing()),
            }
        }
        (_, Kind::Alias) => Err(YamlError::Aliased(node.line)),
        _ => Err(missing()),
    }
}

/// The digest of an `images` entry of Kustomize whose tag or name is meant.
fn digest_beside<'t>(entry: &'t Node, path: &CarryPath) -> Option<&'t Node> {
    let mut last = path.0.iter().rev();
    let tag = matches!(last.next(), Some(CarryStep::Key(key)) if &**key == "newTag");
    last.next();
    let images = matches!(last.next(), Some(CarryStep::Key(key)) if &**key == "images");
    if tag && images { entry.field("digest") } else { None }
}

fn writable(value: &str) -> Result<(), YamlError> {
    match value {
        "" => Err(YamlError::Value("it is empty")),
        long if long.len() > LONGEST_VALUE => Err(YamlError::Value("it is too long")),
        text if text.chars().any(super::text::is_hostile) => {
            Err(YamlError::Value("it holds characters that a terminal obeys"))
        }
        _ => Ok(()),
    }
}

fn quoted(value: &str, style: Style) -> String {
    match style {
        Style::Plain | Style::Block => value.to_owned(),
        Style::Single => format!("'{}'", value.replace('\'', "''")),
        Style::Double => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn spliced(text: &str, span: &Range<usize>, new: &str) -> Option<String> {
    Some([text.get(..span.start)?, new, text.get(span.end..)?].concat())
}

fn shown(text: &str) -> String {
    safe(text, 200)
}

#[cfg(test)]
#[path = "yaml/tests.rs"]
mod tests;
