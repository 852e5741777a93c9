//! Each pane × {empty, normal, lost region, long names, wide characters, hostile text}.

use gonogo::domain::fleet::{DeliveryRef, Fleet};
use gonogo::engine::Engine;

use super::fixture;
use super::stage::Stage;

fn moments() -> Vec<(&'static str, Engine)> {
    vec![
        ("empty", fixture::empty()),
        ("normal", fixture::normal()),
        ("lost", fixture::lost()),
        ("long", fixture::renamed(&|n| format!("{n}-{}", "with-a-very-long-name".repeat(6)))),
        ("wide", fixture::renamed(&|n| format!("漢字{n}"))),
        ("hostile", fixture::renamed(&|n| format!("\u{1b}[2J\u{202e}{n}\u{200b}\n"))),
    ]
}

const PANES: [(&str, &str); 7] =
    [("board", ""), ("describe", "d"), ("yaml", "y"), ("pods", "l"), ("events", "e"), ("journal", "@"), ("fleet", "f")];

#[test]
fn every_pane_in_every_moment() {
    for (moment, _) in moments() {
        for (pane, key) in PANES {
            let engine = moments().into_iter().find(|(m, _)| *m == moment).unwrap().1;
            let mut stage = Stage::of(engine, (120, 36));
            stage.keys(key);
            let text = stage.text();
            assert_borders(&text, &format!("{pane} {moment}"));
            insta::assert_snapshot!(format!("{pane}_{moment}"), text);
        }
    }
}

#[test]
fn no_border_moves_whatever_the_names() {
    for (moment, _) in moments() {
        for size in [(110, 30), (133, 41), (160, 50), (200, 60)] {
            for (pane, key) in PANES {
                let engine = moments().into_iter().find(|(m, _)| *m == moment).unwrap().1;
                let mut stage = Stage::of(engine, size);
                stage.keys(key);
                assert_borders(&stage.text(), &format!("{pane} {moment} {size:?}"));
            }
        }
    }
}

/// First and last column of every framed row hold a border, where a terminal puts them.
fn assert_borders(text: &str, what: &str) {
    let rows: Vec<&str> = text.lines().collect();
    let framed = &rows[1..rows.len() - 1];
    let border = |c: char| "╭╮╰╯│┊".contains(c);
    for row in framed.iter().filter(|r| !r.trim().is_empty()) {
        assert!(row.starts_with(border) && row.ends_with(border), "{what}: {row}");
        let wide: usize = gonogo::look::canvas::width(row);
        let top: usize = gonogo::look::canvas::width(framed[0]);
        assert_eq!(wide, top, "{what}: {row}");
    }
}

#[test]
fn hundreds_of_regions_fold_into_rings_and_scroll() {
    let mut stage = Stage::of(fixture::large(), (120, 36));
    stage.keys("G");
    let text = stage.text();
    assert!(text.contains("region-199"), "{text}");
    stage.keys("f");
    insta::assert_snapshot!("fleet_large", stage.shot());
    stage.keys("/").types("pay").keys("enter enter");
    assert!(stage.text().contains("gonogo · payments"));
}

#[test]
fn the_timeline_expands_zooms_and_pans_and_keeps_now_in_view() {
    let mut stage = Stage::of(fixture::large(), (120, 36));
    stage.keys("z");
    assert!(stage.text().contains("region-001"));
    let mut stage = Stage::normal((120, 36));
    for keys in ["+ + +", "[ [ [ [ [ [", "- - - - -", "] ] ] ] ] ] ]", "_"] {
        stage.keys(keys);
        assert!(stage.text().contains("┊now"), "{keys}: {}", stage.text());
    }
    insta::assert_snapshot!("timeline_zoomed", {
        stage.keys("+ + +");
        stage.text().lines().take(7).collect::<Vec<_>>().join("\n")
    });
}

