//! Help, made from the keymap: what is not bound is not in it.

use super::command::{About, COMMANDS, GROUPS, Group};
use super::keymap::Keymap;

/// A line of help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Keys, as text.
    pub keys: String,
    /// The command's name.
    pub name: &'static str,
    /// What it does.
    pub sentence: &'static str,
}

/// Rows of help by group.
pub fn rows(keymap: &Keymap) -> Vec<(Group, Vec<Row>)> {
    let row = |about: &About| {
        let keys = keymap.keys(about.command);
        (!keys.is_empty()).then(|| Row { keys: keys.join("  "), name: about.name, sentence: about.sentence })
    };
    let of = |group: Group| COMMANDS.iter().filter(|a| a.group == group).filter_map(row).collect();
    GROUPS.into_iter().map(|g| (g, of(g))).collect()
}

/// The words of the console, as `?` shows them.
pub const GLOSSARY: &[(&str, &str)] = &[
    ("fleet", "all clusters, services and rings of one configuration"),
    ("service", "one deployable thing that is released ring by ring"),
    ("ring", "an ordered stage; holds regions; runs one version, or is mixed"),
    ("region", "where a service runs: a cluster, a namespace and a workload"),
    ("workload", "what runs a service in a region, for example a Deployment"),
    ("template digest", "SHA-256 of the pod template: what runs; scaling does not change it"),
    ("release", "a service going from one version to another"),
    ("bake", "the time a ring must run a template digest; starts when its last region settled"),
    ("exit gate", "judges a ring's own regions, and lets later rings start"),
    ("entry gate", "judges the ring that would change"),
    ("verdict", "no-go > no data > wait > go with findings > go; the worst wins; unknown is never green"),
    ("evidence", "the samples and template digests that a verdict rests on"),
    ("hold", "a stop that people put on a service, ring or region, with a reason"),
    ("drain, restore", "take a region out of traffic, and put it back at its earlier weight"),
    ("exposure", "measured share of live traffic on the new version"),
    ("headroom", "what the remaining regions can absorb"),
    ("raising, lowering", "an action that adds risk, and one that removes it"),
    ("settled", "the expected state was seen: accepted is not done"),
    ("diverged", "written, but the expected state did not come"),
    ("unknown", "the reply was lost, and reading could not tell either; never sent again"),
    ("GO, GO!", "every gate says go; with `!`: go with findings, which a person must see and type for"),
    ("● version", "this region runs the version that is on its way"),
    ("worst hour", "the worst hour since the bake began, with the hour in UTC"),
    ("hold on a ring", "stops promotions into that ring; later rings wait too: they need it to run the version first"),
    ("y or typing", "rolling back asks for `y`; above half of live traffic for the name, typed"),
    ("log (;)", "links lost and back, lost replies, refused writes, metrics that fail; also in files"),
    ("left open", "an operation whose console died: T once more, C closes it in the journal, Esc later"),
    ("journal", "the local, append-only, hash-chained audit log"),
    ("record", "shared facts in a ConfigMap beside the workloads"),
];

/// The table of keys as Markdown, for `docs/keys.md`.
pub fn markdown() -> String {
    let keymap = Keymap::default();
    let mut text = String::new();
    for (group, rows) in rows(&keymap) {
        text.push_str(&format!("\n## {}\n\n| keys | command | what it does |\n|---|---|---|\n", group.title()));
        for row in rows {
            let keys: Vec<String> = row.keys.split("  ").map(|k| format!("`{}`", k.replace('|', "\\|"))).collect();
            text.push_str(&format!("| {} | `{}` | {} |\n", keys.join(" "), row.name, row.sentence));
        }
        if group == Group::Move {
            text.push_str("| `1` to `9` | `focus-1` to `focus-9` | the region in that row |\n");
        }
    }
    text
}
