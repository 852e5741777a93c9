//! HorizontalPodAutoscaler (autoscaling/v2) on CPU utilization.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{after, stamp};

/// How often an autoscaler looks.
pub const PERIOD: SignedDuration = SignedDuration::from_secs(15);
/// Deviations from the target smaller than this move nothing.
const TOLERANCE: f64 = 0.1;
/// Scaling down waits for the highest wish of this long.
const STABILIZATION: SignedDuration = SignedDuration::from_secs(300);

/// The target that keeps a workload of this CPU load (0 to 1) at its size, in percent.
#[must_use]
pub fn default_target(cpu: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to percent")]
    let percent = (cpu * 100.0).round().clamp(10.0, 95.0) as u32;
    percent
}

/// What an autoscaler wants, read from its object.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoscaler {
    /// Name of the Deployment.
    pub target: String,
    /// Fewest pods.
    pub min: i64,
    /// Most pods.
    pub max: i64,
    /// Wanted CPU utilization in percent of the requests.
    pub utilization: f64,
}

impl Autoscaler {
    /// Reads the object; none when it scales something else than a Deployment by CPU utilization.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let spec = object.get("spec")?;
        let target = spec.get("scaleTargetRef")?;
        if target.get("kind")?.as_str()? != "Deployment" {
            return None;
        }
        let metrics = spec.get("metrics")?.as_array()?;
        let utilization = metrics.iter().find_map(|metric| {
            let resource = metric.get("resource").filter(|r| r.get("name").and_then(Value::as_str) == Some("cpu"))?;
            resource.pointer("/target/averageUtilization")?.as_f64()
        })?;
        Some(Self {
            target: target.get("name")?.as_str()?.to_owned(),
            min: spec.get("minReplicas").and_then(Value::as_i64).unwrap_or(1),
            max: spec.get("maxReplicas")?.as_i64()?,
            utilization,
        })
    }

    /// The size that the present load asks for, before stabilization.
    #[must_use]
    pub fn wish(&self, current: i64, utilization: f64) -> i64 {
        let ratio = utilization / self.utilization.max(1.0);
        if !ratio.is_finite() || (ratio - 1.0).abs() <= TOLERANCE {
            return current.clamp(self.min, self.max);
        }
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "numbers of pods")]
        let wish = (current as f64 * ratio).ceil() as i64;
        // A step up at most doubles the size or adds four pods, whichever is more.
        wish.min((current * 2).max(current + 4)).clamp(self.min, self.max)
    }
}

/// Recent wishes: scaling down follows the highest of five minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes(Vec<(Timestamp, i64)>);

impl Wishes {
    /// Takes note of a wish; gives the size to scale to.
    pub fn settle(&mut self, wish: i64, current: i64, now: Timestamp) -> i64 {
        if self.0.is_empty() {
            // Before the first look nothing is known: the present size counts as a wish.
            self.0.push((now, current));
        }
        self.0.retain(|(at, _)| after(*at, STABILIZATION) > now);
        self.0.push((now, wish));
        let highest = self.0.iter().map(|(_, wish)| *wish).max().unwrap_or(wish);
        if wish >= current { wish } else { highest.min(current) }
    }
}

/// The autoscaler's status after a look.
#[must_use]
pub fn status(before: &Value, current: i64, desired: i64, utilization: f64, now: Timestamp) -> Value {
    let scaled = if current == desired { before.get("lastScaleTime").cloned() } else { Some(stamp(now).into()) };
    let condition = |kind: &str, reason: &str, message: &str| {
        let old = before.get("conditions").and_then(Value::as_array).into_iter().flatten();
        let since = old
            .filter(|c| c.get("type").and_then(Value::as_str) == Some(kind))
            .find_map(|c| c.get("lastTransitionTime").and_then(Value::as_str));
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
            "lastTransitionTime": since.map_or_else(|| stamp(now), str::to_owned)})
    };
    #[expect(clippy::cast_possible_truncation, reason = "percent")]
    let percent = utilization.round().clamp(0.0, 100_000.0) as i64;
    let mut status = json!({
        "currentReplicas": current, "desiredReplicas": desired,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu",
            "current": {"averageUtilization": percent, "averageValue": format!("{}m", percent * 10)}}}],
        "conditions": [
            condition("AbleToScale", "ReadyForNewScale", "recommended size matches current size"),
            condition("ScalingActive", "ValidMetricFound",
                "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)"),
        ],
    });
    if let (Some(map), Some(scaled)) = (status.as_object_mut(), scaled) {
        map.insert("lastScaleTime".into(), scaled);
    }
    status
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn scaler() -> Autoscaler {
        Autoscaler { target: "webapp".into(), min: 6, max: 36, utilization: 40.0 }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_size_follows_the_load_within_its_limits() {
        let scaler = scaler();
        assert_eq!(scaler.wish(12, 60.0), 18);
        assert_eq!(scaler.wish(12, 43.0), 12, "within the tolerance");
        assert_eq!(scaler.wish(12, 10.0), 6, "never below the minimum");
        assert_eq!(scaler.wish(12, 400.0), 24, "at most double in one step");
    }

    #[test]
    fn scaling_down_waits_for_five_minutes_of_lower_load() {
        let mut wishes = Wishes::default();
        assert_eq!(wishes.settle(18, 12, at(0)), 18);
        assert_eq!(wishes.settle(12, 18, at(15)), 18);
        assert_eq!(wishes.settle(12, 18, at(200)), 18);
        assert_eq!(wishes.settle(12, 18, at(301)), 12);
    }

    #[test]
    fn only_deployments_scaled_by_cpu_are_read() {
        let object = json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "webapp"}, "minReplicas": 6,
            "maxReplicas": 36, "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 40}}}]}});
        assert_eq!(Autoscaler::read(&object), Some(scaler()));
        assert_eq!(Autoscaler::read(&json!({"spec": {}})), None);
    }
}
