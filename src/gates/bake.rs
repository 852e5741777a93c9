//! `bake`: the ring has run its template long enough, and somebody could see how it did.

use std::time::Duration;

use super::rules::{Rules, column_named};
use super::series::{JUDGED_SPAN, Span, accepted, when, windows_long};
use super::{LONGEST, only_if_seen, other_template};
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{
    BakeSource, BakeStart, Evidence, Gate, GateRole, GateType, HangsOn, Need, ParamError, Parameter,
};
use crate::domain::id::ColumnName;
use crate::domain::metric::NoData;
use crate::domain::stamp::{SignedDuration, Timestamp, parse_duration, short};
use crate::domain::verdict::{Judgement, Verdict};

/// A minimum time on one template digest, from when the ring's last region settled.
pub struct Bake;

/// Lengths by name: a full cycle of day and night for the first ring, less for later ones, and
/// a soak while metrics catch up.
pub const PRESETS: &[(&str, Duration)] = &[
    ("day", Duration::from_secs(24 * 3_600)),
    ("half-day", Duration::from_secs(12 * 3_600)),
    ("quarter-day", Duration::from_secs(6 * 3_600)),
    ("long-soak", Duration::from_secs(3_600)),
    ("soak", Duration::from_secs(1_800)),
];

/// The length that `for` says: a length of time, or the name of a preset.
pub fn bake_length(text: &str) -> Option<Duration> {
    let preset = PRESETS.iter().find(|(name, _)| *name == text).map(|(_, length)| *length);
    preset.or_else(|| parse_duration(text))
}

impl GateType for Bake {
    fn name(&self) -> &'static str {
        "bake"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn hangs_on(&self) -> HangsOn {
        HangsOn::Time
    }
    fn about(&self) -> &'static str {
        "The ring has run its template for a minimum time since its last region settled. Only another template, or another object, starts it again. Windows in which a column of `evidence` is unknown do not count as bake, unless a person accepted them."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "for",
                about: "How long, e.g. `24h`, or a preset: `day` (24 h), `half-day` (12 h), `quarter-day` (6 h), `long-soak` (60 min), `soak` (30 min); the ring's `bake` may say it instead.",
                required: true,
            },
            Parameter {
                name: "evidence",
                about: "Columns without whose samples time does not count, e.g. `[\"errors\", \"qps\"]`; those that the ring's metric gates judge unless given, `[]` for none.",
                required: false,
            },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let wrong = || ParamError::new("for", "write how long the ring must run, e.g. `for = \"24h\"`");
        let length = params.text("for").and_then(bake_length).ok_or_else(wrong)?;
        if length > LONGEST {
            return Err(ParamError::new("for", "a bake longer than a year is refused; write e.g. `for = \"24h\"`"));
        }
        let evidence = match params.0.get("evidence") {
            None => None,
            Some(Param::Text(name)) => Some(vec![name.clone()]),
            Some(Param::List(names)) => Some(names.clone()),
            Some(_) => {
                let message = "name the columns, e.g. `evidence = [\"errors\"]`, or none: `evidence = []`";
                return Err(ParamError::new("evidence", message));
            }
        };
        let column = |name: &String| Ok(column_named(name, "evidence", service)?.name.clone());
        let evidence = evidence.map(|names| names.iter().map(column).collect::<Result<Vec<_>, _>>()).transpose()?;
        let rules = Rules::read(&Params::default(), service)?;
        Ok(Box::new(Baking { length, evidence, rules }))
    }
}

/// Gates that judge windows of a column since the bake began: without them time is no evidence.
const JUDGE_WINDOWS: &[&str] = &["threshold", "baseline", "resources"];

struct Baking {
    length: Duration,
    /// Columns that are the evidence; none: those that the ring's gates judge.
    evidence: Option<Vec<ColumnName>>,
    rules: Rules,
}

/// Time of a bake that does not count.
#[derive(Default)]
struct Gaps {
    /// Windows that are unknown.
    windows: usize,
    /// Of those, windows that were not read yet.
    unread: usize,
    /// The first: column, window and reason.
    first: Option<(ColumnName, Timestamp, NoData)>,
}

impl Gate for Baking {
    fn needs(&self) -> Vec<Need> {
        self.evidence.iter().flatten().cloned().map(Need::Windows).collect()
    }

    fn minimum(&self) -> Duration {
        self.length
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }
}