/// Nobody answers: some questions have failed by then, others were not asked again yet.
#[test]
fn every_figure_of_a_silent_region_says_its_age_or_that_it_is_not_known() {
    let mut engine = fixture::normal();
    let now = fixture::now().wall;
    for state in &mut engine.services[0].regions {
        for (column, (at, reading)) in state.current.iter_mut() {
            *at = now.checked_sub(gonogo::domain::stamp::SignedDuration::from_secs(33)).unwrap();
            if matches!(column.as_str(), "QPS" | "errors") {
                *reading = Err(gonogo::domain::metric::NoData::Timeout);
            }
        }
    }
    let text = Stage::of(engine, (200, 60)).text();
    let head = text.lines().position(|l| l.contains("version") && l.contains("p99 ms")).unwrap();
    let names = ["ap-south-1", "eu-west-1", "us-east-1"];
    let rows: Vec<&str> = text
        .lines()
        .skip(head + 1)
        .take_while(|l| !l.starts_with('╰'))
        .filter(|l| names.iter().any(|n| l.contains(n)) && l.contains("v2."))
        .collect();
    assert!(rows.len() >= 3, "{text}");
    for row in rows {
        // p50, p95, p99, CPU and memory with their age; traffic and errors are not known.
        assert!(row.matches("(33s)").count() >= 3, "{row}");
        assert!(row.matches('?').count() >= 2, "{row}");
    }
}

#[test]
fn unknown_is_never_shown_as_zero_or_healthy() {
    let text = Stage::of(fixture::empty(), (120, 36)).text();
    for lie in ["0/0", "✓", "0 %", "healthy", "Ready"] {
        assert!(!text.contains(lie), "{lie}: {text}");
    }
    assert!(text.contains('?'));
}

#[test]
fn names_of_ten_thousand_characters_are_cut_and_hang_no_frame() {
    for fill in ["x", "\u{1b}[31m", "漢", "\u{202e}\u{200b}"] {
        for (pane, key) in PANES {
            let long = fixture::renamed(&|n| format!("{n}{}", fill.repeat(10_000)));
            let mut stage = Stage::of(long, (120, 36));
            stage.keys(key);
            let began = std::time::Instant::now();
            let text = stage.text();
            assert!(began.elapsed() < std::time::Duration::from_secs(60), "{pane}: {:?}", began.elapsed());
            assert_borders(&text, &format!("{pane} of {fill:?}"));
            assert!(!text.chars().any(|c| c != '\n' && gonogo::domain::text::is_hostile(c)), "{pane} of {fill:?}");
        }
    }
}

#[test]
fn what_brings_a_workload_is_shown_beside_it_and_as_old_where_its_cluster_is_away() {
    let shown = |mut engine: Engine, cluster: usize| {
        let delivery = DeliveryRef {
            kind: "Application".into(),
            cluster: cluster.into(),
            namespace: "argocd".into(),
            name: "webapp".into(),
            on_hold: Default::default(),
        };
        let application = serde_json::json!({
            "metadata": {"name": "webapp", "namespace": "argocd", "uid": "app-1",
                "ownerReferences": [{"kind": "ApplicationSet", "name": "shop"}]},
            "spec": {
                "source": {"repoURL": "https://git.example/shop.git", "targetRevision": "v2.1.0"},
                "syncPolicy": {"automated": {"selfHeal": true}},
            },
            "operation": {"initiatedBy": {"username": "alice"}, "sync": {}},
            "status": {"sync": {"status": "OutOfSync"}, "health": {"status": "Healthy"}},
        });
        let read = gonogo::delivery::tool("Application").unwrap().read(application.to_string().as_bytes()).unwrap();
        let mut fleet = Fleet::clone(&engine.fleet);
        for (spec, state) in fleet.services[0].regions.iter_mut().zip(&mut engine.services[0].regions) {
            spec.delivery = Some(delivery.clone());
            state.delivery = Some(read.delivery.clone());
        }
        engine.fleet = fleet.into();
        let mut stage = Stage::of(engine, (120, 50));
        stage.keys("d");
        let text = stage.text();
        assert_borders(&text, "delivery");
        text
    };
    let text = shown(fixture::normal(), 2);
    for part in [
        "Application argocd/webapp, automated, self-heal",
        "! OutOfSync, Healthy",
        "follows        v2.1.0",
        "▸ Requested for alice",
        "ApplicationSet shop puts changes of it back",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
    let text = shown(fixture::lost(), 2);
    assert!(text.contains("~ OutOfSync, Healthy: last known, ") && text.contains("is not heard"), "{text}");
}
