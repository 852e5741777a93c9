//! Which regions and services the fleet has, in which rings, and what is normal there.

use super::history::Baseline;
use crate::sim::controllers::hash::{fnv, spell};
use crate::sim::scenario::{Release, Steering};

/// The fleet's name: part of the names of the record ConfigMaps.
pub const FLEET: &str = "sim";
/// Cluster that holds the routes.
pub const EDGE: &str = "edge";
/// Most backends that one rule of an HTTPRoute may name; further regions get their traffic
/// by other ways than the route.
pub const BACKENDS_PER_RULE: usize = 16;
/// Sizes of the rings after the first four; the last one takes the rest.
const LATER_RINGS: [usize; 5] = [4, 8, 16, 32, usize::MAX];

/// Services after the first, in order; more are numbered.
const SERVICES: [&str; 12] = [
    "webapp",
    "checkout",
    "search",
    "cart",
    "payments",
    "profile",
    "inventory",
    "pricing",
    "notify",
    "media",
    "session",
    "ledger",
];

/// (region, requests per second, error rate, p99 in ms, CPU, memory, pods): the dashboard of
/// the source document; staging is ours.
const KNOWN: [(&str, f64, f64, f64, f64, f64, u32); 4] = [
    ("staging", 240.0, 0.002, 150.0, 0.18, 0.52, 2),
    ("ap-south-1", 12_400.0, 0.003, 145.0, 0.42, 0.68, 4),
    ("eu-west-1", 45_200.0, 0.002, 120.0, 0.38, 0.65, 12),
    ("us-east-1", 52_100.0, 0.002, 130.0, 0.40, 0.64, 14),
];

/// One region: a cluster of its own, context and ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// `eu-west-1`.
    pub name: String,
    /// Position of its ring.
    pub ring: usize,
    /// Whether users' traffic comes here by the route, and can be steered.
    pub production: bool,
}

/// One service, and how far its release has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// `webapp`; also its namespace and Deployment.
    pub name: String,
    /// Versions and progress.
    pub release: Release,
    /// Its traffic as a share of the first service's.
    pub size: f64,
}

/// The whole fleet on paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// Regions in order of release.
    pub regions: Vec<Region>,
    /// Services; the first is the one the source document describes.
    pub services: Vec<Service>,
    /// Number of rings.
    pub rings: usize,
    /// Seed of everything that is made up.
    pub seed: u64,
    /// How users' traffic is steered.
    pub steering: Steering,
    /// Whether an Application brings every workload.
    pub delivered: bool,
    /// Whether versions stand in a repository.
    pub in_git: bool,
    /// Argo Rollouts roll everything out, rather than Deployments.
    pub rollouts: bool,
}

/// Container of every workload.
pub const CONTAINER: &str = "web";

impl Layout {
    /// A fleet of that many regions (staging included) and services.
    #[must_use]
    pub fn new(regions: usize, services: usize, release: &Release, seed: u64) -> Self {
        let regions: Vec<Region> = (0..regions.max(2)).map(region).collect();
        let rings = regions.iter().map(|region| region.ring + 1).max().unwrap_or(0);
        let services = (0..services.max(1)).map(|index| service(index, rings, release, seed)).collect();
        let (steering, delivered, in_git, rollouts) = (Steering::default(), false, false, false);
        Self { regions, services, rings, seed, steering, delivered, in_git, rollouts }
    }

    /// `ring-2`.
    #[must_use]
    pub fn ring_name(ring: usize) -> String {
        format!("ring-{ring}")
    }

    /// What is normal for a service in a region.
    #[must_use]
    pub fn baseline(&self, region: &Region, service: &Service) -> Baseline {
        let known = KNOWN.iter().find(|row| row.0 == region.name);
        let mut rng = fastrand::Rng::with_seed(self.seed ^ fnv(region.name.as_bytes()));
        // The smallest region goes first: later ones are larger, each a little more.
        let number: u32 = region.name.rsplit('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let made_up = (
            "",
            54_000.0 + 500.0 * f64::from(number) + 400.0 * rng.f64(),
            0.001 + 0.002 * rng.f64(),
            110.0 + 50.0 * rng.f64(),
            0.40,
            0.55 + 0.15 * rng.f64(),
            14 + number / 8,
        );
        let row = known.unwrap_or(&made_up);
        let pods = (f64::from(row.6) * service.size.sqrt()).round().clamp(2.0, 100.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 2 and 100")]
        let replicas = pods as u32;
        Baseline { qps: row.1 * service.size, error_rate: row.2, p99_ms: row.3, cpu: row.4, memory: row.5, replicas }
    }

    /// Regions that users' traffic reaches by the route.
    pub fn production(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().filter(|region| region.production)
    }

    /// The route's weight of a region for a service: proportional to its normal traffic.
    #[must_use]
    pub fn weight(&self, region: &Region, service: &Service) -> u32 {
        let hundreds = (self.baseline(region, service).qps / 100.0 / service.size).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
        let weight = hundreds.clamp(1.0, 1_000_000.0) as u32;
        weight
    }

    /// All traffic of a service that comes by the route, requests per second.
    #[must_use]
    pub fn total_qps(&self, service: &Service) -> f64 {
        self.production().map(|region| self.baseline(region, service).qps).sum()
    }

    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The region of that name.
    #[must_use]
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.name == name)
    }

    /// Whether the fleet is so large that what nobody looks at is not kept as objects.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.regions.len() * self.services.len() > 64
    }
}

