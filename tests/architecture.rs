//! The house keeps its shape: imports run one way, and clocks, files, the terminal and the
//! network are named only where they belong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

use std::path::PathBuf;

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use rules::*;
use source::{Source, read_tree};

fn root() -> PathBuf {
    // At run time, so that the same check can be pointed at another checkout.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn tree() -> Vec<Source> {
    let sources = read_tree(&root());
    assert!(sources.len() > 30, "only {} files were found", sources.len());
    sources
}

#[track_caller]
fn clean(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn the_map_lists_the_modules_in_dependency_order() {
    let sources = tree();
    let lib = sources.iter().find(|s| s.path == "lib.rs").expect("src/lib.rs");
    clean(&map_is_in_order(lib));
}

#[test]
fn imports_between_modules_run_one_way() {
    clean(&imports_run_one_way(&tree()));
}

#[test]
fn clocks_files_terminal_and_network_stay_in_their_rooms() {
    let sources = tree();
    clean(&bans_hold(&sources));
    clean(&instants_hold(&sources));
}

#[test]
fn every_file_is_introduced_and_short() {
    clean(&files_are_introduced_and_short(&tree()));
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    clean(&dependencies_have_reasons(&manifest));
}

/// Planted violations: each is found, at its line, and nothing else is.
#[test]
fn the_rules_can_fail() {
    let found = |path: &str, text: &str| {
        let sources = [Source::new(path, text)];
        let mut all = imports_run_one_way(&sources);
        all.extend(bans_hold(&sources));
        all.extend(instants_hold(&sources));
        all.extend(files_are_introduced_and_short(&sources));
        all
    };
    let caught = [
        ("domain/a.rs", "//! A.\nuse crate::engine::Engine;\n", "src/domain/a.rs:2: domain uses engine"),
        ("domain/a.rs", "//! A.\nuse crate::{\n    domain::id,\n    io::{act, clock},\n};\n", "domain uses io"),
        ("domain/a.rs", "//! A.\nfn f() { super::super::kinds::kind(\"x\"); }\n", "domain uses kinds"),
        ("domain/mod.rs", "//! A.\nuse super::kinds;\n", "domain uses kinds"),
        ("sim/api.rs", "//! A.\nuse crate::kinds::KINDS;\n", "the simulation stands apart"),
        ("io/a.rs", "//! A.\nuse crate::sim::world;\n", "the simulation stands apart"),
        ("io/a.rs", "//! A.\nuse crate::engine::state::RegionState;\n", "of the engine only its effects"),
        ("io/a.rs", "//! A.\nuse crate::app::App;\n", "the wire knows no screen"),
        ("nowhere.rs", "//! A.\n", "module nowhere is not in the map"),
        ("engine/a.rs", "//! A.\nfn f() { let t = jiff::Timestamp::now(); }\n", "src/engine/a.rs:2: Timestamp::now"),
        ("io/a.rs", "//! A.\nfn f() { let t = Timestamp::now(); }\n", "Timestamp::now"),
        ("io/a.rs", "//! A.\nuse std::time::Instant;\nfn f() { Instant::now(); }\n", "src/io/a.rs:3: Instant::now"),
        ("app/a.rs", "//! A.\nuse tokio::time::Instant;\nfn f() { Instant::now(); }\n", "Instant::now"),
        ("engine/a.rs", "//! A.\nuse std::env;\n", "std::env"),
        ("domain/a.rs", "//! A.\nfn f() { std::fs::read(\"x\"); }\n", "std::fs"),
        ("io/a.rs", "//! A.\nfn f() { println!(\"x\"); }\n", "println!"),
        ("app/a.rs", "//! A.\nfn f() { std::process::exit(1) }\n", "process::exit"),
        ("domain/a.rs", "//! A.\nuse ratatui::Frame;\n", "ratatui"),
        ("domain/a.rs", "//! A.\nuse tokio;\n", "tokio"),
        ("engine/a.rs", "//! A.\nfn f(c: kube::Client) {}\n", "kube"),
        ("engine/a.rs", "//! A.\nfn f() { fastrand::u8(..); }\n", "fastrand"),
        ("domain/a.rs", "// A.\n", "no sentence"),
    ];
    for (path, text, expected) in caught {
        let all = found(path, text);
        assert!(all.iter().any(|v| v.contains(expected)), "{path}: {text:?} gave {all:?}");
    }
    let long = format!("//! A.\n{}#[cfg(test)]\nmod tests {{\n    fn g() {{}}\n}}\n", "fn f() {}\n".repeat(600));
    assert!(found("domain/a.rs", &long)[0].contains("601 production lines"), "{:?}", found("domain/a.rs", &long));

    let fine = [
        ("domain/a.rs", "//! A.\n// std::env, println! and [`crate::gates`] in a comment\n"),
        ("domain/a.rs", "//! A.\n/* kube::Client /* nested */ std::fs */ const A: &str = \"std::env\";\n"),
        (
            "domain/a.rs",
            "//! A.\nconst A: &str = r#\"kube::\"std::fs\"\"#; const B: char = '\"'; const C: &str = \"\";\n",
        ),
        (
            "domain/a.rs",
            "//! A.\n#[cfg(test)]\nmod tests {\n    use crate::engine::Engine;\n    fn f() { std::fs::read(\"}\"); }\n}\n",
        ),
        ("domain/a.rs", "//! A.\nfn f<'a>(kube: &'a str, reqwest: u8) { x.kube; Kind::tokio; }\n"),
        (
            "io/a.rs",
            "//! A.\nuse crate::engine::effect::{Effect, Reply};\nuse tokio::time::{Duration, Instant};\nfn f() { Instant::now(); }\n",
        ),
        ("io/clock.rs", "//! A.\nfn f() { Timestamp::now(); Instant::now(); }\n"),
        ("sim/a.rs", "//! A.\nuse crate::domain::text::safe;\n"),
        ("bin/x.rs", "//! A.\nfn main() { std::process::exit(gonogo::cli::main()); }\n"),
        ("main.rs", "//! A.\nfn main() { std::process::exit(gonogo::cli::main()); }\n"),
    ];
    for (path, text) in fine {
        assert_eq!(found(path, text), Vec::<String>::new(), "{path}: {text:?}");
    }

    let lib = Source::new("lib.rs", "//! A.\npub mod app;\npub mod domain;\n");
    assert_eq!(map_is_in_order(&lib).len(), 1);
    let manifest = "[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n\n[features]\nc = []\n";
    assert_eq!(dependencies_have_reasons(manifest), ["Cargo.toml:4: b has no reason"]);
}
