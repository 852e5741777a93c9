//! The keymap: defaults, what the user changed, and no key with two meanings.

use std::collections::BTreeMap;

use super::command::{COMMANDS, Command};
use super::key::Key;
use crate::domain::text::did_you_mean;

/// Which keys ask for which command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    bindings: BTreeMap<Vec<Key>, Command>,
}

/// What keys typed so far mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// This command.
    Command(Command),
    /// The start of a longer sequence.
    Prefix,
    /// Nothing.
    Nothing,
}

/// What is wrong with the keys of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// No such command.
    #[error("there is no command `{name}`{hint}")]
    UnknownCommand {
        /// As written.
        name: String,
        /// A guess.
        hint: String,
    },
    /// Not a key.
    #[error("`{text}` for `{command}` is not a key: write it like `P`, `ctrl-r`, `g g`, `space`, `f5`")]
    NotAKey {
        /// As written.
        text: String,
        /// For which command.
        command: String,
    },
    /// Two commands want the key.
    #[error("`{key}` is bound to both `{first}` and `{second}`")]
    Conflict {
        /// The key.
        key: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// One sequence starts with another.
    #[error("`{long}` (`{second}`) starts with `{short}` (`{first}`), which would act first")]
    Hidden {
        /// The shorter.
        short: String,
        /// Its command.
        first: String,
        /// The longer.
        long: String,
        /// Its command.
        second: String,
    },
    /// A key that must stay what it is.
    #[error("`{key}` always leaves a prompt and cannot be bound to `{command}`")]
    Reserved {
        /// The key.
        key: String,
        /// The command.
        command: String,
    },
}

impl Default for Keymap {
    fn default() -> Self {
        // The defaults have no conflict: a test holds that.
        Self::with(&[]).unwrap_or_else(|_| Self { bindings: BTreeMap::new() })
    }
}

impl Keymap {
    /// The defaults with changes: a command named here has exactly the keys given, none unbinds it.
    pub fn with(changes: &[(String, Vec<String>)]) -> Result<Self, Vec<KeymapError>> {
        let mut errors = Vec::new();
        let mut wanted: BTreeMap<Command, Vec<Vec<Key>>> = BTreeMap::new();
        for about in COMMANDS {
            wanted.insert(about.command, about.keys.iter().filter_map(|k| Key::parse_sequence(k)).collect());
        }
        for n in 1..=9u8 {
            wanted.insert(Command::Focus(n), vec![vec![Key::char(char::from(b'0' + n))]]);
        }
        for (name, keys) in changes {
            let Some(command) = Command::named(name) else {
                let guess = did_you_mean(name, COMMANDS.iter().map(|a| a.name));
                let hint = guess.map_or_else(String::new, |g| format!(" (did you mean `{g}`?)"));
                errors.push(KeymapError::UnknownCommand { name: name.clone(), hint });
                continue;
            };
            let mut sequences = Vec::new();
            for text in keys {
                match Key::parse_sequence(text) {
                    Some(sequence) => sequences.push(sequence),
                    None => errors.push(KeymapError::NotAKey { text: text.clone(), command: name.clone() }),
                }
            }
            wanted.insert(command, sequences);
        }
        let bindings = bind(&wanted, &mut errors);
        if errors.is_empty() { Ok(Self { bindings }) } else { Err(errors) }
    }

    /// What keys typed so far mean.
    pub fn find(&self, typed: &[Key]) -> Match {
        if let Some(command) = self.bindings.get(typed) {
            return Match::Command(*command);
        }
        let longer = self.bindings.keys().any(|k| k.len() > typed.len() && k.starts_with(typed));
        if longer { Match::Prefix } else { Match::Nothing }
    }

    /// Keys of a command as text, the handiest first.
    pub fn keys(&self, command: Command) -> Vec<String> {
        let bound = |keys: &String| {
            let sequence = Key::parse_sequence(keys)?;
            (self.bindings.get(&sequence) == Some(&command)).then_some(keys.clone())
        };
        // Defaults in their order first, then what the user added.
        let defaults = command.about().map_or(&[][..], |a| a.keys).iter().map(|k| (*k).to_owned());
        let mut keys: Vec<String> = defaults.filter_map(|k| bound(&k)).collect();
        for (sequence, c) in &self.bindings {
            let text = show(sequence);
            if *c == command && !keys.contains(&text) {
                keys.push(text);
            }
        }
        keys
    }

