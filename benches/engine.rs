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
use gonogo::domain::fleet::Fleet;
use gonogo::domain::id::ServiceIx;
use gonogo::domain::observation::{Observation, Seen};
use gonogo::domain::stamp::{Stamp, Stamped, Timestamp};
use gonogo::engine::effect::Msg;
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
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let sim = SimFleet::start(&SimOptions { regions, services, ..SimOptions::default() }).unwrap();
    let env = |_: &str| None;
    let (config, _) = config::read(Path::new("bench.toml"), sim.config_toml().as_bytes(), &Given::env(&env)).unwrap();
    let store = sim.api("us-east-1").unwrap().store().clone();
    let object = store.list(&gonogo::sim::resources::DEPLOYMENTS, None).into_iter().next().expect("there is one");
    (config.fleet, serde_json::to_vec(&*object).unwrap())
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

fn main() {
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

    let (large, bytes) = fleet(200, 50);
    let before = rss();
    let mut heavy = engine(&large);
    let mut count = 0u32;
    for service in 0..large.services.len() {
        for region in 0..large.services[service].regions.len() {
            let seen = observe(&large, service, region, &bytes);
            heavy.update(Stamped { stamp: stamp(u64::from(count)), value: Msg::Seen(seen) });
            count += 1;
        }
    }
    println!(
        "{count} watched workloads in the engine: {:.0} bytes each (resident memory)",
        (rss() - before) / f64::from(count)
    );
    drop(heavy);
}
