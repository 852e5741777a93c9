//! `[notify.NAME]`: whom a guard tells.

use super::super::model::{NotifyForm, Webhook};
use super::super::reader::Table;
use super::prometheus::secret;
use super::{Build, names};
use crate::engine::effect::NoticeKind;

pub(super) fn read(build: &Build<'_>, root: Table<'_>) -> Vec<Webhook> {
    let mut out = Vec::new();
    for (name, table) in root.named("notify") {
        names::check(build.problems, "webhook", &name.value, name.at);
        let Some((value, _)) = table.raw("url") else {
            table.missing("url", "{ env = \"WEBHOOK_URL\" }");
            continue;
        };
        let Some(url) = secret(build, "url", value) else { continue };
        let form = match table.word("form").map(|w| w.value).as_deref() {
            Some("slack") => NotifyForm::Slack,
            _ => NotifyForm::Generic,
        };
        let mut events = Vec::new();
        for text in table.texts("events").unwrap_or_default() {
            match NoticeKind::NAMES.iter().find(|(word, _)| *word == text.value) {
                Some((_, kind)) => events.push(*kind),
                None => {
                    let known: Vec<&str> = NoticeKind::NAMES.iter().map(|(word, _)| *word).collect();
                    let near = crate::domain::text::did_you_mean(&text.value, known.iter().copied());
                    let fix = near.map_or_else(
                        || format!("there is: {}", names::list(&known)),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let message = format!("there is no notice of the kind `{}`", text.value);
                    build.problems.error("bad-word", text.at, message, fix);
                }
            }
        }
        out.push(Webhook { name: name.value.into(), url, form, events });
    }
    out
}
