//! Lists and watches when all is well, and through every fault that has a name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gonogo::domain::id::ClusterIx;
use gonogo::domain::link::LostReason;
use gonogo::io::connect::{Dial, Dialed, Memory, Mode, Remembered};
use gonogo::io::watch::{plan, reach};
use serde_json::json;

use super::stage::*;

#[tokio::test(start_paused = true)]
async fn a_cluster_is_listed_watched_and_known() {
    let server = Server::new(|asked| {
        if asked.is_watch_of("deployments") && asked.nth == 0 {
            let mut other = deployment("web", "11", "v9");
            other["metadata"]["namespace"] = "elsewhere".into();
            return Does::Stream(vec![
                event("ADDED", other),
                event("MODIFIED", deployment("web", "12", "v2")),
                event("NEW-KIND-OF-EVENT", deployment("web", "13", "v3")),
                event("DELETED", deployment("web", "14", "v2")),
                Part::Wait(25),
            ]);
        }
        well(asked)
    });
    let stage = Stage::watch(fleet(1, true), std::slice::from_ref(&server));
    stage.notes.until("gone", |n| n.versions(0) == ["v1", "v2", "gone"]).await;
    stage.notes.until("facts", |n| !n.facts(0).rights.is_empty()).await;
    assert_eq!(stage.notes.syncs(0), [(vec!["shop/web".to_owned()], false)]);
    let facts = stage.notes.facts(0);
    assert_eq!(facts.uid.unwrap().as_str(), "cluster-uid");
    assert!(!facts.uid_is_derived && !facts.uid_changed);
    assert_eq!((facts.version.as_deref(), facts.user.unwrap().as_str()), (Some("v1.34.2"), "ann"));
    assert_eq!((facts.watches, facts.troubles.len()), (3, 0));
    assert_eq!(facts.rights_unanswered, Some(0));
    let records = server.asked().into_iter().find(|a| a.is_list_of("configmaps")).unwrap();
    assert!(records.query.contains("labelSelector=app.kubernetes.io%2Fmanaged-by%3Dgonogo"), "{}", records.query);
    // The next watch goes on from the last event, also from those that were not wanted.
    stage.notes.until("renewed", |_| server.times(|a| a.is_watch_of("deployments")).len() > 1).await;
    let second = server.asked().into_iter().filter(|a| a.is_watch_of("deployments")).nth(1).unwrap();
    assert!(second.query.contains("resourceVersion=14"), "{}", second.query);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_its_server_ends_is_renewed_without_a_word() {
    let server = Server::new(well);
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(stage.notes.links(0).len(), 1, "live once: {:?}", stage.notes.links(0));
    assert_eq!(server.times(|a| a.is_list_of("deployments")).len(), 1);
    let times = server.times(|a| a.is_watch_of("deployments"));
    assert!(times.len() >= 8, "{times:?}");
    for pair in times.windows(2) {
        assert!((24.9..=35.1).contains(&(pair[1] - pair[0])), "{times:?}");
    }
    // Late from 45 s: proof of life comes more often than that.
    for pair in stage.notes.heard(0).windows(2) {
        assert!(pair[1] - pair[0] < 45.0, "{:?}", stage.notes.heard(0));
    }
}

#[tokio::test(start_paused = true)]
async fn bookmarks_alone_are_proof_of_life_and_move_the_position() {
    let server = Server::new(|asked| match asked.nth {
        0 if asked.is_watch_of("deployments") => {
            Does::Stream(vec![Part::Wait(10), bookmark("77"), Part::Wait(10), bookmark("78"), Part::Wait(5)])
        }
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("second watch", |_| server.times(|a| a.is_watch_of("deployments")).len() == 2).await;
    let heard = stage.notes.heard(0);
    assert!(heard.iter().any(|at| (10.0..10.1).contains(at)) && heard.iter().any(|at| (20.0..20.1).contains(at)));
    assert!(server.asked().iter().any(|a| a.query.contains("resourceVersion=78")));
    assert_eq!(stage.notes.versions(0), ["v1"]);
}

#[tokio::test(start_paused = true)]
async fn too_old_to_resume_lists_again_with_a_gap_and_stays_live() {
    for as_event in [true, false] {
        let server = Server::new(move |asked| match asked.nth {
            0 if asked.is_watch_of("deployments") && as_event => {
                Does::Stream(vec![Part::Wait(10), event("ERROR", failed(410, "Expired", "too old resource version"))])
            }
            0 if asked.is_watch_of("deployments") => Does::Json(410, failed(410, "Expired", "too old")),
            1 if asked.is_list_of("deployments") => list_of("50", vec![]),
            _ => well(asked),
        });
        let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
        stage.notes.until("second list", |n| n.syncs(0).len() == 2).await;
        stage.notes.until("live", |n| n.is_live(0)).await;
        assert_eq!(stage.notes.syncs(0)[1], (vec![], true));
        assert_eq!(stage.notes.lost(0), None);
        assert!(stage.notes.links(0).iter().all(|(_, l)| !matches!(l, gonogo::domain::link::Link::Lost { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let server = Server::new(|asked| match asked.nth {
        0 if asked.is_list_of("deployments") => Does::Raw(429, &[("retry-after", "17")], b"slow down".to_vec()),
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("live", |n| n.is_live(0)).await;
    let times = server.times(|a| a.is_list_of("deployments"));
    assert!((17.0..17.2).contains(&times[1]), "{times:?}");
    let (_, first) = stage.notes.links(0).remove(0);
    let gonogo::domain::link::Link::Lost { reason: LostReason::Failing(text), next_try } = first else {
        panic!("{first:?}")
    };
    assert_eq!(&*text, "list deployments.apps in namespace shop of cluster c0: 429 slow down");
    assert_eq!(next_try.to_string(), "2026-11-21T10:00:17Z");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_errors_is_met_with_one_growing_backoff_per_cluster() {
    let server = Server::new(|_| Does::Json(500, failed(500, "InternalError", "etcd is gone")));
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    tokio::time::sleep(Duration::from_secs(300)).await;
    let times = server.times(|a| a.is_list_of("deployments"));
    let records = server.times(|a| a.is_list_of("configmaps"));
    assert_eq!(times.len(), records.len());
    let close = times.iter().zip(&records).all(|(a, b)| (a - b).abs() < 0.01);
    assert!(close, "watches of one cluster try together: {times:?} {records:?}");
    let mut full = 0.5;
    for pair in times.windows(2) {
        let wait = pair[1] - pair[0];
        assert!(wait >= full / 2.0 - 0.01 && wait <= full + 0.01, "{wait} of {full}: {times:?}");
        full = f64::min(full * 2.0, 30.0);
    }
    assert!(times.len() > 12, "{times:?}");
    assert!(matches!(stage.notes.lost(0), Some((_, LostReason::Failing(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_hung_watch_is_dead_five_seconds_after_its_time_and_what_was_known_stays() {
    let server = Server::new(|asked| match asked.nth {
        0 if asked.is_watch_of("deployments") => Does::Stream(vec![Part::Hang]),
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    let (at, reason) = stage.notes.lost(0).unwrap();
    assert!((30.0..40.1).contains(&at), "{at}");
    assert!(matches!(reason, LostReason::Unreachable(t) if t.contains("went silent")));
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert_eq!(stage.notes.versions(0), ["v1"], "nothing is told as gone");
    assert_eq!(stage.notes.syncs(0).len(), 1, "resumed, not listed again");
}

#[tokio::test(start_paused = true)]
async fn a_hung_list_ends_at_its_limit() {
    let server = Server::new(|asked| match asked.nth {
        0 if asked.is_list_of("deployments") => Does::Hang,
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("live", |n| n.is_live(0)).await;
    let times = server.times(|a| a.is_list_of("deployments"));
    assert!((30.0..31.0).contains(&times[1]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_renewed_at_once_and_a_refused_one_is_lost() {
    let server = Server::new(|asked| match asked.nth {
        0 if asked.is_watch_of("deployments") => Does::Stream(vec![Part::Wait(20), Part::Cut]),
        1 if asked.is_watch_of("deployments") => Does::Stream(vec![Part::Wait(10), Part::Cut]),
        2 if asked.is_watch_of("deployments") => Does::Refused,
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    let (at, reason) = stage.notes.lost(0).unwrap();
    assert!((30.0..30.1).contains(&at), "{at}: the first cut is renewed without a word");
    assert!(matches!(reason, LostReason::Unreachable(_)), "{reason:?}");
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert_eq!(stage.notes.syncs(0).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_of_many_pages_is_complete_only_at_its_end() {
    let server = Server::new(|asked| {
        let page = asked.query.split("continue=p").nth(1).and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
        if !asked.is_list_of("deployments") {
            return well(asked);
        }
        let items: Vec<_> =
            if page == 19 { vec![deployment("web", "9", "v1")] } else { vec![deployment("x", "9", "v1")] };
        let next = if page < 19 { format!("p{}", page + 1) } else { String::new() };
        let body = json!({"metadata": {"resourceVersion": "10", "continue": next}, "items": items}).to_string();
        Does::Stream(vec![Part::Wait(3), Part::Bytes(body.into_bytes())])
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(stage.notes.syncs(0).is_empty() && !stage.notes.is_live(0));
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert_eq!(stage.notes.syncs(0), [(vec!["shop/web".to_owned()], false)]);
    assert_eq!(server.times(|a| a.is_list_of("deployments")).len(), 20);
}

/// Counts dials: credentials are what a dial brings.
struct Counting(Arc<dyn Dial>, Arc<AtomicUsize>);

impl Dial for Counting {
    fn dial(&self, cluster: ClusterIx, renew: bool) -> futures::future::BoxFuture<'_, Result<Dialed, LostReason>> {
        if renew {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
        self.0.dial(cluster, renew)
    }
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_renewed_once_for_all_watches() {
    let renewals = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&renewals);
    let server = Server::new(move |asked| match count.load(Ordering::SeqCst) {
        0 if asked.at > Duration::from_secs(60) => Does::Json(401, failed(401, "Unauthorized", "Unauthorized")),
        _ => well(asked),
    });
    let dial: Arc<dyn Dial> = Arc::new(Counting(in_process(std::slice::from_ref(&server)), Arc::clone(&renewals)));
    let stage = Stage::with(fleet(1, true), dial, &Mode::Console);
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(renewals.load(Ordering::SeqCst), 1);
    assert_eq!(stage.notes.links(0).len(), 1, "never lost: {:?}", stage.notes.links(0));
}

/// A server that is well for a minute and then answers every watch with this code, and so often at most.
fn refuses_watches(code: u16, reason: &'static str) -> Server {
    let refused = AtomicUsize::new(0);
    Server::new(move |asked| match asked.at > Duration::from_secs(60) && asked.is_watch() {
        // Whoever asks without a pause would ask for ever: time stands still meanwhile.
        true if refused.fetch_add(1, Ordering::SeqCst) > 1_000 => Does::Hang,
        true => Does::Json(code, failed(code, reason, "not any more")),
        false => well(asked),
    })
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_while_a_watch_is_resumed_are_not_renewed_without_a_pause() {
    let server = refuses_watches(401, "Unauthorized");
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    tokio::time::sleep(Duration::from_secs(240)).await;
    let asked = server.times(|a| a.is_watch_of("deployments") && a.at > Duration::from_secs(60)).len();
    assert!(asked < 60, "{asked} times in three minutes");
    let (_, reason) = stage.notes.lost(0).unwrap();
    assert!(matches!(reason, LostReason::Unauthenticated(_)), "{reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_to_which_every_version_is_too_old_is_not_listed_without_a_pause() {
    let server = refuses_watches(410, "Expired");
    let _stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    tokio::time::sleep(Duration::from_secs(240)).await;
    let listed = server.times(|a| a.is_list_of("deployments")).len();
    assert!((2..60).contains(&listed), "{listed} times in three minutes");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_said_plainly() {
    let server = Server::new(|_| Does::Json(401, failed(401, "Unauthorized", "Unauthorized")));
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    let (_, reason) = stage.notes.lost(0).unwrap();
    let LostReason::Unauthenticated(text) = reason else { panic!("{reason:?}") };
    assert!(text.contains("of cluster c0: 401 Unauthorized"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn another_cluster_behind_the_context_is_said_and_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let remembered: Arc<dyn Remembered> = Arc::new(Memory::new(folder.path()));
    remembered.remember("c0", &"uid-of-before".into());
    let server = Server::new(well);
    let stage = Stage::remembering(
        fleet(1, false),
        in_process(std::slice::from_ref(&server)),
        &Mode::Console,
        remembered.clone(),
    );
    stage.notes.until("known", |n| n.facts(0).uid.is_some()).await;
    let facts = stage.notes.facts(0);
    assert!(facts.uid_changed, "{facts:?}");
    assert_eq!(remembered.recall("c0"), Some("uid-of-before".into()), "only a person accepts it");
}

#[tokio::test(start_paused = true)]
async fn missing_rights_are_said_with_verb_and_resource() {
    let forbidden = |asked: &Asked| match asked {
        a if a.is_list_of("deployments") => Does::Json(403, failed(403, "Forbidden", "user ann cannot list")),
        a => well(a),
    };
    let stage = Stage::watch(fleet(1, false), &[Server::new(forbidden)]);
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    let (_, reason) = stage.notes.lost(0).unwrap();
    let LostReason::Forbidden(text) = reason else { panic!("{reason:?}") };
    assert_eq!(&*text, "list deployments.apps in namespace shop of cluster c0: 403 Forbidden: user ann cannot list");
}

/// What was not answered is not allowed: it is counted, so that nobody takes silence for a right.
#[tokio::test(start_paused = true)]
async fn rights_that_are_not_answered_are_counted() {
    let silent = |asked: &Asked| match asked {
        a if a.path.ends_with("selfsubjectaccessreviews") && a.nth > 0 => {
            Does::Json(503, failed(503, "ServiceUnavailable", "later"))
        }
        a => well(a),
    };
    let stage = Stage::watch(fleet(1, false), &[Server::new(silent)]);
    stage.notes.until("asked", |n| n.facts(0).rights_unanswered.is_some()).await;
    let facts = stage.notes.facts(0);
    assert_eq!((facts.rights.len(), facts.rights_unanswered), (1, Some(3)));
}

#[tokio::test(start_paused = true)]
async fn an_absent_crd_is_said_and_the_rest_lives() {
    let absent = |asked: &Asked| match asked {
        a if a.path.contains("gateway.networking.k8s.io") => {
            Does::Raw(404, &[("content-type", "text/plain")], b"404 page not found\n".to_vec())
        }
        a => well(a),
    };
    let server = Server::new(absent);
    let stage = Stage::watch(fleet(1, true), std::slice::from_ref(&server));
    stage.notes.until("live", |n| n.is_live(0)).await;
    let facts = stage.notes.facts(0);
    assert_eq!(facts.watches, 2);
    assert_eq!(&*facts.troubles[0], "httproutes.gateway.networking.k8s.io is not served there (CRD absent): c0");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(stage.notes.links(0).len(), 1);
    let asked = server.times(|a| a.path.contains("gateway.networking"));
    assert!((4..=12).contains(&asked.len()), "asked again now and then: {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_the_definition_of_a_workload_kind_lives_on() {
    let absent = |asked: &Asked| match asked {
        a if a.path.contains("argoproj.io") => {
            Does::Raw(404, &[("content-type", "text/plain")], b"404 page not found\n".to_vec())
        }
        a => well(a),
    };
    let server = Server::new(absent);
    let mut fleet = (*fleet(1, true)).clone();
    fleet.services[0].regions[0].workload.kind = "Rollout".into();
    let stage = Stage::watch(fleet.into(), std::slice::from_ref(&server));
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert_eq!(&*stage.notes.facts(0).troubles[0], "rollouts.argoproj.io is not served there (CRD absent): c0");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(stage.notes.lost(0).is_none(), "{:?}", stage.notes.lost(0));
}

#[tokio::test(start_paused = true)]
async fn garbage_and_half_a_line_are_failures_and_end_in_a_new_list() {
    let cut = br#"{"type":"MODIFIED","object":{"metadata":{"name":"we"#.to_vec();
    let wrong = b"{\"type\":\"MODIFIED\",\"object\":{\"metadata\":7}}\n".to_vec();
    for bytes in [cut, b"<html>no</html>\n".to_vec(), vec![0xff, 0xfe, b'\n'], wrong] {
        let server = Server::new(move |asked| match asked.nth {
            0 if asked.is_watch_of("deployments") => Does::Stream(vec![Part::Wait(8), Part::Bytes(bytes.clone())]),
            _ => well(asked),
        });
        let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
        stage.notes.until("lost", |n| n.lost(0).is_some()).await;
        assert!(matches!(stage.notes.lost(0), Some((_, LostReason::Failing(_)))), "{:?}", stage.notes.lost(0));
        stage.notes.until("live", |n| n.is_live(0)).await;
        assert_eq!(stage.notes.syncs(0).len(), 2);
        assert!(stage.notes.syncs(0)[1].1, "with a gap");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_json_is_a_failure_and_not_an_empty_cluster() {
    let server = Server::new(|asked| match asked.nth {
        0 if asked.is_list_of("deployments") => Does::Raw(200, &[], b"{\"items\":[{\"metadata\":".to_vec()),
        1 if asked.is_list_of("deployments") => Does::Raw(200, &[], b"<html>".to_vec()),
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert_eq!(stage.notes.syncs(0), [(vec!["shop/web".to_owned()], false)]);
}

#[tokio::test(start_paused = true)]
async fn a_huge_object_is_read_and_one_without_end_is_refused() {
    let mut huge = deployment("web", "12", "v2");
    huge["metadata"]["annotations"] = json!({"x": "y".repeat(50 * 1024 * 1024)});
    let line = format!("{}\n", json!({"type": "MODIFIED", "object": huge})).into_bytes();
    let server = Server::new(move |asked| match asked.nth {
        0 if asked.is_watch_of("deployments") => {
            let mut parts: Vec<Part> = line.chunks(1 << 20).map(|c| Part::Bytes(c.to_vec())).collect();
            parts.push(Part::Wait(20));
            Does::Stream(parts)
        }
        1 if asked.is_watch_of("deployments") => Does::Stream(vec![Part::Bytes(vec![b'x'; 1 << 20]); 65]),
        _ => well(asked),
    });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    assert_eq!(stage.notes.versions(0), ["v1", "v2"]);
    let (_, reason) = stage.notes.lost(0).unwrap();
    assert!(matches!(&reason, LostReason::Failing(t) if t.contains("larger than 64 MB")), "{reason:?}");
    stage.notes.until("live", |n| n.is_live(0)).await;
}

#[tokio::test(start_paused = true)]
async fn one_dead_cluster_of_five_delays_nobody() {
    let servers: Vec<Server> = (0..5)
        .map(|i| match i {
            1 => Server::new(|_| Does::Hang),
            2 => Server::new(|_| Does::Refused),
            _ => Server::new(well),
        })
        .collect();
    let stage = Stage::watch(fleet(5, false), &servers);
    stage.notes.until("three live", |n| [0, 3, 4].iter().all(|c| n.is_live(*c))).await;
    for cluster in [0, 3, 4] {
        assert!(stage.notes.links(cluster)[0].0 < 0.05);
    }
    assert!(matches!(stage.notes.lost(2), Some((_, LostReason::Unreachable(_)))));
    assert_eq!(stage.notes.links(1), []);
    stage.notes.until("hung is lost", |n| n.lost(1).is_some()).await;
    assert!((29.9..31.0).contains(&stage.notes.lost(1).unwrap().0));
}

#[tokio::test(start_paused = true)]
async fn a_nudge_tries_again_now() {
    let server = Server::new(|asked| if asked.at < Duration::from_secs(100) { Does::Refused } else { well(asked) });
    let stage = Stage::watch(fleet(1, false), std::slice::from_ref(&server));
    tokio::time::sleep(Duration::from_secs(101)).await;
    let before = server.times(|a| a.is_list_of("deployments")).len();
    stage.watching.reconnect(ClusterIx(0));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(server.times(|a| a.is_list_of("deployments")).len() > before);
    assert!(stage.notes.is_live(0));
}

#[tokio::test(start_paused = true)]
async fn many_namespaces_take_one_watch_where_that_is_allowed() {
    for allowed in [true, false] {
        let server = Server::new(move |asked| match asked.path.as_str() {
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
                Does::Json(201, json!({"status": {"allowed": allowed}}))
            }
            _ => well(asked),
        });
        let mut two = (*fleet(2, false)).clone();
        two.clusters.truncate(1);
        two.services[0].regions[1].cluster = ClusterIx(0);
        two.services[0].regions[1].workload.namespace = "other".into();
        let stage = Stage::watch(Arc::new(two), std::slice::from_ref(&server));
        stage.notes.until("live", |n| n.is_live(0)).await;
        let paths: Vec<String> =
            server.asked().into_iter().filter(|a| a.is_list_of("deployments")).map(|a| a.path).collect();
        if allowed {
            assert_eq!(paths, ["/apis/apps/v1/deployments"]);
        } else {
            assert_eq!(paths.len(), 2, "{paths:?}");
        }
        assert_eq!(stage.notes.facts(0).watches, if allowed { 2 } else { 4 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_screen_sends_nothing_but_reads_of_what_it_watches() {
    let server = Server::new(well);
    let fleet = fleet(1, true);
    let mode = Mode::Watch(reach(&plan(&fleet), vec![]));
    let stage = Stage::with(fleet, in_process(std::slice::from_ref(&server)), &mode);
    stage.notes.until("live", |n| n.is_live(0) && n.facts(0).uid.is_some()).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    for asked in server.asked() {
        assert_eq!(asked.method, "GET", "{asked:?}");
        let known = ["/deployments", "/configmaps", "/httproutes", "/version", "/namespaces/kube-system"];
        assert!(known.iter().any(|k| asked.path.ends_with(k)), "{asked:?}");
    }
    assert_eq!(stage.notes.facts(0).user, None);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_history() {
    let mut histories = Vec::new();
    for _ in 0..2 {
        let server = Server::new(|asked| if asked.nth % 2 == 0 { Does::Refused } else { well(asked) });
        let stage = Stage::watch(fleet(1, true), std::slice::from_ref(&server));
        tokio::time::sleep(Duration::from_secs(120)).await;
        drop(stage);
        histories.push(server.times(|_| true));
    }
    assert_eq!(histories[0], histories[1]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_there_is_an_absent_workload_and_a_404_of_it_a_failure() {
    // A real server answers the list of a namespace that does not exist with no items.
    let empty = |asked: &Asked| match asked {
        a if a.is_list_of("deployments") => list_of("10", vec![]),
        a => well(a),
    };
    let stage = Stage::watch(fleet(1, false), &[Server::new(empty)]);
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert_eq!(stage.notes.syncs(0), [(vec![], false)]);
    // Something in between that says 404 is not an empty cluster.
    let missing = |asked: &Asked| match asked {
        a if a.is_list_of("deployments") => Does::Json(404, failed(404, "NotFound", "namespaces \"shop\" not found")),
        a => well(a),
    };
    let stage = Stage::watch(fleet(1, false), &[Server::new(missing)]);
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    let (_, reason) = stage.notes.lost(0).unwrap();
    assert!(
        matches!(&reason, LostReason::Failing(t) if t.contains("of cluster c0: 404 NotFound: namespaces \"shop\"")),
        "{reason:?}"
    );
    assert!(stage.notes.syncs(0).is_empty(), "never told as empty");
}

/// Remembers one identity for every context.
struct Knew(&'static str);

impl gonogo::io::connect::Remembered for Knew {
    fn recall(&self, _: &str) -> Option<gonogo::domain::id::ClusterUid> {
        Some(self.0.into())
    }
    fn remember(&self, _: &str, _: &gonogo::domain::id::ClusterUid) {}
}

#[tokio::test(start_paused = true)]
async fn a_context_that_leads_to_another_cluster_than_before_is_told() {
    for (known, changed) in [("cluster-uid", false), ("another-uid", true)] {
        let server = Server::new(well);
        let stage = Stage::remembering(
            fleet(1, false),
            in_process(std::slice::from_ref(&server)),
            &Mode::Console,
            Arc::new(Knew(known)),
        );
        stage.notes.until("known", |n| n.facts(0).uid.is_some()).await;
        assert_eq!(stage.notes.facts(0).uid_changed, changed);
    }
}

/// Leads to another server from the second dial on, as a kubeconfig that was changed under us.
struct Moves {
    first: Arc<dyn Dial>,
    then: Arc<dyn Dial>,
    dials: AtomicUsize,
}

impl Dial for Moves {
    fn dial(&self, cluster: ClusterIx, renew: bool) -> futures::future::BoxFuture<'_, Result<Dialed, LostReason>> {
        match self.dials.fetch_add(1, Ordering::SeqCst) {
            0 => self.first.dial(cluster, renew),
            _ => self.then.dial(cluster, renew),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_goes_only_to_the_server_that_was_identified() {
    use gonogo::io::connect::InProcess;
    let (ours, other) = (Server::new(well), Server::new(|_| Does::Json(200, json!({"kind": "ConfigMap"}))));
    let to = |name: &str, server: &Server| -> Arc<dyn Dial> {
        Arc::new(InProcess::new().with(ClusterIx(0), name, server.clone()))
    };
    let moves = Moves { first: to("eu", &ours), then: to("eu-new", &other), dials: AtomicUsize::new(0) };
    let stage = Stage::with(fleet(1, false), Arc::new(moves), &Mode::Console);
    stage.notes.until("known", |n| n.facts(0).uid.is_some()).await;
    let access = stage.clusters.get(ClusterIx(0)).unwrap();
    let object = gonogo::domain::change::ObjectRef {
        cluster: ClusterIx(0),
        api: gonogo::domain::change::ApiType::config_map(),
        namespace: "shop".into(),
        name: "gonogo-test-web".into(),
    };
    let write = gonogo::domain::plan::record_write(
        gonogo::domain::plan::WriteRole::Record,
        &object,
        &[("01.hold".to_owned(), "by=ann".to_owned())],
    );
    let result = gonogo::io::act::keep(access, &write.change, None, "a").await;
    let gonogo::engine::effect::ActResult::NotSent(why) = result else { panic!("{result:?}") };
    assert!(why.contains("leads to another server"), "{why}");
    assert!(other.asked().is_empty(), "{:?}", other.asked());
}