impl Baking {
    /// Windows of the bake in which a column of the evidence is unknown, and nobody accepted that.
    fn gaps(&self, evidence: &Evidence<'_>, start: BakeStart) -> Gaps {
        let span = Span::since(start, SignedDuration::ZERO, evidence.now);
        // By window: unknown in some column, and not merely unread.
        let mut unknown: Vec<Option<bool>> = Vec::new();
        let mut first: Option<(ColumnName, Timestamp, NoData)> = None;
        // Asked once for all columns: where traffic takes no window away, only the columns' own holes count.
        let traffic = self.rules.traffic(evidence).filter(|traffic| !span.enough_throughout(*traffic));
        for column in self.columns(evidence) {
            let accepted = accepted(evidence, &column);
            for (end, why) in span.unknown(evidence.windows.get(&column), traffic) {
                if accepted.iter().any(|(from, to, _)| (*from..=*to).contains(&end)) {
                    continue;
                }
                let at = span.position(end);
                if unknown.len() <= at {
                    unknown.resize(at + 1, None);
                }
                if let Some(window) = unknown.get_mut(at) {
                    *window = Some(window.unwrap_or(false) || *why != NoData::NotAsked);
                }
                if first.as_ref().is_none_or(|(_, known, _)| end < *known) {
                    first = Some((column.clone(), end, why.clone()));
                }
            }
        }
        let windows = unknown.iter().flatten().count();
        let unread = unknown.iter().flatten().filter(|asked| !**asked).count();
        Gaps { windows, unread, first }
    }

    /// The columns without whose samples time does not count.
    fn columns(&self, evidence: &Evidence<'_>) -> Vec<ColumnName> {
        if let Some(columns) = &self.evidence {
            return columns.clone();
        }
        let gates = evidence.ring.exit_gates.iter().filter(|g| JUDGE_WINDOWS.contains(&&*g.gate));
        let columns = gates.filter_map(|g| evidence.service.column(g.params.text("column")?));
        let mut names: Vec<ColumnName> = columns.map(|c| c.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let wanted = short(SignedDuration::try_from(self.length).unwrap_or_default());
        let Some(workload) = evidence.workload else {
            let sentence = format!("{region}: nothing was seen that could bake");
            return Judgement::new(Verdict::NoData, "unseen", sentence);
        };
        if let Some(other) = other_template(evidence) {
            let sentence = format!("{region}: the bake of {wanted} begins when {} runs everywhere", other.short());
            return Judgement::new(Verdict::Wait, format!("0s/{wanted}"), sentence);
        }
        let Some(start) = evidence.bake_start else {
            return if workload.settled() {
                let sentence = format!(
                    "{region}: start of the bake is unknown: {} has not settled everywhere, or nothing tells when",
                    evidence.ring.name
                );
                Judgement::new(Verdict::NoData, "start?", sentence)
            } else {
                let sentence = format!("{region}: the bake of {wanted} begins when the rollout is complete");
                Judgement::new(Verdict::Wait, format!("0s/{wanted}"), sentence)
            };
        };
        let gaps = self.gaps(evidence, start);
        let since = evidence.now.duration_since(start.at).max(SignedDuration::ZERO);
        let length = SignedDuration::try_from(self.length).unwrap_or(SignedDuration::MAX);
        let lost = windows_long(gaps.windows).min(since);
        let done = match gaps.windows {
            0 => since,
            // What lies before the windows that are read is no evidence either: it counts only for a bake
            // that is longer than they reach.
            _ => {
                let before = since.saturating_sub(JUDGED_SPAN).max(SignedDuration::ZERO);
                let beyond = length.saturating_sub(JUDGED_SPAN).max(SignedDuration::ZERO);
                let seen = since.saturating_sub(before).saturating_sub(lost).max(SignedDuration::ZERO);
                before.min(beyond).saturating_add(seen)
            }
        };
        let needed = format!("{} has run {} for {}", evidence.ring.name, workload.version, short(done));
        let judged = if done >= length {
            let sentence = format!("{region}: {needed}, {wanted} needed");
            Judgement::new(Verdict::Go, short(done), sentence)
        } else if done.saturating_add(windows_long(gaps.unread)) >= length {
            let sentence = format!("{region}: samples of the bake were not read: nobody can tell whether it is over");
            Judgement::new(Verdict::NoData, "unread", sentence)
        } else {
            let left = length.saturating_sub(done);
            let end = evidence.now.saturating_add(left).unwrap_or(Timestamp::MAX);
            let sentence = format!(
                "{region}: {needed} of {wanted}; {} left, until {}",
                short(left),
                end.strftime("%Y-%m-%d %H:%M:%S UTC"),
            );
            Judgement::new(Verdict::Wait, format!("{}/{wanted}", short(done)), sentence).until(end)
        };
        let judged = match &gaps.first {
            None => judged,
            Some((column, end, why)) => judged.because(format!(
                "{} without evidence do not count, first the window to {} ({column}: {why})",
                short(lost),
                when(*end)
            )),
        };
        let mut judged = judged.because(format!(
            "baking since {}, {}",
            start.at.strftime("%Y-%m-%d %H:%M:%S UTC"),
            start.source.text()
        ));
        if start.source == BakeSource::FirstSeen {
            judged = judged.because("nothing but this console tells when it settled");
        }
        judged
    }
}
