//! `gonogo status`: what runs where, and what each ring waits for.

use serde_json::{Value, json};

use super::wording::for_verbs;
use super::{question, table};
use crate::domain::fleet::Service;
use crate::domain::id::{RegionIx, ServiceIx};
use crate::domain::stamp::{Timestamp, short};
use crate::domain::text::visible;
use crate::domain::verdict::Verdict;
use crate::engine::Engine;
use crate::engine::automation::lease::LASTS;
use crate::engine::drills::{due_sentence, is_due, last};
use crate::engine::policy_text::{Difference, differences, told_text};
use crate::engine::view::{Heard, Incident, OtherPolicy, RegionWord, ReleasePhase, Residual, RingRuns, ServiceView};
use crate::look::glyph::ring_word;

/// The words of a release's phase, for people and JSON.
pub fn release_word(phase: ReleasePhase) -> &'static str {
    match phase {
        ReleasePhase::Unknown => "unknown",
        ReleasePhase::Steady => "steady",
        ReleasePhase::RollingOut => "rolling out",
        ReleasePhase::Baking => "baking",
        ReleasePhase::Ready => "ready",
        ReleasePhase::ReadyWithFindings => "ready, with findings",
        ReleasePhase::Held => "held",
        ReleasePhase::Failed => "failed",
        ReleasePhase::Blocked => "blocked",
        ReleasePhase::NoData => "no data",
    }
}

/// The words of a region's state.
pub fn region_word(word: RegionWord) -> &'static str {
    match word {
        RegionWord::Unknown => "unknown",
        RegionWord::Absent => "absent",
        RegionWord::Settled => "settled",
        RegionWord::RollingOut => "rolling out",
        RegionWord::Pausing => "pausing",
        RegionWord::Paused => "paused",
        RegionWord::Failed => "failed",
    }
}

/// What a ring runs, as text.
pub fn runs_text(runs: &RingRuns) -> String {
    match runs {
        RingRuns::Unknown => "?".to_owned(),
        RingRuns::One(version) => visible(&version.0).into_owned(),
        RingRuns::Mixed(versions) => {
            let list = versions.iter().map(|v| visible(&v.0).into_owned()).collect::<Vec<_>>().join(" + ");
            format!("mixed: {list}")
        }
    }
}

/// How a cluster is heard, as text.
pub fn heard_text(heard: &Heard) -> String {
    match heard {
        Heard::Connecting => "connecting".to_owned(),
        Heard::Live => "live".to_owned(),
        Heard::Late(age) => format!("late {}", short((*age).try_into().unwrap_or_default())),
        Heard::Lost { word, age, reason, .. } => {
            let age = age.map(|a| format!(" {}", short(a.try_into().unwrap_or_default()))).unwrap_or_default();
            format!("{word}{age} ({})", visible(reason))
        }
    }
}

/// The worst verdict among the services shown: the exit code of `status` follows it.
pub fn worst(engine: &Engine, only: Option<ServiceIx>) -> Verdict {
    engine
        .services
        .iter()
        .enumerate()
        .filter(|(i, _)| only.is_none_or(|o| o.at() == *i))
        .map(|(_, s)| match (&s.view.question, s.view.release.phase) {
            (Some(question), _) => question.verdict,
            (None, ReleasePhase::Steady) => Verdict::Go,
            (None, ReleasePhase::Held | ReleasePhase::Failed | ReleasePhase::Blocked) => Verdict::NoGo,
            (None, ReleasePhase::Unknown | ReleasePhase::NoData) => Verdict::NoData,
            (
                None,
                ReleasePhase::RollingOut | ReleasePhase::Baking | ReleasePhase::Ready | ReleasePhase::ReadyWithFindings,
            ) => Verdict::Wait,
        })
        .max()
        .unwrap_or(Verdict::NoData)
}

