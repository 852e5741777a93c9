//! Rust source as the rules see it: without comments, texts and what is compiled only for tests.

use std::path::{Path, PathBuf};

/// One file of `src`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path below `src`, with `/`.
    pub path: String,
    /// As written.
    pub text: String,
    /// Comments and the inside of texts blanked, test items removed; as many lines as `text`.
    pub code: String,
    /// Production lines: up to the first `#[cfg(test)] mod … {` that stands at the margin, or all.
    pub production_lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let blanked = blank(text);
        let (code, removed) = without_test_items(&blanked);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            production_lines: text.lines().count().saturating_sub(removed),
        }
    }

    /// The top-level module the file belongs to: `engine` for `engine/draft/mod.rs`.
    pub fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        if first == "bin" { "main" } else { first.strip_suffix(".rs").unwrap_or(first) }
    }

    /// How many modules deep the file is: `engine/mod.rs` and `cli.rs` are 1, `engine/view.rs` 2.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// Line of a byte offset, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.code.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count()
    }

    /// Offsets at which a word stands: no letter, digit or `_` touches it.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let bytes = self.code.as_bytes();
        let joins = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| {
            !(joins(at.checked_sub(1).and_then(|i| bytes.get(i))) || joins(bytes.get(at + word.len())))
        })
    }

    /// Every path that starts at the crate's root, e.g. `engine::effect::Effect`, with its offset.
    pub fn crate_paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for root in ["crate", "gonogo"] {
            for at in self.words(root) {
                let Some(rest) = self.code[at + root.len()..].strip_prefix("::") else { continue };
                found.extend(expand(rest).into_iter().map(|p| (at, p)));
            }
        }
        // `super::super::x` that climbs to the root.
        for at in self.words("super") {
            if self.code[..at].ends_with("super::") {
                continue;
            }
            let mut rest = &self.code[at..];
            let mut climbed = 0;
            while let Some(next) = rest.strip_prefix("super::") {
                rest = next;
                climbed += 1;
            }
            if climbed == self.depth() {
                found.extend(expand(rest).into_iter().map(|p| (at, p)));
            }
        }
        found
    }
}

/// The paths that a `use`-like text starts with: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn expand(text: &str) -> Vec<String> {
    fn go(text: &str, prefix: &str, out: &mut Vec<String>) -> usize {
        let mut path = prefix.to_owned();
        let mut at = 0;
        loop {
            let rest = &text[at..];
            let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !word.is_empty() {
                if !path.is_empty() {
                    path.push_str("::");
                }
                path.push_str(&word);
                at += word.len();
                if text[at..].starts_with("::") {
                    at += 2;
                    continue;
                }
                out.push(path);
                return at;
            }
            if rest.starts_with('{') {
                at += 1;
                loop {
                    let space = text[at..].len() - text[at..].trim_start_matches([' ', '\n', ',']).len();
                    at += space;
                    match text[at..].chars().next() {
                        None => return at,
                        Some('}') => return at + 1,
                        Some(_) => {
                            let taken = go(&text[at..], &path, out);
                            at += taken;
                            // What follows an item up to the next comma (`as x`) is of no interest.
                            at += text[at..].find([',', '}']).unwrap_or(text.len() - at);
                        }
                    }
                }
            }
            out.push(path);
            return at;
        }
    }
    let mut out = Vec::new();
    go(text, "", &mut out);
    out.retain(|p| !p.is_empty());
    out
}

/// Every file of `src` that is part of the program; files compiled only for tests are left out.
pub fn read_tree(root: &Path) -> Vec<Source> {
    let src = root.join("src");
    let mut files = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let tests: Vec<PathBuf> = files.iter().flat_map(|f| test_files(f)).collect();
    let is_test = |f: &PathBuf| tests.iter().any(|t| f == t || f.starts_with(t.with_extension("")));
    files
        .iter()
        .filter(|f| !is_test(f))
        .map(|f| {
            let below = f.strip_prefix(&src).expect("below src").to_string_lossy().replace('\\', "/");
            Source::new(&below, &std::fs::read_to_string(f).expect("source is UTF-8"))
        })
        .collect()
}

