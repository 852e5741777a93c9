//! What one event and one frame cost, and what a watched workload weighs.
//!
//! `cargo bench --bench engine` prints the figures of this machine and moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    missing_docs,
    reason = "a benchmark prints, and stops at the first surprise"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gonogo::app::{App, AppMsg, Setup};
use gonogo::config::{self, Given};
use gonogo::domain::fleet::{Fleet, GateSpec, Param, Params, Ring};
use gonogo::domain::gate::{BakeSource, BakeStart};
use gonogo::domain::id::{RegionIx, RingIx, ServiceIx};
use gonogo::domain::link::Link;
use gonogo::domain::metric::Windows;
use gonogo::domain::observation::{Observation, Seen};
use gonogo::domain::record::Record;
use gonogo::domain::stamp::{SignedDuration, Stamp, Stamped, Timestamp, WINDOW, window_floor};
use gonogo::domain::verdict::Verdict;
use gonogo::domain::version::{Image, Version};
use gonogo::engine::derive::derive;
use gonogo::engine::effect::Msg;
use gonogo::engine::judge::{self, Gates};
use gonogo::engine::scene::{Scene, World};
use gonogo::engine::state::{ClusterState, RegionState, ServiceState};
use gonogo::engine::{Engine, Setting};
use gonogo::kinds::{self, ReadHow};
use gonogo::look::depth::Depth;
use gonogo::look::themes::Themes;
use gonogo::sim::world::{SimFleet, SimOptions};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn stamp(millis: u64) -> Stamp {
    let wall = Timestamp::from_millisecond(1_795_000_000_000 + i64::try_from(millis).unwrap()).unwrap();
    Stamp { wall, mono: Duration::from_millis(millis) }
}

/// The configuration of a simulated fleet, and one Deployment of it as its API server shows it.
fn fleet(regions: usize, services: usize) -> (Arc<Fleet>, Vec<u8>) {
    let (config, object) = simulated(regions, services);
    (read(&config), object)
}

fn read(config: &str) -> Arc<Fleet> {
    let env = |_: &str| None;
    config::read(Path::new("bench.toml"), config.as_bytes(), &Given::env(&env)).unwrap().0.fleet
}

fn simulated(regions: usize, services: usize) -> (String, Vec<u8>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let sim = SimFleet::start(&SimOptions { regions, services, ..SimOptions::default() }).unwrap();
    let store = sim.api("us-east-1").unwrap().store().clone();
    let object = store.list(&gonogo::sim::resources::DEPLOYMENTS, None).into_iter().next().expect("there is one");
    (sim.config_toml(), serde_json::to_vec(&*object).unwrap())
}

fn engine(fleet: &Arc<Fleet>) -> Engine {
    let setting = Setting { operator: "bench".into(), seed: 1, may_keep: false, refresh: Duration::from_secs(15) };
    Engine::new(fleet.clone(), setting, stamp(0))
}

/// An object's bytes as an observation about a region: what a watch task does with each event.
fn observe(fleet: &Fleet, service: usize, region: usize, bytes: &[u8]) -> Observation {
    let spec = &fleet.services[service].regions[region];
    let how = ReadHow {
        container: spec.workload.container.clone(),
        version_from: Default::default(),
        left_out: Default::default(),
    };
    let named = kinds::KINDS[0].read(bytes, &|_, _| Some(how.clone())).unwrap().unwrap();
    let seen = Seen::Workload {
        namespace: spec.workload.namespace.clone(),
        name: spec.workload.name.clone(),
        kind: "Deployment".into(),
        state: Some(Box::new(named.workload)),
    };
    Observation::Object { cluster: spec.cluster, seen, version: None }
}

