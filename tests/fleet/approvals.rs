//! Four eyes and a window, end to end: one person approves, the window opens, another promotes.

use std::time::Duration;

use gonogo::app::Mode;
use gonogo::domain::verdict::{Judgement, Verdict};
use gonogo::engine::operation::ProposalState;
use gonogo::sim::api::admission::AdmissionRule;
use gonogo::sim::world::SimOptions;
use serde::Deserialize;

use super::console::{Console, config, fleet, together};

/// What the policy of `deploy/admission/` does, in the simulation's words.
const POLICY: &str = r#"
[[rule]]
name = "gonogo-approvals"
resource = "configmaps"
operations = ["CREATE"]
when = [
  { field = "/metadata/labels/app.kubernetes.io~1component", equals = "approval" },
  { field = "/data/approver", requester = false },
]
effect.policy = { binding = "gonogo-approvals", message = "data.approver must be the user who creates the approval" }
"#;

/// It is Friday 14:32 in Dublin. Another cluster knows the author of the release: who that is must be said,
/// or nobody could tell her from ana.
const RING: &str = r#"
[identities]
oncall = "oncall@example.com"

[service.webapp.ring.ring-2]
entry = [
  "freshness",
  { gate = "approval", users = ["ana", "bo"] },
  { gate = "window", during = "Fri 14:34-16:00" },
]
"#;

#[derive(Deserialize)]
struct Rules {
    rule: Vec<AdmissionRule>,
}

fn cell(console: &Console, gate: &str) -> Option<Judgement> {
    let question = console.app.engine.services[0].view.question.clone()?;
    let column = question.gates.iter().position(|g| &**g == gate)?;
    question.rows.iter().find_map(|row| row.cells.get(column).cloned().flatten().map(|judged| *judged))
}

fn refused(console: &Console) -> Option<(&'static str, String)> {
    match &console.app.engine.proposal.as_ref()?.state {
        ProposalState::Refused(refusal) => Some((refusal.code, refusal.text.to_string())),
        _ => None,
    }
}

async fn pass(ana: &mut Console, bo: &mut Console, seconds: u64) {
    for _ in 0..seconds {
        together(&mut [&mut *ana, &mut *bo], Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_person_approves_the_window_opens_and_another_promotes() {
    let fleet = fleet(SimOptions::default());
    let rules: Rules = toml::from_str(POLICY).unwrap();
    fleet.api("eu-west-1").unwrap().set_admission(rules.rule);
    let config = config(&fleet, |text| text + RING);
    let mut ana = Console::open(&fleet, &config, "ana", Mode::Console, 31);
    let mut bo = Console::open(&fleet, &config, "bo", Mode::Console, 32);
    pass(&mut ana, &mut bo, 20).await;
    assert_eq!(cell(&ana, "approval").map(|j| (j.verdict, j.cell.to_string())), Some((Verdict::Wait, "0/1".into())));
    assert_eq!(cell(&ana, "window").map(|j| j.verdict), Some(Verdict::Wait));

    // The inbox, then the prompt: it says that a forged approval would be refused here.
    ana.key("A").await;
    ana.open_prompt("A").await;
    let said = match ana.app.engine.proposal.as_ref().map(|p| &p.state) {
        Some(ProposalState::Ready { plan, .. }) => plan.findings.iter().map(|f| f.text.to_string()).collect(),
        other => vec![format!("{other:?}")],
    };
    assert!(said.iter().any(|t| t.contains("eu-west-1 refuses an approval in another's name")), "{said:?}");
    ana.confirm().await;
    assert_eq!(ana.end().await.0, "settled", "{}", ana.state());
    let writes = ana.tap.writes();
    let posts: Vec<String> = writes.iter().map(|w| w.line()).filter(|l| l.contains("configmaps")).collect();
    assert_eq!(posts.iter().filter(|l| l.contains("POST") && !l.contains("dryRun")).count(), 1, "{posts:?}");

    // Bo sees it; the window is still closed.
    pass(&mut ana, &mut bo, 5).await;
    let seen = cell(&bo, "approval").unwrap();
    assert_eq!((seen.verdict, &*seen.cell), (Verdict::Go, "1/1"), "{}", seen.sentence);
    bo.open_prompt("P").await;
    let (code, text) = refused(&bo).expect("the window is closed");
    assert_eq!(code, "wait", "{text}");
    bo.key("esc").await;

    pass(&mut ana, &mut bo, 120).await;
    assert_eq!(cell(&bo, "window").map(|j| j.verdict), Some(Verdict::Go), "{}", bo.state());
    // Ana may not use her own approval.
    ana.open_prompt("P").await;
    let (code, text) = refused(&ana).expect("she has approved it herself");
    assert_eq!(code, "wait", "{text}");
    assert!(text.contains("0 of 1 approvals"), "{text}");
    ana.key("esc").await;
    bo.open_prompt("P").await;
    bo.confirm().await;
    assert_eq!(bo.end().await.0, "settled", "{}", bo.state());
}
