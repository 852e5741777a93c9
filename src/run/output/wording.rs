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

/// `` `:revoke ring-2` `` is `` `gonogo revoke webapp ring-2` ``.
fn palette(text: &str, service: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (n, part) in text.split('`').enumerate() {
        if n > 0 {
            out.push('`');
        }
        match part.strip_prefix(':').filter(|_| n % 2 == 1) {
            Some(line) => {
                let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest));
                let gap = if rest.is_empty() { "" } else { " " };
                out.push_str(&format!("gonogo {word} {service}{gap}{rest}"));
            }
            None => out.push_str(part),
        }
    }
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
            ("`:clear` ends it, with a reason", "`gonogo clear webapp` ends it, with a reason"),
            (
                "another template is judged anew; H holds what must not go on",
                "another template is judged anew; `gonogo hold` holds what must not go on",
            ),
            ("wait until it is there, or cancel it", "wait until it is there, or cancel it"),
        ] {
            assert_eq!(for_verbs(console, Some("webapp")), verb);
        }
        assert_eq!(for_verbs("`:clear` ends it", None), "`gonogo clear SERVICE` ends it");
    }
}
