//! Release plans: what is found in them, and how they play, as goldens.
//!
//! `tests/plan/findings/CODE.fails.toml` has the finding and no other, `CODE.passes.toml` has none.
//! `# measured REGION COLUMN VALUE` stands for a sample. `tests/plan/simulate/*.toml` are played.
//! Beside each stands what gonogo says.
//! `GONOGO_BLESS=1 cargo test --test plan` writes that anew: read the difference.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

use gonogo::config::{self, Config, Given};
use gonogo::domain::id::{ColumnName, ServiceIx};
use gonogo::domain::stamp::{SignedDuration, Timestamp};
use gonogo::forecast::{Forecast, Terms, play};
use gonogo::lint::{self, CHECKS, Input, Measured, Report};
use gonogo::run::output;

#[path = "plan/properties.rs"]
mod properties;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan")
}

pub fn read(name: &str, text: &str) -> Config {
    let given = Given { env: &|_| None, kubeconfigs: None, today: None };
    match config::read(Path::new(name), text.as_bytes(), &given) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{name}: {}", config::render_errors(&errors, false)),
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn terms(from: &str, days: i64) -> Terms {
    Terms {
        from: at(from),
        span: SignedDuration::from_hours(24 * days),
        people: SignedDuration::from_mins(15),
        rollout: SignedDuration::from_mins(5),
    }
}

pub fn same_as_file(path: &Path, text: &str) {
    if std::env::var_os("GONOGO_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    assert!(known == text, "{} differs; this is what is said now:\n{text}", path.display());
}

/// Samples that a fixture's comments tell of; none: nobody is connected.
fn measured(config: &Config, text: &str) -> Option<Measured> {
    let service = &config.fleet.services[0];
    let mut measured = Measured(vec![Default::default(); service.regions.len()]);
    let mut any = false;
    for line in text.lines().filter_map(|l| l.strip_prefix("# measured ")) {
        let [region, column, value] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (at, _) = service.find_region(region).expect(region);
        measured.0[at.at()].insert(ColumnName::from(column), Ok(value.parse().unwrap()));
        any = true;
    }
    any.then_some(measured)
}

fn judged(name: &str, text: &str, measured: impl Fn(&Config) -> Option<Measured>) -> (Config, Report) {
    let config = read(name, text);
    let measured = measured(&config);
    let input =
        Input { config: &config, service: ServiceIx(0), measured: measured.as_ref(), now: at("2026-11-21T12:00:00Z") };
    let report = lint::judge(input);
    (config, report)
}

fn fixture(code: &str, kind: &str) -> (PathBuf, String, Report) {
    let file = root().join("findings").join(format!("{code}.{kind}.toml"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let (config, report) = judged(&format!("{code}.{kind}.toml"), &text, |config| measured(config, &text));
    let said = output::lint::text(&[(&config.fleet.services[0], report.clone())]);
    (file.with_extension("txt"), said, report)
}

#[test]
fn every_check_has_a_plan_that_fails_and_one_that_passes() {
    for check in CHECKS {
        let (golden, said, report) = fixture(check.code, "fails");
        same_as_file(&golden, &said);
        let codes: Vec<&str> = report.open().map(|f| f.check.code).collect();
        assert!(!codes.is_empty() && codes.iter().all(|c| *c == check.code), "{} fails: {codes:?}", check.code);
        for finding in report.open() {
            assert!(!finding.found.sentence.is_empty() && !finding.found.fix.is_empty(), "{finding:?}");
        }
        let (golden, said, report) = fixture(check.code, "passes");
        same_as_file(&golden, &said);
        let codes: Vec<&str> = report.open().map(|f| f.check.code).collect();
        assert!(codes.is_empty(), "{} passes: {codes:?}", check.code);
        let unjudged = report.unchecked.iter().any(|(c, _)| c.code == check.code);
        assert!(!unjudged, "{} passes because nobody looked", check.code);
    }
}

#[test]
fn every_check_has_a_code_of_its_own_and_an_entry_in_the_docs() {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plan-checks.md")).unwrap();
    for (n, check) in CHECKS.iter().enumerate() {
        assert_eq!(check.code, format!("GG{:03}", n + 1), "codes are never used again");
        let row = format!("| `{}` | `{}` | {} | {} |", check.code, check.name, check.severity.word(), check.about);
        assert!(docs.contains(&row), "docs/plan-checks.md lacks:\n{row}");
        assert!(docs.contains(&format!("\n### {} {}\n", check.code, check.name)), "no section about {}", check.code);
    }
    let files = std::fs::read_dir(root().join("findings")).unwrap().count();
    assert_eq!(files, CHECKS.len() * 4, "each fixture belongs to a check of the table");
}

#[test]
fn the_example_has_no_finding_that_is_not_waived_for_a_reason() {
    let (config, report) = judged("config.example.toml", config::EXAMPLE, |_| None);
    same_as_file(&root().join("example.txt"), &output::lint::text(&[(&config.fleet.services[0], report.clone())]));
    assert_eq!(report.open().count(), 0);
    assert!(report.unchecked.is_empty(), "{:?}", report.unchecked);
}

/// The numbers of the source: losing the largest region takes 190 % of what the others carry.
#[test]
fn losing_us_east_1_of_the_example_needs_190_percent() {
    let (config, report) = judged("config.example.toml", config::EXAMPLE, |_| None);
    let headroom = report.findings.iter().find(|f| f.check.code == "GG012").unwrap();
    assert!(headroom.found.sentence.contains("190 % of what they carry now"), "{}", headroom.found.sentence);
    let json = output::lint::json(&[(&config.fleet.services[0], report)], false);
    assert_eq!((&json["version"], &json["kind"]), (&serde_json::json!(1), &serde_json::json!("plan-check")));
    let finding = &json["services"][0]["findings"][0];
    assert_eq!((&finding["code"], &finding["region"]), (&serde_json::json!("GG012"), &serde_json::json!("us-east-1")));
}

/// Measured traffic goes before declared: a waiver of what only measuring finds is not idle offline.
#[test]
fn what_only_measuring_can_find_is_not_idle_offline() {
    let file = root().join("findings/GG001.fails.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let waived = text.replace("rings = ", "waive = { GG001 = \"the measurement is of a holiday\" }\nrings = ");
    let (_, offline) = judged("waived", &waived, |_| None);
    assert_eq!(offline.findings.len(), 0, "{:?}", offline.findings);
    let (_, online) = judged("waived", &waived, |config| measured(config, &waived));
    assert_eq!(online.findings.len(), 1);
    assert_eq!(online.findings[0].waived.as_deref(), Some("the measurement is of a holiday"));
}

/// Every preset, with rings as it wants them, keeps its own promise and the rules of the house.
#[test]
fn presets_load_clean_and_play_within_their_promise() {
    for preset in gonogo::domain::policy::PRESETS {
        let of = preset.rings.unwrap_or(4);
        let names: Vec<String> = (0..of).map(|n| format!("r{n}")).collect();
        let mut text = String::from("[prometheus.all]\nurl = \"http://127.0.0.1:9090\"\n");
        for (n, name) in names.iter().enumerate() {
            // The first ring of most is staging.
            let qps = if n == 0 && of > 2 { 0 } else { n * 100 + 100 };
            text += &format!("[cluster.{name}]\n[service.web.region.{name}]\ntraffic = {{ qps = {qps} }}\n");
            text += "capacity = { qps = 9000, measured = 2026-11-01 }\n";
        }
        let rings: Vec<String> = names.iter().map(|n| format!("[{n:?}]")).collect();
        text += &format!("[service.web]\nowner = \"shop\"\nrings = [{}]\n", rings.join(", "));
        text += &format!("policy = {{ preset = \"{}\" }}\n", preset.name);
        let (config, report) = judged(preset.name, &text, |_| None);
        let open: Vec<&str> = report.open().map(|f| f.found.sentence.as_str()).collect();
        assert!(open.is_empty(), "{}: {open:?}", preset.name);
        let service = &config.fleet.services[0];
        let finish = play(service, terms("2026-11-23T09:00:00Z", 14)).finish.expect(preset.name);
        let took = finish.duration_since(at("2026-11-23T09:00:00Z"));
        assert!(took <= preset.longest.try_into().unwrap(), "{} takes {took}", preset.name);
    }
}

fn played(config: &Config, terms: Terms) -> Vec<(&gonogo::domain::fleet::Service, Forecast)> {
    config.fleet.services.iter().map(|s| (s, play(s, terms))).collect()
}

/// Each is played from these moments.
const PLAYED: &[(&str, &[(&str, i64)])] = &[
    ("never-together", &[("2026-11-23T09:00:00Z", 14)]),
    // Before the freeze; too late for it; before a weekend.
    ("freeze-and-approval", &[("2026-12-07T08:00:00Z", 7), ("2026-12-16T10:00:00Z", 7), ("2026-12-16T10:00:00Z", 30)]),
    // The clocks of Berlin go forward on the 28th of March 2027 at 02:00, those of Lord Howe
    // back by half an hour on the 4th of April.
    ("spring-forward", &[("2027-03-27T00:00:00Z", 7), ("2027-03-28T01:00:00Z", 14)]),
];

#[test]
fn releases_play_as_written() {
    for (name, moments) in PLAYED {
        let file = root().join("simulate").join(format!("{name}.toml"));
        let config = read(name, &std::fs::read_to_string(&file).unwrap());
        let texts = moments.iter().map(|(from, days)| output::forecast::text(&played(&config, terms(from, *days))));
        let text = texts.collect::<Vec<_>>().join("\n────────\n\n");
        same_as_file(&file.with_extension("txt"), &text);
    }
}

#[test]
fn the_example_plays_within_two_days_and_says_so_in_json() {
    let config = read("example", config::EXAMPLE);
    let played = played(&config, terms("2026-11-23T09:00:00Z", 7));
    same_as_file(&root().join("simulate/example.txt"), &output::forecast::text(&played));
    let json = output::forecast::json(&played);
    assert_eq!(json["version"], 1);
    assert_eq!(json["services"][0]["finish"], "2026-11-25T05:05:00Z");
    assert_eq!(json["services"][0]["rings"][1]["regions"][0]["promote"], "2026-11-23T10:20:00Z");
}

/// 200 regions with windows and coverage in many zones: a person waits for this.
#[test]
fn two_hundred_regions_play_in_under_a_second() {
    let zones = ["Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"];
    let names: Vec<String> = (0..200).map(|n| format!("r{n}")).collect();
    let mut text = String::from("[prometheus.all]\nurl = \"http://127.0.0.1:9090\"\n");
    for (n, name) in names.iter().enumerate() {
        text += &format!("[cluster.{name}]\n[region.{name}]\nzone = \"{}\"\n", zones[n % zones.len()]);
    }
    text += "[defaults]\nexit = [\"ready\", { gate = \"bake\", for = \"24h\" }, { gate = \"coverage\" },\n\
        { gate = \"threshold\", column = \"errors\", max = \"1%\" }]\n\
        entry = [{ gate = \"window\", during = [\"daily 00:00-23:00\"] }]\n[service.web]\nrings = [";
    for ring in names.chunks(50) {
        text += &format!("{ring:?},");
    }
    text += "]\nring.ring-0.parallelism = 20\n";
    let config = read("large", &text);
    let began = std::time::Instant::now();
    let forecast = play(&config.fleet.services[0], terms("2026-11-23T09:00:00Z", 30));
    let took = began.elapsed();
    assert!(forecast.finish.is_some(), "{:?}", forecast.stuck);
    // Ten times as much without optimisation and on a busy machine is still no reason to fail.
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
}
