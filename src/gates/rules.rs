//! Parameters that gates share: how they are read, and what is said where they do not fit.

use crate::domain::fleet::{Column, Param, Params, Ring, Service, Unit};
use crate::domain::gate::{Evidence, Need, ParamError, Parameter};
use crate::domain::id::ColumnName;
use crate::domain::metric::Windows;
use crate::domain::stamp::{SignedDuration, parse_duration};

/// Most windows that `of` may look at.
const MOST_OF: usize = 60;

/// Parameter: how many windows outside make a violation.
pub(super) const VIOLATIONS: Parameter = Parameter {
    name: "violations",
    about: "So many windows outside, of the last `of`, are a violation; so many within end it. 2 unless given.",
    required: false,
};
/// Parameter: among how many windows.
pub(super) const OF: Parameter =
    Parameter { name: "of", about: "Among how many windows `violations` counts; 3 unless given.", required: false };
/// Parameter: what does not count at the beginning.
pub(super) const GRACE: Parameter = Parameter {
    name: "grace",
    about: "So long after the bake began nothing counts, e.g. `10m`; nothing is left out unless given.",
    required: false,
};
/// Parameter: how much may be unknown.
pub(super) const GAPS: Parameter = Parameter {
    name: "gaps",
    about: "So much of the judged time may be unknown and is a finding then, e.g. `15m`; unless given, anything unknown is NO DATA.",
    required: false,
};
/// Parameter: how long it must be quiet after a violation.
pub(super) const AGAIN: Parameter = Parameter {
    name: "again",
    about: "So long it must stay within after a violation or a gap; the ring's bake unless given.",
    required: false,
};
/// Parameter: the traffic below which nothing is judged.
pub(super) const MIN_TRAFFIC: Parameter = Parameter {
    name: "min_traffic",
    about: "Windows with less traffic (queries per second) are unknown; what the ring's gate `min_traffic` says unless given.",
    required: false,
};

/// How windows are counted.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// So many windows outside, of the last `of`, are a violation.
    pub violations: u32,
    pub of: u32,
    /// What does not count after the bake began.
    pub grace: SignedDuration,
    /// So much may be unknown.
    pub gaps: SignedDuration,
    /// So long it must be quiet after a violation or a gap; the ring's bake otherwise.
    pub again: Option<SignedDuration>,
    /// The least traffic, if the gate says it itself.
    min_traffic: Option<f64>,
    /// The column that measures traffic.
    traffic: Option<ColumnName>,
}

impl Rules {
    /// Reads the parameters that metric gates share.
    pub(super) fn read(params: &Params, service: &Service) -> Result<Self, ParamError> {
        let of = whole(params, "of", 1, MOST_OF)?.unwrap_or(3);
        let violations = whole(params, "violations", 1, MOST_OF)?.unwrap_or(of.min(2));
        if violations > of {
            let message = format!("{violations} of the last {of} windows can never be outside; write at most {of}");
            return Err(ParamError::new("violations", message));
        }
        let length = |name| Ok(length(params, name)?.unwrap_or(SignedDuration::ZERO));
        let traffic = service.traffic_column();
        let min_traffic = match params.0.get("min_traffic") {
            None => None,
            Some(value) => Some(min_traffic(value, "min_traffic", traffic)?),
        };
        Ok(Self {
            violations: u32::try_from(violations).unwrap_or(2),
            of: u32::try_from(of).unwrap_or(3),
            grace: length("grace")?,
            gaps: length("gaps")?,
            again: self::length(params, "again")?,
            min_traffic,
            traffic: traffic.map(|c| c.name.clone()),
        })
    }

    /// The traffic that its own rule about traffic rests on. The ring's gate asks for its own.
    pub(super) fn need(&self) -> Option<Need> {
        self.traffic.clone().filter(|_| self.min_traffic.is_some()).map(Need::Windows)
    }

    /// The least traffic, and the windows that tell; none: traffic does not matter.
    pub(super) fn traffic<'e>(&self, evidence: &Evidence<'e>) -> Option<(f64, &'e Windows)> {
        let least = self.min_traffic.or_else(|| ring_min_traffic(evidence.ring))?;
        static NONE: std::sync::LazyLock<Windows> = std::sync::LazyLock::new(Windows::default);
        let windows = self.traffic.as_ref().and_then(|name| evidence.windows.get(name));
        Some((least, windows.unwrap_or(&NONE)))
    }
}

