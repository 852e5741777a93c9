#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use proptest::prelude::*;

use super::*;

const OVERLAY: &str = "\
# Ring two: people depend on it.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../../base]   # shared

images:
  - name: registry.example/shop/web   # the shop
    newName: mirror.example/shop/web
    newTag: \"1.4.2\"  # released by gonogo
  - {name: sidecar, newTag: v3, note: 'it''s'}
  - name: pinned
    newTag: v1
    digest: sha256:aaaa
patches:
- path: replicas.yaml
replicas:
  - name: web
    count: 3
";

fn path(text: &str) -> CarryPath {
    CarryPath::parse(text).unwrap()
}

fn edit(text: &str, at: &str, old: &str, new: &str) -> Result<String, YamlError> {
    replace(text.as_bytes(), &path(at), old, new).map(|b| String::from_utf8(b).unwrap())
}

const WEB: &str = "/images[name=registry.example/shop/web]/newTag";

#[test]
fn one_value_changes_and_comments_order_quotes_and_blanks_stay() {
    let edited = edit(OVERLAY, WEB, "1.4.2", "1.5.0").unwrap();
    assert_eq!(edited, OVERLAY.replace("\"1.4.2\"", "\"1.5.0\""));
    let edited = edit(OVERLAY, "/images[name=sidecar]/newTag", "v3", "v4").unwrap();
    assert_eq!(edited, OVERLAY.replace("newTag: v3", "newTag: v4"));
    let edited = edit(OVERLAY, "/images[name=sidecar]/note", "it's", "o'clock").unwrap();
    assert_eq!(edited, OVERLAY.replace("'it''s'", "'o''clock'"));
    let edited = edit(OVERLAY, "/images[name=pinned]/digest", "sha256:aaaa", "sha256:bbbb").unwrap();
    assert_eq!(edited, OVERLAY.replace("sha256:aaaa", "sha256:bbbb"));
    let edited = edit(OVERLAY, "/replicas/0/count", "3", "4").unwrap();
    assert_eq!(edited, OVERLAY.replace("count: 3", "count: 4"));
    assert_eq!(read(OVERLAY.as_bytes(), &path(WEB)), Ok(Scalar { value: "1.4.2".into(), line: 9 }));
}

#[test]
fn line_endings_a_missing_last_line_feed_and_a_byte_order_mark_stay() {
    for text in [
        OVERLAY.replace('\n', "\r\n"),
        OVERLAY.trim_end().to_owned(),
        "images:\n- name: registry.example/shop/web\n  newTag: \"1.4.2\"".to_owned(),
        "{\"images\": [{\"name\": \"registry.example/shop/web\", \"newTag\": \"1.4.2\"}]}".to_owned(),
        format!("---\n{OVERLAY}...\n"),
        format!("\u{feff}{OVERLAY}"),
        OVERLAY.replace("people", "люди – 人々"),
    ] {
        let edited = edit(&text, WEB, "1.4.2", "1.5.0").unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(edited, text.replace("\"1.4.2\"", "\"1.5.0\""));
    }
}

#[test]
fn a_text_that_looks_like_a_number_gets_quotes_and_a_number_stays_one() {
    let tag = |old: &str| format!("images:\n- name: web\n  newTag: {old} # c\n");
    for (old, new, written) in [
        ("v1", "1.20", "'1.20'"),
        ("v1", "1e5", "'1e5'"),
        ("v1", "20261121", "'20261121'"),
        ("v1", "no", "'no'"),
        ("v1", "1.20.1", "1.20.1"),
        ("1.20", "1.21", "'1.21'"),
        ("'1.20'", "v2", "'v2'"),
        ("\"1.20\"", "v2", "\"v2\""),
        ("v1", "a: b", "'a: b'"),
        ("v1", "a #b", "'a #b'"),
        ("v1", "@x", "'@x'"),
        ("v1", "*x", "'*x'"),
        ("v1", "x ", "'x '"),
        ("\"v1\"", "a\"b\\", "\"a\\\"b\\\\\""),
    ] {
        let bare = old.trim_matches(['\'', '"']);
        assert_eq!(edit(&tag(old), "/images[name=web]/newTag", bare, new), Ok(tag(written)), "{old} → {new}");
    }
    assert_eq!(edit("n: 3\n", "/n", "3", "4"), Ok("n: 4\n".into()));
    assert_eq!(edit("n: v3\n", "/n", "v3", "4"), Ok("n: '4'\n".into()));
}