/// The image of a service's version: tag and digest.
#[must_use]
pub fn image(service: &str, version: &str) -> String {
    // Made up, but the same everywhere: nobody pulls this image.
    let words = [0_u64, 1, 2, 3].map(|word| fnv(format!("{word}:{service}:{version}").as_bytes()));
    let [a, b, c, d] = words;
    format!("registry.example/{service}:{version}@sha256:{a:016x}{b:016x}{c:016x}{d:016x}")
}

/// The version that an image reference names: its tag, else its digest.
#[must_use]
pub fn version_of(image: &str) -> &str {
    let (name, digest) = image.split_once('@').unwrap_or((image, ""));
    match name.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') => tag,
        _ if digest.is_empty() => "untagged",
        _ => digest,
    }
}

fn region(index: usize) -> Region {
    match KNOWN.get(index) {
        Some(row) => Region { name: row.0.into(), ring: index, production: index > 0 },
        None => Region {
            name: format!("region-{:02}", index + 1),
            ring: later_ring(index),
            production: index <= BACKENDS_PER_RULE,
        },
    }
}

fn later_ring(index: usize) -> usize {
    let mut past = KNOWN.len();
    for (step, size) in LATER_RINGS.into_iter().enumerate() {
        past = past.saturating_add(size);
        if index < past {
            return KNOWN.len() + step;
        }
    }
    KNOWN.len()
}

/// The first service stands where the scenario says; of the others one in four is under
/// release somewhere, the rest run one version everywhere.
fn service(index: usize, rings: usize, release: &Release, seed: u64) -> Service {
    let name = SERVICES.get(index).map_or_else(|| format!("service-{:02}", index + 1), |name| (*name).to_owned());
    if index == 0 {
        return Service { name, release: release.clone(), size: 1.0 };
    }
    let mut rng = fastrand::Rng::with_seed(seed ^ fnv(name.as_bytes()));
    let rings_done = if index % 4 == 1 { 1 + index / 4 % rings.max(2).saturating_sub(1) } else { rings };
    Service { name, release: Release { rings_done, ..release.clone() }, size: 0.02 + 0.4 * rng.f64() }
}

/// A name's seed within the fleet's.
#[must_use]
pub fn seed_of(seed: u64, parts: &[&str]) -> u64 {
    fnv(parts.join("/").as_bytes()) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Short letters from a seed, for names.
#[must_use]
pub fn letters(seed: u64, length: usize) -> String {
    spell(seed, length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn the_default_fleet_is_the_source_documents() {
        let layout = Layout::new(4, 1, &Release::default(), 1);
        let names: Vec<_> = layout.regions.iter().map(|r| (r.name.as_str(), r.ring, r.production)).collect();
        assert_eq!(
            names,
            [("staging", 0, false), ("ap-south-1", 1, true), ("eu-west-1", 2, true), ("us-east-1", 3, true)]
        );
        let weights: Vec<_> = layout.production().map(|r| layout.weight(r, &layout.services[0])).collect();
        assert_eq!(weights, [124, 452, 521]);
    }

    #[test]
    fn more_regions_go_into_further_rings() {
        let layout = Layout::new(200, 50, &Release::default(), 1);
        assert_eq!(layout.production().count(), BACKENDS_PER_RULE);
        assert_eq!(layout.regions.len(), 200);
        assert_eq!(layout.rings, 9);
        assert_eq!((layout.regions[4].name.as_str(), layout.regions[4].ring), ("region-05", 4));
        assert_eq!(layout.regions[199].ring, 8);
        assert!(layout.services.iter().any(|s| s.release.rings_done < layout.rings && s.name != "webapp"));
    }

    #[test]
    fn a_version_is_the_tag_else_the_digest() {
        assert_eq!(version_of("registry:5000/webapp:v1@sha256:ab"), "v1");
        assert_eq!(version_of("registry:5000/webapp@sha256:ab"), "sha256:ab");
        assert_eq!(version_of("webapp"), "untagged");
    }
}
