//! Questions on a terminal, a line each.

use std::io::{BufRead, Write};

use crate::domain::text::visible;

/// Longest list that is shown at once.
const MOST: usize = 60;

/// One line; none: the input ended.
pub(super) fn line(question: &str) -> Option<String> {
    let mut out = std::io::stderr();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
    let mut said = String::new();
    match std::io::stdin().lock().read_line(&mut said) {
        Ok(read) if read > 0 => Some(said.trim().to_owned()),
        _ => None,
    }
}

fn list(title: &str, all: &[String]) {
    super::say(&format!("{title}:\n"));
    for (at, one) in all.iter().enumerate().take(MOST) {
        super::say(&format!("  {:>3}  {}\n", at + 1, visible(one)));
    }
    if all.len() > MOST {
        super::say(&format!("  … and {} more: name them by their number, or all\n", all.len() - MOST));
    }
}

/// The position of one, asked for until it is one.
pub(super) fn chosen(title: &str, question: &str, all: &[String]) -> Option<usize> {
    list(title, all);
    loop {
        let said = line(question)?;
        match numbers(&said, all.len()).as_deref() {
            Some([one]) => return Some(*one),
            _ => super::say(&format!("  a number from 1 to {}, please\n", all.len())),
        }
    }
}

/// Several, asked for until they are some.
pub(super) fn several_chosen(title: &str, question: &str, all: &[String]) -> Option<Vec<String>> {
    list(title, all);
    loop {
        let said = line(question)?;
        if said == "all" {
            return Some(all.to_vec());
        }
        match numbers(&said, all.len()) {
            Some(chosen) => return Some(chosen.into_iter().filter_map(|at| all.get(at).cloned()).collect()),
            None => super::say(&format!("  numbers from 1 to {}, ranges like 3-5, or all\n", all.len())),
        }
    }
}

/// Positions from numbers and ranges that count from 1; none where one of them is none.
fn numbers(said: &str, of: usize) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for part in said.split([' ', ',']).filter(|p| !p.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        if from == 0 || to < from || to > of {
            return None;
        }
        found.extend(from - 1..to);
    }
    found.sort_unstable();
    found.dedup();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_count_from_one() {
        assert_eq!(numbers("1 3-5, 4", 5), Some(vec![0, 2, 3, 4]));
        for wrong in ["", "0", "6", "5-3", "x", "1-", "99999999999999999999"] {
            assert_eq!(numbers(wrong, 5), None, "{wrong:?}");
        }
    }
}