#[test]
fn what_cannot_be_replaced_without_doubt_is_refused_in_words() {
    let tag = "/images[name=web]/newTag";
    let one = |rest: &str| format!("images:\n- name: web\n  {rest}\n");
    for (text, expected) in [
        (one("newTag: &t v1"), YamlError::Anchored(3)),
        (one("newTag: *t").replace("images:", "t: &t v1\nimages:"), YamlError::Aliased(4)),
        (one("<<: *t").replace("images:", "t: &t {newTag: v1}\nimages:"), YamlError::Aliased(4)),
        ("images: &i\n- name: web\n  newTag: v1\nother: *i\n".into(), YamlError::Anchored(2)),
        ("images: *i\n".replace("images", "i: &i [a]\nimages"), YamlError::Aliased(2)),
        (one("newTag: !!str v1"), YamlError::Tagged(3)),
        (one("newTag: |\n    v1"), YamlError::SeveralLines(4)),
        (one("newTag: >-\n    v1"), YamlError::SeveralLines(4)),
        (one("newTag: \"v1\\\n    \""), YamlError::SeveralLines(3)),
        (one("newTag: v1\n    v2"), YamlError::SeveralLines(3)),
        (one("newTag: v1\n  digest: sha256:a"), YamlError::DigestDecides(4)),
        (one("newTag: v1\n  newTag: v1"), YamlError::Duplicate { line: 4, key: "newTag".into() }),
        (one("newTag: v1\na: {b: 1, b: 2}"), YamlError::Duplicate { line: 4, key: "b".into() }),
        (one("newTag: [v1]"), YamlError::NotScalar(3)),
        (one("newTag: v0"), YamlError::Differs { line: 3, found: "v0".into(), expected: "v1".into() }),
        (one("newTag: v2"), YamlError::Differs { line: 3, found: "v2".into(), expected: "v1".into() }),
        (one("digest: sha256:a"), YamlError::Missing(tag.into())),
        ("images: []\n".into(), YamlError::Missing("/images[name=web]".into())),
        ("images: web\n".into(), YamlError::Missing("/images[name=web]".into())),
        ("kind: Kustomization\n".into(), YamlError::Missing("/images".into())),
        (one("newTag: v1\n- name: web\n  newTag: v1"), YamlError::Ambiguous("/images[name=web]".into(), 2)),
        (format!("{}---\na: 1\n", one("newTag: v1")), YamlError::Documents(2)),
        (String::new(), YamlError::Documents(0)),
        ("# nothing\n".into(), YamlError::Documents(0)),
        ("images:\n\t- name: web\n".into(), YamlError::Tab(2)),
    ] {
        assert_eq!(edit(&text, tag, "v1", "v2"), Err(expected), "{text}");
    }
    assert!(matches!(edit("a: [1\n", "/a", "1", "2"), Err(YamlError::NotYaml { .. })));
    assert_eq!(replace(b"a: \xff\n", &path("/a"), "1", "2"), Err(YamlError::NotText));
    assert_eq!(replace(&vec![b' '; LONGEST + 1], &path("/a"), "1", "2"), Err(YamlError::TooLong));
    assert_eq!(edit("a: 1\n", "/a", "1", "1"), Err(YamlError::Same(1)));
    for value in ["", "a\nb", "a\u{202e}b", &"x".repeat(600)] {
        assert!(matches!(edit("a: 1\n", "/a", "1", value), Err(YamlError::Value(_))), "{value:?}");
    }
}

#[test]
fn an_anchor_elsewhere_is_nobodys_business() {
    let text = "common: &c {app: web}\nlabels: *c\nimages: &unused\n- name: web\n  newTag: v1\n";
    assert_eq!(edit(text, "/images[name=web]/newTag", "v1", "v2"), Ok(text.replace("v1", "v2")));
}

/// An entry of `images` as people write it.
fn entry() -> impl Strategy<Value = (String, String)> {
    let value = "[a-z0-9][a-z0-9.+-]{0,11}";
    (value, 0..3usize, any::<bool>(), prop::option::of("[ -~]{0,12}")).prop_map(|(value, quotes, flow, comment)| {
        let quote = ["", "'", "\""][quotes];
        // Without quotes only what is a text.
        let quote = if quote.is_empty() && resolves(&value) != Resolves::Text { "'" } else { quote };
        let comment = comment.map(|c| format!("  # {c}")).unwrap_or_default();
        let text = if flow {
            format!("- {{name: NAME, newTag: {quote}{value}{quote}}}{comment}\n")
        } else {
            format!("-   name: NAME\n    newTag:  {quote}{value}{quote}{comment}\n    # below\n")
        };
        (text, value)
    })
}

proptest! {
    #[test]
    fn only_the_bytes_of_that_scalar_change(
        entries in prop::collection::vec(entry(), 1..6),
        chosen in any::<prop::sample::Index>(),
        new in "[ -~é]{1,24}",
        crlf in any::<bool>(),
        cut in any::<bool>(),
    ) {
        let chosen = chosen.index(entries.len());
        let mut text = "# first\nkind: Kustomization\nimages:\n".to_owned();
        let mut starts = Vec::new();
        for (n, (entry, _)) in entries.iter().enumerate() {
            starts.push(text.len());
            text.push_str(&entry.replace("NAME", &format!("n{n}")));
        }
        text.push_str("labels: {a: b}\n");
        let crlf_text = text.replace('\n', "\r\n");
        let mut text = if crlf { crlf_text } else { text };
        if cut {
            text.truncate(text.trim_end().len());
        }
        let old = &entries[chosen].1;
        prop_assume!(*old != new);
        let at = path(&format!("/images[name=n{chosen}]/newTag"));
        let edited = String::from_utf8(replace(text.as_bytes(), &at, old, &new).unwrap()).unwrap();

        // As another reader sees both: the same, but for that value.
        let mut expected: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        expected["images"][chosen]["newTag"] = new.as_str().into();
        prop_assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&edited).unwrap(), expected);
        // What is before and after the value is what was there.
        let same = text.bytes().zip(edited.bytes()).take_while(|(a, b)| a == b).count();
        let tail = text[same..].bytes().rev().zip(edited[same..].bytes().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(text.len() - same - tail <= old.len() + 2, "{}", edited);
        // And back again: what was plain may have got quotes, and keeps them.
        let back = String::from_utf8(replace(edited.as_bytes(), &at, &new, old).unwrap()).unwrap();
        prop_assert_eq!(serde_saphyr::from_str::<serde_json::Value>(&back).unwrap(), serde_saphyr::from_str::<serde_json::Value>(&text).unwrap());
    }

    #[test]
    fn no_text_makes_it_panic_or_change_more(text in "[ -~\n\r\t&*!|>]{0,80}", new in "[ -~]{1,8}") {
        let at = path("/a/b");
        if let Ok(scalar) = read(text.as_bytes(), &at)
            && let Ok(edited) = replace(text.as_bytes(), &at, &scalar.value, &new)
        {
            prop_assert_eq!(read(&edited, &at).unwrap().value, new);
        }
    }
}