fn rss() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Twenty gates over so many regions, half of them on the new version for a day: one cycle of verdicts.
fn judging(regions: usize) {
    let (shared, bytes) = fleet(regions, 1);
    let mut fleet = (*shared).clone();
    let service = &mut fleet.services[0];
    let half = regions / 2;
    let ring = service.rings[0].clone();
    let gates: Vec<GateSpec> = gates().into_iter().map(|(gate, params)| spec(gate, &params)).collect();
    assert_eq!(gates.len(), 20);
    let of = |name: &str, regions: std::ops::Range<usize>| Ring {
        name: name.into(),
        regions: regions.map(RegionIx::from).collect(),
        exit_gates: gates.clone(),
        entry_gates: Vec::new(),
        ..ring.clone()
    };
    service.rings = vec![of("new", 0..half), of("old", half..regions)];
    service.regions.iter_mut().enumerate().for_each(|(n, r)| r.ring = RingIx::from(usize::from(n >= half)));
    let now = stamp(0);
    let settled = now.wall.checked_sub(SignedDuration::from_hours(26)).unwrap();
    let mut state = ServiceState::default();
    state.record = Record::for_regions(regions);
    for n in 0..regions {
        let Observation::Object { seen: Seen::Workload { state: workload, .. }, .. } = observe(&fleet, 0, n, &bytes)
        else {
            panic!("a workload")
        };
        let mut workload = *workload.unwrap();
        workload.progress.updated = Some(settled);
        if n < half {
            workload.version = Version("v9".into());
            workload.image = workload.image.as_ref().map(|_| Image::parse("registry.example/webapp:v9"));
        }
        // Today and yesterday.
        let ends =
            |back: i64| (1..=312).map(move |w| window_floor(settled) + WINDOW * w - SignedDuration::from_hours(back));
        let windows: Windows =
            ends(24).chain(ends(0)).filter(|end| *end <= now.wall).map(|end| (end, Ok(0.002))).collect();
        let windows = fleet.services[0].columns.iter().map(|c| {
            let scale = if c.is_traffic { 100_000.0 } else { 1.0 };
            let scaled = windows.iter().map(|(end, seen)| (end, seen.map(|v| v * scale).map_err(Clone::clone)));
            (c.name.clone(), scaled.collect())
        });
        let region = RegionState {
            workload: Some(workload),
            windows: windows.collect(),
            settled: Some(BakeStart { at: settled, source: BakeSource::Condition }),
            record_listed: true,
            ..RegionState::default()
        };
        state.regions.push(region);
    }
    let mut heard = ClusterState::default();
    (heard.link, heard.heard) = (Link::Live, Some(now));
    let clusters = vec![heard; fleet.clusters.len()];
    let gates = Gates::build(&fleet, &gonogo::gates::gate_type);
    let sources = gonogo::engine::sources::Sources::default();
    let world = World {
        fleet: &fleet,
        clusters: &clusters,
        services: &[],
        sources: &sources,
        gates: &gates,
        now: now.wall,
        stamp: now,
    };
    let rounds = 20u32;
    let mut worst = Verdict::Go;
    let began = Instant::now();
    for _ in 0..rounds {
        let scene = Scene::new(world, ServiceIx(0), &state).unwrap();
        for ring in 0..2usize {
            let verdict = judge::exit(&scene, ring.into());
            assert_eq!(verdict.cells().count(), half * 20);
            worst = worst.max(verdict.folded());
        }
    }
    println!(
        "verdicts of {regions} regions × 20 gates, 26 h of windows: {:.1} ms a cycle, folded {worst}",
        began.elapsed().as_secs_f64() * 1e3 / f64::from(rounds)
    );
    let view = |state: &ServiceState| {
        let began = Instant::now();
        for _ in 0..rounds {
            assert_eq!(derive(world, ServiceIx(0), state).rings.len(), 2);
        }
        began.elapsed().as_secs_f64() * 1e3 / f64::from(rounds)
    };
    let sound = view(&state);
    let errors = fleet.services[0].columns.iter().find(|c| c.name.as_str() == "errors").unwrap().name.clone();
    for region in &mut state.regions[..half] {
        let windows = region.windows.get_mut(&errors).unwrap();
        (0..6).for_each(|n| windows.insert(window_floor(now.wall) - WINDOW * n, Ok(0.5)));
    }
    let bad = view(&state);
    assert_eq!(derive(world, ServiceIx(0), &state).incidents.len(), half);
    println!("a view of them: {sound:.1} ms, and {bad:.1} ms while {half} regions are to go back");
}

fn spec(gate: &str, params: &[(&str, &str)]) -> GateSpec {
    let value = |text: &str| match text.parse::<f64>() {
        Ok(number) => Param::Number(number),
        Err(_) => Param::Text(text.to_owned()),
    };
    let params = params.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
    GateSpec { gate: gate.into(), label: gate.into(), params: Params(params) }
}