/// The table for people.
pub fn text(engine: &Engine, only: Option<ServiceIx>, wide: bool) -> String {
    let mut out = String::new();
    for (at, service) in engine.fleet.services.iter().enumerate() {
        if only.is_some_and(|o| o.at() != at) {
            continue;
        }
        if let Some(state) = engine.services.get(at) {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&header(service, &state.view));
            out.push_str(&regions(engine, ServiceIx::from(at), service, wide));
            if let Some(question) = &state.view.question {
                out.push_str(&question::line_of(service, question));
            }
            for hold in &state.view.holds {
                let reason = hold.why();
                out.push_str(&format!(
                    "hold {} by {} ({} of {} regions): {}\n",
                    hold.scope,
                    visible(hold.by.as_str()),
                    hold.seen_in,
                    hold.of,
                    visible(reason)
                ));
            }
            for quarantine in engine.in_quarantine(at.into()) {
                let line = format!("quarantine {}: {}", quarantine.name(), quarantine.said);
                out.push_str(&format!("{}\n", visible(&line)));
            }
            for alarm in &state.view.alarms {
                out.push_str(&format!("! {}\n", visible(&for_verbs(alarm, Some(service.name.as_str())))));
            }
            if let Some(due) = due_sentence(service, &engine.undrilled(at.into())) {
                out.push_str(&format!("· {due}\n"));
            }
        }
    }
    out
}

/// The phase with its ring; a hold in the words that the board has for it.
pub fn phase_text(service: &Service, view: &ServiceView) -> String {
    if let (ReleasePhase::Held, Some(hold)) = (view.release.phase, view.holds.last()) {
        return hold.headline(view.holds.len());
    }
    let ring = view.release.ring.and_then(|r| service.ring(r)).map(|r| format!(" {}", r.name)).unwrap_or_default();
    format!("{}{ring}", release_word(view.release.phase).to_uppercase())
}