/// Files that a file includes only for tests: `#[cfg(test)] mod tests;`, with or without `#[path]`.
fn test_files(file: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file).expect("source is UTF-8");
    let folder = file.parent().expect("a file has a folder");
    let stem = file.file_stem().expect("a file has a name").to_string_lossy();
    let inner = if matches!(&*stem, "mod" | "lib" | "main") { folder.to_owned() } else { folder.join(&*stem) };
    let mut found = Vec::new();
    for (at, _) in text.match_indices("#[cfg(test)]") {
        let mut named = None;
        for line in text[at..].lines().skip(1).take(4).map(str::trim) {
            if let Some(path) = line.strip_prefix("#[path = \"").and_then(|l| l.strip_suffix("\"]")) {
                named = Some(folder.join(path));
            } else if let Some(name) = line.trim_start_matches("pub ").strip_prefix("mod ") {
                if let Some(name) = name.strip_suffix(';') {
                    found.extend(named.take().or_else(|| Some(inner.join(name).with_extension("rs"))));
                    found.push(inner.join(name).join("mod.rs"));
                }
                break;
            } else if !line.starts_with("#[") {
                break;
            }
        }
    }
    found
}

/// Blanks comments and the inside of texts and characters; every line break stays.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let get = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let keep_lines = |out: &mut String, c: char| out.push(if c == '\n' { '\n' } else { ' ' });
    while at < chars.len() {
        let c = get(at);
        let before = at.checked_sub(1).map_or(' ', get);
        if c == '/' && get(at + 1) == '/' {
            while at < chars.len() && get(at) != '\n' {
                out.push(' ');
                at += 1;
            }
        } else if c == '/' && get(at + 1) == '*' {
            let mut open = 0;
            while at < chars.len() {
                match (get(at), get(at + 1)) {
                    ('/', '*') => {
                        open += 1;
                        at += 1;
                        out.push(' ');
                    }
                    ('*', '/') => {
                        open -= 1;
                        at += 1;
                        out.push(' ');
                    }
                    _ => {}
                }
                keep_lines(&mut out, get(at));
                at += 1;
                if open == 0 {
                    break;
                }
            }
        } else if c == 'r' && !before.is_alphanumeric() && before != '_' && raw_hashes(&chars, at).is_some() {
            let hashes = raw_hashes(&chars, at).unwrap_or(0);
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            at += hashes + 2;
            out.push('"');
            while at < chars.len() && chars.get(at..at + end.len()) != Some(end.as_slice()) {
                keep_lines(&mut out, get(at));
                at += 1;
            }
            at += end.len();
            out.push('"');
        } else if c == '"' {
            out.push('"');
            at += 1;
            while at < chars.len() && get(at) != '"' {
                if get(at) == '\\' {
                    out.push(' ');
                    at += 1;
                }
                keep_lines(&mut out, get(at));
                at += 1;
            }
            out.push('"');
            at += 1;
        } else if c == '\'' && (get(at + 1) == '\\' || get(at + 2) == '\'') {
            // A character; a lifetime has no quote after one letter.
            at += if get(at + 1) == '\\' { 3 } else { 2 };
            while at < chars.len() && get(at) != '\'' {
                at += 1;
            }
            at += 1;
            out.push_str("' '");
        } else {
            out.push(c);
            at += 1;
        }
    }
    out
}

/// Number of `#` of a raw text that starts here, if one does.
fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars.iter().skip(at + 1).take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Removes items marked `#[cfg(test)]`; also how many lines they took.
fn without_test_items(code: &str) -> (String, usize) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    let mut removed = 0;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        out.push_str(before);
        let end = item_end(item);
        let lines = item[..end].matches('\n').count();
        removed += lines + 1;
        out.extend(std::iter::repeat_n('\n', lines));
        rest = &item[end..];
    }
    out.push_str(rest);
    (out, removed)
}

/// Where an item ends: at its `;`, or at the brace that closes its first one.
fn item_end(item: &str) -> usize {
    let mut open = 0_i32;
    for (at, c) in item.char_indices() {
        match c {
            ';' if open == 0 => return at + 1,
            '{' => open += 1,
            '}' => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    item.len()
}