    /// The first key of a command.
    pub fn key(&self, command: Command) -> Option<String> {
        self.keys(command).into_iter().next()
    }
}

fn bind(wanted: &BTreeMap<Command, Vec<Vec<Key>>>, errors: &mut Vec<KeymapError>) -> BTreeMap<Vec<Key>, Command> {
    let mut bindings: BTreeMap<Vec<Key>, Command> = BTreeMap::new();
    for (command, sequences) in wanted {
        for sequence in sequences {
            let esc = Key::plain(super::key::Code::Esc);
            if sequence.contains(&esc) && *command != Command::Back {
                errors.push(KeymapError::Reserved { key: show(sequence), command: command.name() });
            }
            match bindings.insert(sequence.clone(), *command) {
                Some(first) if first != *command => errors.push(KeymapError::Conflict {
                    key: show(sequence),
                    first: first.name(),
                    second: command.name(),
                }),
                _ => {}
            }
        }
    }
    for (long, second) in bindings.iter().filter(|(k, _)| k.len() > 1) {
        if let Some((short, first)) = bindings.iter().find(|(k, _)| k.len() < long.len() && long.starts_with(k)) {
            errors.push(KeymapError::Hidden {
                short: show(short),
                first: first.name(),
                long: show(long),
                second: second.name(),
            });
        }
    }
    bindings
}

fn show(sequence: &[Key]) -> String {
    sequence.iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::input::command::Danger;

    fn with(changes: &[(&str, &[&str])]) -> Result<Keymap, Vec<KeymapError>> {
        let changes: Vec<_> =
            changes.iter().map(|(n, k)| ((*n).to_owned(), k.iter().map(|k| (*k).to_owned()).collect())).collect();
        Keymap::with(&changes)
    }

    #[test]
    fn the_defaults_have_no_conflict_and_every_default_key_reads() {
        assert!(with(&[]).is_ok());
        for about in COMMANDS {
            for key in about.keys {
                assert!(Key::parse_sequence(key).is_some(), "{key}");
            }
        }
    }

    #[test]
    fn whatever_acts_is_a_capital_a_control_key_or_the_exclamation_mark() {
        let keymap = Keymap::default();
        for about in COMMANDS.iter().filter(|a| a.danger != Danger::None) {
            for key in keymap.keys(about.command) {
                let c = key.chars().next().unwrap();
                assert!(c.is_ascii_uppercase() || key == "!" || key.starts_with("ctrl-"), "{key} {}", about.name);
            }
        }
    }

    #[test]
    fn sequences_wait_for_their_second_key() {
        let keymap = Keymap::default();
        let g = Key::char('g');
        assert_eq!(keymap.find(&[g]), Match::Prefix);
        assert_eq!(keymap.find(&[g, g]), Match::Command(Command::Top));
        assert_eq!(keymap.find(&[g, Key::char('x')]), Match::Nothing);
        assert_eq!(keymap.find(&[Key::char('7')]), Match::Command(Command::Focus(7)));
    }

    #[test]
    fn a_user_may_change_keys_and_conflicts_are_errors() {
        let keymap = with(&[("retry", &[]), ("hold", &["T"])]).unwrap();
        assert_eq!(keymap.keys(Command::Hold), ["T"]);
        assert_eq!(keymap.key(Command::Retry), None);
        for (changes, message) in [
            (&[("hold", &["P"][..])][..], "`P` is bound to both `promote` and `hold`"),
            (&[("holt", &["Z"][..])], "there is no command `holt` (did you mean `hold`?)"),
            (
                &[("hold", &["hyper-z"][..])],
                "`hyper-z` for `hold` is not a key: write it like `P`, `ctrl-r`, `g g`, `space`, `f5`",
            ),
            (&[("hold", &["g"][..])], "`g g` (`top`) starts with `g` (`hold`), which would act first"),
            (
                &[("hold", &["esc"][..]), ("back", &[][..])],
                "`esc` always leaves a prompt and cannot be bound to `hold`",
            ),
        ] {
            let errors: Vec<String> = with(changes).unwrap_err().iter().map(ToString::to_string).collect();
            assert_eq!(errors, [message]);
        }
    }
}
