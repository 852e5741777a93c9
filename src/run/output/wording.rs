//! Sentences that name a key of the console, as a verb says them: with flags and verbs.

/// Words of the console, and what to type instead where there is no console.
const INSTEAD: &[(&str, &str)] = &[
    ("(F, or --without-wait)", "(--without-wait)"),
    ("F promotes without", "`--without-wait` promotes without"),
    ("F asks for break-glass", "`--without-wait` asks for break-glass"),
    ("x explains", "`gonogo explain SERVICE RING` explains"),
    ("resume it first (U)", "resume it first (`gonogo resume SERVICE REGION`)"),
    ("U releases", "`gonogo resume` releases"),
    ("U restores", "`gonogo restore` restores"),
    ("U un-pauses", "`gonogo resume` un-pauses"),
    ("H holds", "`gonogo hold` holds"),
    ("B rolls back", "`gonogo rollback` rolls back"),
];

/// The sentence without keys and palette lines; `SERVICE` stands where the service's name is not known.
pub fn for_verbs(text: &str, service: Option<&str>) -> String {
    let service = service.unwrap_or("SERVICE");
    if text.starts_with("R tries") {
        return format!("try again; `gonogo status {service}` shows what does not answer");
    }
    if let Some((region, rest)) = text.strip_prefix("U on ").and_then(|t| t.split_once(" restores ")) {
        return format!("`gonogo restore {service} {region}` restores {rest}");
    }
    if let Some((ring, rest)) = text.strip_prefix("B on ").and_then(|t| t.split_once(" returns ")) {
        return format!("`gonogo rollback {service} {ring}` returns {rest}");
    }
    let text = INSTEAD.iter().fold(text.to_owned(), |t, (key, verb)| t.replace(key, &verb.replace("SERVICE", service)));
    palette(&text, service)
}

/// Palette words that act on the whole service, which a verb names by its own name.
const WHOLE: [&str; 2] = ["clear", "quarantine"];

/// `` `:revoke ring-2` `` is `` `gonogo revoke webapp ring-2` ``, `` `:clear` `` is
/// `` `gonogo clear webapp webapp` ``, and what the palette takes as a version follows `--to`.
fn palette(text: &str, service: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (line, after))) = rest.split_once("`:").and_then(|(b, r)| Some((b, r.split_once('`')?))) {
        out.push_str(before);
        let mut words = line.split_whitespace();
        let word = words.next().unwrap_or_default();
        let arguments: Vec<&str> = words.collect();
        let arguments = match (word, arguments.as_slice()) {
            ("promote" | "approve", [ring, version]) => format!("{ring} --to {version}"),
            (word, []) if WHOLE.contains(&word) => service.to_owned(),
            (_, []) => "REGION…".to_owned(),
            (_, all) => all.join(" "),
        };
        let word = if word == "rollback-upstream" { "rollback" } else { word };
        out.push_str(&format!("`gonogo {word} {service} {arguments}`"));
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_names_verbs_and_flags_where_the_console_names_keys() {
        for (console, verb) in [
            ("R tries its clusters again", "try again; `gonogo status webapp` shows what does not answer"),
            ("U on eu-west-1 restores weight 45", "`gonogo restore webapp eu-west-1` restores weight 45"),
            ("B on ring-2 returns to what it runs now", "`gonogo rollback webapp ring-2` returns to what it runs now"),
            (
                "x explains; F asks for break-glass, with a reason",
                "`gonogo explain webapp RING` explains; `--without-wait` asks for break-glass, with a reason",
            ),
            ("`:revoke ring-2` ends it, for everybody", "`gonogo revoke webapp ring-2` ends it, for everybody"),
            ("`:clear` ends it, with a reason", "`gonogo clear webapp webapp` ends it, with a reason"),
            (
                "another template is judged anew; H holds what must not go on",
                "another template is judged anew; `gonogo hold` holds what must not go on",
            ),
            (
                "name the version: `:promote ring-0 VERSION`",
                "name the version: `gonogo promote webapp ring-0 --to VERSION`",
            ),
            ("under review (`:rollback-upstream`)", "under review (`gonogo rollback webapp REGION…`)"),
            ("wait until it is there, or cancel it", "wait until it is there, or cancel it"),
        ] {
            assert_eq!(for_verbs(console, Some("webapp")), verb);
        }
        assert_eq!(for_verbs("`:clear` ends it", None), "`gonogo clear SERVICE SERVICE` ends it");
    }

    /// Hints are written for the console. Here stand all that name a key; a new one is added with its translation.
    #[test]
    fn no_hint_of_the_engine_names_a_key_to_a_verb() {
        let hints = [
            "F promotes without the rest of the wait, with a reason",
            "unknown is never green: x explains what is missing",
            "x explains; F asks for break-glass, with a reason",
            "U releases a hold, with a reason",
            "H holds again",
            "U restores it",
            "B rolls back what is finished",
            "R tries the cluster again",
            "mark regions of one ring only; several rings at once is break-glass (F, or --without-wait)",
        ];
        let key = |word: &str| word.len() == 1 && word.chars().all(|c| c.is_ascii_uppercase() || c == 'x');
        for hint in hints {
            let said = for_verbs(hint, Some("webapp"));
            let words: Vec<&str> = said.split(|c: char| !c.is_alphanumeric()).collect();
            assert!(!words.iter().any(|w| key(w)), "{hint}: {said}");
        }
    }
}