/// A least traffic in queries per second.
pub(super) fn min_traffic(value: &Param, name: &str, traffic: Option<&Column>) -> Result<f64, ParamError> {
    if traffic.is_none() {
        let message = "no column of this service measures traffic; write `traffic = true` in one `[column.NAME]`";
        return Err(ParamError::new(name, message));
    }
    per_second(value).ok_or_else(|| {
        ParamError::new(name, format!("write queries per second, e.g. `{name} = 5` or `{name} = \"10k\"`"))
    })
}

fn per_second(value: &Param) -> Option<f64> {
    let number = match value {
        Param::Number(number) => *number,
        Param::Text(text) => super::parse_bound(text, Unit::PerSecond)?,
        _ => return None,
    };
    Some(number).filter(|n| n.is_finite() && *n >= 0.0)
}

/// What a ring's gate `min_traffic` says.
fn ring_min_traffic(ring: &Ring) -> Option<f64> {
    let gate = ring.exit_gates.iter().find(|g| &*g.gate == "min_traffic")?;
    per_second(gate.params.0.get("min")?)
}

/// The longest bake of a ring's exit gates.
pub(super) fn ring_bake(ring: &Ring) -> Option<SignedDuration> {
    let bakes = ring.exit_gates.iter().filter(|g| &*g.gate == "bake");
    let length = |text| SignedDuration::try_from(super::bake_length(text)?).ok();
    bakes.filter_map(|g| length(g.params.text("for")?)).max()
}

/// A whole number within bounds.
pub(super) fn whole(params: &Params, name: &str, least: usize, most: usize) -> Result<Option<usize>, ParamError> {
    match params.0.get(name) {
        None => Ok(None),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a small number")]
        Some(Param::Number(n))
            if n.fract() == 0.0 && *n >= 0.0 && *n <= 1e6 && (least..=most).contains(&(*n as usize)) =>
        {
            Ok(Some(*n as usize))
        }
        Some(_) => Err(ParamError::new(name, format!("`{name}` is a whole number from {least} to {most}"))),
    }
}

/// A length of time of at most a year.
pub(super) fn length(params: &Params, name: &str) -> Result<Option<SignedDuration>, ParamError> {
    let wrong = |text: &str| ParamError::new(name, format!("{text}, e.g. `{name} = \"30m\"`"));
    match params.0.get(name) {
        None => Ok(None),
        Some(Param::Text(text)) => {
            let length = parse_duration(text).ok_or_else(|| wrong("write a length of time"))?;
            if length > super::LONGEST {
                return Err(wrong("longer than a year is refused; write less"));
            }
            Ok(SignedDuration::try_from(length).ok())
        }
        Some(_) => Err(wrong("write a length of time as text")),
    }
}

/// A bound in a column's unit.
pub(super) fn bound(params: &Params, name: &str, column: &Column) -> Result<Option<f64>, ParamError> {
    let value = match params.0.get(name) {
        None => return Ok(None),
        Some(Param::Number(number)) => Some(*number).filter(|n| n.is_finite()),
        Some(Param::Text(text)) => super::parse_bound(text, column.unit),
        Some(_) => None,
    };
    let example = match column.unit {
        Unit::Ratio => "\"1%\" or 0.01",
        Unit::Seconds => "\"200ms\" or 0.2",
        Unit::Millis => "\"200ms\" or 200",
        Unit::Bytes => "\"2GiB\"",
        Unit::PerSecond | Unit::Number => "1000 or \"10k\"",
    };
    let wrong = || {
        let message = format!("`{name}` does not fit the unit of column `{}`; write {name} = {example}", column.name);
        ParamError::new(name, message)
    };
    value.map(Some).ok_or_else(wrong)
}

/// A column by the parameter that names it.
pub(super) fn column<'s>(params: &Params, name: &str, service: &'s Service) -> Result<&'s Column, ParamError> {
    let missing = || ParamError::new(name, format!("say which column is judged, e.g. `{name} = \"errors\"`"));
    column_named(params.text(name).ok_or_else(missing)?, name, service)
}

/// A column by name, for a parameter.
pub(super) fn column_named<'s>(wanted: &str, param: &str, service: &'s Service) -> Result<&'s Column, ParamError> {
    service.column(wanted).ok_or_else(|| {
        let known: Vec<&str> = service.columns.iter().map(|c| c.name.as_str()).collect();
        let near = crate::domain::text::did_you_mean(wanted, known.iter().copied());
        let fix = near.map_or_else(|| format!("there is: {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
        ParamError::new(param, format!("there is no column `{wanted}`; {fix}"))
    })
}