fn gates() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let threshold = |column, max| ("threshold", vec![("column", column), ("max", max)]);
    let baseline = |column| ("baseline", vec![("column", column)]);
    vec![
        ("ready", vec![]),
        ("freshness", vec![]),
        ("bake", vec![("for", "day")]),
        ("min_traffic", vec![("min", "5")]),
        ("coverage", vec![("at", "00:00 UTC")]),
        ("coverage", vec![("cron", "30 3 * * *"), ("zone", "Europe/Berlin")]),
        threshold("errors", "1%"),
        threshold("p50", "100ms"),
        threshold("p95", "200ms"),
        threshold("p99", "400ms"),
        threshold("cpu", "80%"),
        threshold("memory", "90%"),
        baseline("errors"),
        baseline("p95"),
        baseline("p99"),
        ("baseline", vec![("column", "p50"), ("against", "yesterday")]),
        ("burn_rate", vec![("column", "errors"), ("slo", "99.9%")]),
        ("burn_rate", vec![("column", "errors"), ("slo", "99%"), ("pairs", "2 1h 5m")]),
        ("resources", vec![("column", "memory")]),
        ("resources", vec![("column", "cpu")]),
    ]
}

/// An engine that has seen every workload of a fleet.
fn full(fleet: &Arc<Fleet>, bytes: &[u8]) -> (Engine, u32) {
    let mut engine = engine(fleet);
    let mut count = 0u32;
    for (service, spec) in fleet.services.iter().enumerate() {
        for region in 0..spec.regions.len() {
            let seen = observe(fleet, service, region, bytes);
            engine.update(Stamped { stamp: stamp(u64::from(count)), value: Msg::Seen(seen) });
            count += 1;
        }
    }
    (engine, count)
}

/// What a workload weighs, by the growth of a process that does nothing else.
fn weigh(folder: &Path) {
    let fleet = read(&std::fs::read_to_string(folder.join("config.toml")).unwrap());
    let bytes = std::fs::read(folder.join("object.json")).unwrap();
    // The first one fills what was left free by reading the configuration.
    let first = full(&fleet, &bytes);
    let before = rss();
    let (second, count) = full(&fleet, &bytes);
    let grown = (rss() - before) / f64::from(count);
    println!("{count} watched workloads in the engine: {grown:.0} bytes each (resident memory)");
    drop((first, second));
}

/// Lets a process of its own weigh workloads: in this one, memory that others gave back would be taken first.
fn weigh_apart(regions: usize, services: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (config, object) = simulated(regions, services);
    std::fs::write(folder.path().join("config.toml"), config).unwrap();
    std::fs::write(folder.path().join("object.json"), object).unwrap();
    let this = std::env::current_exe().unwrap();
    let ended = std::process::Command::new(this).arg("weigh").arg(folder.path()).status().unwrap();
    assert!(ended.success(), "{ended}");
}

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("weigh") {
        return weigh(Path::new(&args.next().unwrap()));
    }
    let (small, bytes) = fleet(4, 1);
    let mut warm = engine(&small);
    warm.show(ServiceIx(0));
    let rounds = 20_000u32;
    let began = Instant::now();
    for n in 0..rounds {
        let mut seen = observe(&small, 0, 3, &bytes);
        if let Observation::Object { seen: Seen::Workload { state: Some(w), .. }, .. } = &mut seen {
            w.replicas.ready = n % 14;
        }
        warm.update(Stamped { stamp: stamp(u64::from(n)), value: Msg::Seen(seen) });
    }
    println!(
        "observe and reduce, {} bytes each: {:.1} µs per event",
        bytes.len(),
        began.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
    );

    let setup = Setup { size: (200, 60), ..Setup::default() };
    let mut app = App::new(warm, setup, stamp(30_000));
    app.update(Stamped { stamp: stamp(30_000), value: AppMsg::Resize { columns: 200, rows: 60 } });
    let theme = Themes::load(&[]).get("dark", Depth::True).0;
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    let frames = 500u32;
    let began = Instant::now();
    for _ in 0..frames {
        terminal.draw(|frame| gonogo::screen::draw(&app, &theme, frame)).unwrap();
    }
    println!("full frame at 200×60: {:.2} ms", began.elapsed().as_secs_f64() * 1e3 / f64::from(frames));

    judging(200);

    weigh_apart(200, 50);
}
