//! A console and a guard that hear the same come to the same verdicts, word for word.

use super::*;
use crate::domain::verdict::Verdict;

/// Everything that is judged of the service.
fn judged(engine: &Engine) -> Vec<String> {
    let view = &engine.services[0].view;
    let rings = view.rings.iter().map(|r| format!("{r:?}"));
    let question = view.question.iter().flat_map(|q| {
        let head = format!("{:?} {} {:?}: {}", q.ring, q.version, q.verdict, q.sentence);
        let cells = q.cells().map(|(row, gate, judged)| format!("{:?} {gate}: {judged:?}", row.region));
        std::iter::once(head).chain(cells)
    });
    rings.chain(question).collect()
}

/// The verdicts of one minute of a run.
fn verdicts(engine: &Engine) -> BTreeSet<Verdict> {
    let view = &engine.services[0].view;
    view.question.iter().flat_map(|q| q.cells().map(|(_, _, judged)| judged.verdict)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_console_and_a_guard_judge_the_same_world_alike_word_for_word() {
    let mut stand = Stand::new("regression", ROLLBACK, "oncall", &|_| {});
    let setting = Setting { operator: "guard@test".into(), seed: 7, may_keep: true, refresh: REFRESH };
    let mut guard = Engine::new(stand.fleet.clone(), setting, stand.clock.now());
    let holder = "guard-1".into();
    let mode = Mode::Advise;
    guard.arm(Arming { mode, lessened: None, holder, regions: Vec::new(), interrupted: Vec::new() });
    stand.twin = Some(guard);
    let effects = stand.engine.show(SHOP);
    stand.perform(effects);
    let heard = |s: &Stand| s.version("eu-west-1") == "v2.0.0" && s.version("ap-south-1") == "v2.1.0";
    stand.until("the fleet", Duration::from_secs(60), heard).await;
    let minute = stand.clock.now().mono + Duration::from_secs(60);
    stand.until("the first data", Duration::from_secs(120), |s| s.clock.now().mono >= minute).await;
    stand.promote("eu-west-1").await;
    let all = [Verdict::Go, Verdict::Wait, Verdict::NoData, Verdict::NoGo];
    let mut seen = BTreeSet::new();
    for minute in 1..=30 {
        // Prometheus is away for a while in the bake: unknown is unknown to both.
        let faults: Vec<Fault> = if (3..=9).contains(&minute) { vec![Fault::Down] } else { Vec::new() };
        for region in ["staging", "ap-south-1", "eu-west-1", "us-east-1"] {
            stand.sim.prometheus(region).unwrap().faults().set(faults.clone());
        }
        let end = stand.clock.now().mono + Duration::from_secs(60);
        stand.until("a minute more", Duration::from_secs(120), |s| s.clock.now().mono >= end).await;
        let twin = stand.twin.as_mut().unwrap();
        twin.freshen(SHOP);
        stand.engine.freshen(SHOP);
        let (console, guard) = (judged(&stand.engine), judged(twin));
        for (c, g) in console.iter().zip(&guard) {
            assert_eq!(c, g, "minute {minute}");
        }
        assert_eq!(console.len(), guard.len(), "minute {minute}");
        seen.extend(verdicts(&stand.engine));
        if all.iter().all(|v| seen.contains(v)) {
            break;
        }
    }
    assert!(all.iter().all(|v| seen.contains(v)), "the run had them all: {seen:?}");
}