fn header(service: &Service, view: &ServiceView) -> String {
    let versions = match (&view.release.from, &view.release.to) {
        (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
        (Some(from), _) => from.to_string(),
        _ => "?".to_owned(),
    };
    let exposure = match view.exposure {
        Some(share) => format!("exposure {:.1} %", share * 100.0),
        None => "exposure ?".to_owned(),
    };
    let phase = phase_text(service, view);
    format!("{}  {}  {}  {exposure}\n", service.name, visible(&versions), visible(&phase))
}

fn regions(engine: &Engine, at: ServiceIx, service: &Service, wide: bool) -> String {
    let columns = if wide { service.columns.as_slice() } else { service.columns.get(..3).unwrap_or(&service.columns) };
    let mut head: Vec<String> = ["RING", "REGION", "VERSION", "STATE", "READY", "TRAFFIC"].map(str::to_owned).into();
    head.extend(columns.iter().map(|c| c.title.to_uppercase()));
    head.push("DATA".to_owned());
    if wide {
        head.push("CLUSTER".to_owned());
        head.push("WORKLOAD".to_owned());
    }
    let mut rows = vec![head];
    let Some(state) = engine.services.get(at.at()) else { return String::new() };
    for (i, spec) in service.regions.iter().enumerate() {
        let view = state.view.regions.get(i);
        let region = state.region(RegionIx::from(i));
        let workload = region.and_then(|r| r.workload.as_ref());
        let mut row = vec![
            service.ring(spec.ring).map(|r| r.name.to_string()).unwrap_or_default(),
            spec.name.to_string(),
            workload.map_or_else(|| "?".to_owned(), |w| visible(&w.version.0).into_owned()),
            view.map_or("unknown", |v| region_word(v.state)).to_owned()
                + if view.is_some_and(|v| v.held) { ", held" } else { "" },
            workload.map_or_else(|| "?".to_owned(), |w| format!("{}/{}", w.replicas.ready, w.replicas.desired)),
            match view.and_then(|v| v.weight) {
                Some((_, Some(share))) => format!("{:.0} %", share * 100.0),
                // A dial is no share.
                Some((weight, None)) => weight.to_string(),
                None => "–".to_owned(),
            },
        ];
        for column in columns {
            let reading = region.and_then(|r| r.current.get(&column.name)).map(|(_, r)| r.clone());
            row.push(match reading {
                Some(Ok(value)) => column.unit.show(value),
                _ => "?".to_owned(),
            });
        }
        row.push(view.map_or_else(|| "connecting".to_owned(), |v| heard_text(&v.heard)));
        if wide {
            row.push(engine.fleet.cluster_name(spec.cluster).to_string());
            row.push(format!("{} {}/{}", spec.workload.kind, spec.workload.namespace, spec.workload.name));
        }
        rows.push(row);
    }
    let right: Vec<usize> = (4..6 + columns.len()).collect();
    table(&rows, &right)
}

/// The JSON document.
pub fn json(engine: &Engine, only: Option<ServiceIx>) -> Value {
    let services: Vec<Value> = engine
        .fleet
        .services
        .iter()
        .enumerate()
        .filter(|(i, _)| only.is_none_or(|o| o.at() == *i))
        .filter_map(|(i, s)| Some(service_json(engine, s, i, &engine.services.get(i)?.view)))
        .collect();
    json!({
        "version": super::VERSION,
        "kind": "status",
        "fleet": engine.fleet.name.as_str(),
        "at": engine.server_now().to_string(),
        "verdict": worst(engine, only).key(),
        "services": services,
    })
}

fn service_json(engine: &Engine, service: &Service, at: usize, view: &ServiceView) -> Value {
    let state = engine.services.get(at);
    let regions: Vec<Value> = service
        .regions
        .iter()
        .enumerate()
        .map(|(i, spec)| {
            let region = state.and_then(|s| s.region(RegionIx::from(i)));
            let shown = view.regions.get(i);
            let workload = region.and_then(|r| r.workload.as_ref());
            let metrics: serde_json::Map<String, Value> = service
                .columns
                .iter()
                .map(|c| {
                    let reading = region.and_then(|r| r.current.get(&c.name));
                    let value = match reading {
                        Some((at, Ok(value))) => json!({"value": value, "at": at.to_string()}),
                        Some((_, Err(why))) => json!({"no_data": why.to_string()}),
                        None => json!({"no_data": "not asked yet"}),
                    };
                    (c.name.to_string(), value)
                })
                .collect();
            let mut one = json!({
                "region": spec.name.as_str(),
                "ring": service.ring(spec.ring).map(|r| r.name.to_string()),
                "cluster": engine.fleet.cluster_name(spec.cluster).as_str(),
                "state": shown.map(|v| region_word(v.state)),
                "heard": shown.map(|v| heard_json(&v.heard)),
                "held": shown.map(|v| v.held),
                "on_new": shown.and_then(|v| v.on_new),
                "weight": shown.and_then(|v| v.weight).map(|(w, _)| w),
                "traffic_share": shown.and_then(|v| v.share),
                "burn": shown.and_then(|v| v.burn).map(|b| json!({
                    "rate": b.rate, "budget_left": b.left, "budget_is_at_most": b.at_most, "verdict": b.verdict.key(),
                })),
                "drained": shown.map(|v| format!("{:?}", v.drained).to_lowercase()),
                "traffic_left": shown.and_then(|v| v.residual).map(|left| match left {
                    Residual::Nothing => json!({"drained": true}),
                    Residual::Qps { qps, below } => json!({"drained": false, "qps": qps, "below": below}),
                    Residual::Unmeasured => json!({"drained": null}),
                }),
                "under_way": shown.and_then(|v| v.under_way).map(|u| json!({
                    "ttl": u.ttl.map(|t| t.as_secs()), "seconds_left": u.left.as_secs(),
                })),
                "workload": workload.map(|w| json!({
                    "kind": &*spec.workload.kind,
                    "namespace": spec.workload.namespace.as_str(),
                    "name": &*spec.workload.name,
                    "uid": w.uid.as_str(),
                    "version": &*w.version.0,
                    "image": w.image.as_ref().map(ToString::to_string),
                    "template": w.template.hex(),
                    "phase": w.phase.word(),
                    "paused": w.paused,
                    "replicas": {
                        "desired": w.replicas.desired, "total": w.replicas.total, "updated": w.replicas.updated,
                        "ready": w.replicas.ready, "available": w.replicas.available,
                    },
                })),
                "metrics": metrics,
            });
            // Only where the configuration names one.
            let delivery = super::delivery::of(engine, spec, region);
            if let (Some(map), Some(delivery)) = (one.as_object_mut(), delivery) {
                map.insert("delivery".to_owned(), delivery);
            }
            one
        })
        .collect();
    let rings: Vec<Value> = service
        .rings
        .iter()
        .zip(&view.rings)
        .map(|(spec, ring)| {
            json!({
                "ring": spec.name.as_str(),
                "runs": runs_text(&ring.runs),
                "phase": ring_word(ring.phase),
                "verdict": ring.verdict.key(),
                "bake_start": ring.bake_start.map(|b| b.at.to_string()),
                "bake_source": ring.bake_start.map(|b| b.source.text()),
                "ready_at": ring.ready_at.map(|t| t.to_string()),
                "promote_at": ring.promote_at.map(|t| t.to_string()),
                "drilled": state.and_then(|s| last(&s.record, &spec.regions)).map(|(fact, took, real)| json!({
                    "at": fact.at.to_string(), "by": fact.by.as_str(), "seconds": took.as_secs_f64(), "real": real,
                })),
                "drill_is_due": state.is_some_and(|s| is_due(&s.record, spec, engine.server_now())),
            })
        })
        .collect();
    json!({
        "service": service.name.as_str(),
        "from": view.release.from.as_ref().map(ToString::to_string),
        "to": view.release.to.as_ref().map(ToString::to_string),
        "phase": release_word(view.release.phase),
        "exposure": view.exposure,
        "eta": view.eta.map(|t| t.to_string()),
        "policy_hash": &*service.policy_hash,
        "other_policies": view.policies.iter().map(|p| json!({
            "who": &*p.who, "hash": &*p.hash, "at": p.at.map(|t| t.to_string()), "guard": p.guards,
            "regions": names(service, &p.regions), "differs": differs(engine, service, p),
        })).collect::<Vec<_>>(),
        "guard": guard_json(engine, service, at),
        "forgotten_pauses": view.forgotten.iter().map(|(r, since)| json!({
            "region": names(service, &[*r]).pop(), "since": since.to_string(),
        })).collect::<Vec<_>>(),
        "under_review": view.under_review.as_ref().map(|r| json!({
            "ring": service.ring(r.ring).map(|r| r.name.to_string()), "version": &*r.version,
            "failed": names(service, &[r.failed]).pop(), "regions": names(service, &r.regions),
        })),
        "rollback_clock": clock_json(service, view, engine.server_now()),
        "holds": view.holds.iter().map(|h| json!({
            "id": h.id.map(|i| i.to_string()), "scope": h.scope.to_string(), "by": h.by.as_str(),
            "at": h.at.map(|t| t.to_string()), "reason": &*h.reason, "seen_in": h.seen_in, "of": h.of,
            "complete": h.complete(),
        })).collect::<Vec<_>>(),
        "quarantines": engine.in_quarantine(at.into()).iter().map(|q| json!({
            "subject": &*q.subject, "versions": q.versions.iter().map(|v| &**v).collect::<Vec<_>>(), "said": &*q.said,
        })).collect::<Vec<_>>(),
        "alarms": view.alarms.iter().map(|a| for_verbs(a, Some(service.name.as_str()))).collect::<Vec<_>>(),
        "rings": rings,
        "regions": regions,
        "question": view.question.as_ref().map(|q| question::json(service, q)),
    })
}

/// The clock that comes to its limit first, and every region that one runs for.
fn clock_json(service: &Service, view: &ServiceView, now: Timestamp) -> Option<Value> {
    let one = |i: &Incident| {
        json!({
            "region": names(service, &[i.region]).pop(), "since": i.since.to_string(),
            "elapsed_seconds": i.elapsed(now).as_secs(), "limit_seconds": i.limit.as_secs(),
            "due": i.due().to_string(), "overdue": i.overdue(now),
        })
    };
    let all: Vec<Value> = view.incidents.iter().map(one).collect();
    let mut first = one(view.rollback_clock()?);
    first.as_object_mut()?.insert("regions".to_owned(), all.into());
    Some(first)
}

fn names(service: &Service, regions: &[RegionIx]) -> Vec<String> {
    regions.iter().filter_map(|r| Some(service.region(*r)?.name.to_string())).collect()
}

/// The settings that another policy has differently; null where its text is not known.
fn differs(engine: &Engine, service: &Service, other: &OtherPolicy) -> Value {
    let ours = told_text(service, &|at| engine.fleet.cluster_name(at.into()).to_string());
    let Some((ours, theirs)) = ours.as_ref().zip(other.text.as_ref()) else { return Value::Null };
    let one = |d: &Difference| json!({"ring": &*d.ring, "here": d.ours.as_deref(), "there": d.theirs.as_deref()});
    Value::Array(differences(ours, theirs).iter().map(one).collect())
}

/// Which guards hold the leases, and when each wrote last. What was looked at once cannot be seen to
/// move: a lease whose last renewal is older than a lease lasts counts as silent.
fn guard_json(engine: &Engine, service: &Service, at: usize) -> Value {
    let regions = engine.services.get(at).map(|s| s.regions.as_slice()).unwrap_or_default();
    let now = engine.server_now();
    let guards: Vec<(bool, Value)> = service
        .regions
        .iter()
        .zip(regions)
        .filter_map(|(spec, region)| Some((spec, region.guard.as_ref().filter(|g| !g.holder.is_empty())?)))
        .map(|(spec, guard)| {
            let renewed: Option<Timestamp> = guard.renewed.parse().ok();
            let age = renewed.map(|r| now.duration_since(r).as_secs());
            let lasts = i64::try_from(LASTS.as_secs()).unwrap_or(i64::MAX);
            let alive = guard.alive(engine.now) && age.is_some_and(|age| age <= lasts);
            let value = json!({
                "region": spec.name.as_str(), "holder": &*guard.holder, "mode": &*guard.mode, "alive": alive,
                "last_heartbeat": renewed.map(|r| r.to_string()), "age_seconds": age, "policy": &*guard.policy,
                "policy_is_ours": guard.policy == service.policy_hash,
            });
            (alive, value)
        })
        .collect();
    let alive = guards.iter().filter(|(alive, _)| *alive).count();
    let places = (0..regions.len()).map(|r| (ServiceIx::from(at), RegionIx::from(r)));
    let unknown = places.filter(|place| !engine.lease_known(*place)).count();
    // What was not read is not disarmed: nobody knows.
    let armed = if alive > 0 { Some(true) } else { (unknown == 0).then_some(false) };
    json!({
        "armed": armed,
        "unread": unknown,
        "silent": guards.len() - alive,
        "regions": guards.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
    })
}

fn heard_json(heard: &Heard) -> Value {
    match heard {
        Heard::Connecting => json!({"state": "connecting"}),
        Heard::Live => json!({"state": "live"}),
        Heard::Late(age) => json!({"state": "late", "age_seconds": age.as_secs()}),
        Heard::Lost { word, reason, age, next_try } => json!({
            "state": "lost", "word": &**word, "reason": &**reason, "age_seconds": age.map(|a| a.as_secs()),
            "next_try": next_try.to_string(),
        }),
    }
}
