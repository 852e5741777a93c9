//! `approval`: enough people, who may, have said yes to exactly this.

use crate::domain::approval::{Approval as Given, LONGEST, Same};
use crate::domain::fleet::{Param, Params, Ring, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, HangsOn, Need, ParamError, Parameter};
use crate::domain::id::{RegionIx, Text};
use crate::domain::record::{Body, Fact, Record};
use crate::domain::stamp::{SignedDuration, Timestamp, parse_duration, short};
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::{TemplateDigest, Version};

/// So many approvals by people who may, none of them the author.
pub struct Approval;

impl GateType for Approval {
    fn name(&self) -> &'static str {
        "approval"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn hangs_on(&self) -> HangsOn {
        HangsOn::People
    }
    fn about(&self) -> &'static str {
        "So many people who may have approved exactly this: the ring, the version, and the template that the ring before runs. The author of the release and whoever promotes do not count; another template voids every approval; each ends after at most 7 days."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "count", about: "How many people; 1 unless given.", required: false },
            Parameter {
                name: "users",
                about: "Who may, as the cluster calls them. One of `users` and `groups` must be there.",
                required: false,
            },
            Parameter {
                name: "groups",
                about: "Groups whose members may, as the cluster's SelfSubjectReview says.",
                required: false,
            },
            Parameter {
                name: "expires",
                about: "How long one counts: at most `7d`, which is the default.",
                required: false,
            },
        ]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Rule::read(params).map(|rule| Box::new(rule) as Box<dyn Gate>)
    }
}

/// Who must approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How many people.
    pub count: usize,
    /// Who may.
    pub users: Vec<Text>,
    /// Groups whose members may.
    pub groups: Vec<Text>,
    /// How long one counts.
    pub expires: SignedDuration,
}

/// What the approval gates of a ring ask for.
pub fn approval_rules(ring: &Ring) -> Vec<Rule> {
    let specs = ring.entry_gates.iter().filter(|spec| &*spec.gate == Approval.name());
    specs.filter_map(|spec| Rule::read(&spec.params).ok()).collect()
}

impl Rule {
    fn read(params: &Params) -> Result<Self, ParamError> {
        let names = |key: &str| -> Result<Vec<Text>, ParamError> {
            let texts = match params.0.get(key) {
                None => return Ok(Vec::new()),
                Some(Param::Text(one)) => std::slice::from_ref(one),
                Some(Param::List(list)) => list.as_slice(),
                Some(_) => return Err(ParamError::new(key, format!("`{key}` is a list of names"))),
            };
            if texts.is_empty() || texts.iter().any(|t| t.trim().is_empty()) {
                return Err(ParamError::new(key, format!("`{key}` names nobody")));
            }
            Ok(texts.iter().map(|t| t.as_str().into()).collect())
        };
        let (users, groups) = (names("users")?, names("groups")?);
        if users.is_empty() && groups.is_empty() {
            return Err(ParamError::new("groups", "say who may approve, e.g. `groups = [\"release-managers\"]`"));
        }
        let count = match params.0.get("count") {
            None => 1,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 20")]
            Some(Param::Number(n)) if n.fract() == 0.0 && (1.0..=20.0).contains(n) => *n as usize,
            Some(_) => return Err(ParamError::new("count", "`count` is a whole number from 1 to 20")),
        };
        if groups.is_empty() && users.len() < count {
            let message = format!("{count} people must approve, and only {} may: nobody could pass", users.len());
            return Err(ParamError::new("count", message));
        }
        let wrong = || ParamError::new("expires", "`expires` is a time of at most 7 days, e.g. `\"2d\"`");
        let expires = match params.0.get("expires") {
            None => LONGEST,
            Some(Param::Text(text)) => parse_duration(text)
                .and_then(|length| SignedDuration::try_from(length).ok())
                .filter(|length| length.is_positive() && *length <= LONGEST)
                .ok_or_else(wrong)?,
            Some(_) => return Err(wrong()),
        };
        Ok(Self { count, users, groups, expires })
    }

    /// Whether somebody may, by name or by the group they act for.
    pub fn allows(&self, user: &str, group: Option<&str>) -> bool {
        self.users.iter().any(|u| &**u == user) || group.is_some_and(|g| self.groups.iter().any(|known| &**known == g))
    }

    /// Who may, in words.
    pub fn who(&self) -> String {
        let groups = self.groups.iter().map(|g| format!("group {g}"));
        self.users.iter().map(ToString::to_string).chain(groups).collect::<Vec<_>>().join(", ")
    }
}

/// The fact that brought a version into the first ring; none where gonogo did not start it.
pub fn release_author<'r>(service: &Service, record: &'r Record, version: &Version) -> Option<(RegionIx, &'r Fact)> {
    let first = service.rings.first()?;
    let facts = first.regions.iter().filter_map(|at| Some((*at, record.region(*at)?)));
    let promoted = facts.flat_map(|(at, region)| region.facts.values().map(move |fact| (at, fact)));
    let started = promoted.filter(|(_, fact)| matches!(&fact.body, Body::Promoted(m) if m.to_version == version.0));
    started.max_by_key(|(_, fact)| fact.id)
}

/// How one approval counts.
enum Counts {
    /// Fully.
    Yes,
    /// If the author of the release is somebody else, which nobody can tell.
    Perhaps(String),
    /// Not, and why.
    No(String),
}

impl Gate for Rule {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(entering) = evidence.entering else {
            let sentence = format!("{region}: nothing is about to enter, so there is nothing to approve");
            return Judgement::new(Verdict::NoData, "nothing", sentence);
        };
        if let Some(key) = evidence.record.unreadable_revocation() {
            let key = safe(key, 60);
            let sentence = format!("{region}: the revocation {key} cannot be read, and may end any approval");
            return Judgement::new(Verdict::NoData, "unreadable", sentence);
        }
        let author = release_author(evidence.service, evidence.record, entering.version);
        let mut tally = Tally::default();
        for at in &evidence.ring.regions {
            for (name, given) in evidence.record.approvals_in(*at) {
                match given {
                    Ok(given) => self.count(evidence, *at, given, author, &mut tally),
                    Err(why) => tally.lines.push(format!("{}: {why}: it does not count", safe(name, 60))),
                }
            }
        }
        let judged = self.verdict(evidence, entering.version, &tally);
        let judged = match author {
            Some((_, fact)) => judged.because(format!("{} was started by {}", entering.version, fact.by)),
            None => judged.because(format!("{} was not started by gonogo: its author is not known", entering.version)),
        };
        let judged = tally.lines.into_iter().fold(judged, Judgement::because);
        judged.because(format!("{} of: {}", self.count, self.who()))
    }
}

/// What was counted so far.
#[derive(Default)]
struct Tally {
    /// People, each with how they are shown and when their yes ends.
    people: Vec<(String, String, Timestamp)>,
    /// Sentences of those that count only perhaps.
    perhaps: Vec<String>,
    lines: Vec<String>,
}

impl Rule {
    fn count(
        &self,
        evidence: &Evidence<'_>,
        at: RegionIx,
        given: &Given,
        author: Option<(RegionIx, &Fact)>,
        tally: &mut Tally,
    ) {
        let person = evidence.identities.person(given.approver.as_str()).to_owned();
        let ends = given.ends().min(given.created.saturating_add(self.expires).unwrap_or(given.expires));
        let until = ends.strftime("%Y-%m-%d %H:%M UTC");
        let reason = if given.reason.is_empty() { String::new() } else { format!(": {}", safe(&given.reason, 120)) };
        match self.counts(evidence, at, given, author) {
            Counts::No(why) => {
                let line =
                    format!("{given} on {}: {why}: it does not count", given.created.strftime("%Y-%m-%d %H:%M UTC"));
                return tally.lines.push(line);
            }
            _ if tally.people.iter().any(|(known, ..)| *known == person) => {
                return tally.lines.push(format!("{given}: approved before; one person counts once"));
            }
            Counts::Perhaps(why) => tally.perhaps.push(why),
            Counts::Yes => {}
        }
        let mine = self.user(evidence, at).is_some_and(|user| *user == *given.approver.as_str());
        let mine = if mine { "; it counts only if somebody else promotes" } else { "" };
        tally.lines.push(format!("{given} approved until {until}{reason}{mine}"));
        tally.people.push((person, given.to_string(), ends));
    }

    /// Who this console is in the cluster of a region.
    fn user<'e>(&self, evidence: &Evidence<'e>, at: RegionIx) -> Option<&'e str> {
        evidence.peers.get(at.at())?.user.map(|user| user.as_str())
    }

    fn counts(
        &self,
        evidence: &Evidence<'_>,
        at: RegionIx,
        given: &Given,
        author: Option<(RegionIx, &Fact)>,
    ) -> Counts {
        let Some(entering) = evidence.entering else { return Counts::No("nothing is about to enter".into()) };
        let about = &given.about;
        let wanted = entering.source.map(|w| w.template);
        let ends = given.ends().min(given.created.saturating_add(self.expires).unwrap_or(given.expires));
        let template = |digest: Option<TemplateDigest>| digest.map_or_else(|| "none".to_owned(), |d| d.short());
        if !given.immutable {
            return Counts::No("it is not immutable, so anybody may have changed it".into());
        }
        if *about.ring != *evidence.ring.name.as_str() {
            return Counts::No(format!("it is for {}", safe(&about.ring, 60)));
        }
        if about.version != *entering.version {
            return Counts::No(format!("it is for {}", safe(&about.version.0, 60)));
        }
        if about.template != wanted {
            let (other, now) = (template(about.template), template(wanted));
            return Counts::No(format!("it is for another revision ({other}, now {now})"));
        }
        if ends <= evidence.now {
            return Counts::No(format!("it ended {}", ends.strftime("%Y-%m-%d %H:%M UTC")));
        }
        if let Some(fact) = evidence.record.revocation(given.id) {
            return Counts::No(format!("revoked by {}", fact.by));
        }
        if !self.allows(given.approver.as_str(), given.group.as_deref()) {
            return Counts::No("not one of those who may".into());
        }
        self.author(evidence, at, given, author)
    }

    /// Nobody approves their own release, or their own promotion.
    fn author(
        &self,
        evidence: &Evidence<'_>,
        at: RegionIx,
        given: &Given,
        author: Option<(RegionIx, &Fact)>,
    ) -> Counts {
        let approver = given.approver.as_str();
        if evidence.promoting {
            match self.user(evidence, at) {
                None => return Counts::No("who promotes is not known there, and may be the same person".into()),
                Some(user) if evidence.identities.same(user, approver, true) == Same::Yes => {
                    return Counts::No("whoever promotes cannot approve".into());
                }
                Some(_) => {}
            }
        }
        let Some((from, fact)) = author else { return Counts::Yes };
        let cluster = |at: RegionIx| evidence.service.region(at).map(|r| r.cluster);
        let one_cluster = cluster(from).is_some() && cluster(from) == cluster(at);
        match evidence.identities.same(fact.by.as_str(), approver, one_cluster) {
            Same::Yes => Counts::No("the author of the release cannot approve it".into()),
            Same::No => Counts::Yes,
            Same::Unknown => {
                let regions = [from, at].map(|r| evidence.service.region(r).map_or("?", |r| r.name.as_str()));
                let [there, here] = regions;
                Counts::Perhaps(format!(
                    "nobody can tell whether {} in {here} is the author {} in {there}: `[identities]` says who is who",
                    safe(approver, 60),
                    safe(fact.by.as_str(), 60)
                ))
            }
        }
    }

    fn verdict(&self, evidence: &Evidence<'_>, version: &Version, tally: &Tally) -> Judgement {
        let region = &evidence.region.name;
        let have = tally.people.len();
        let cell = format!("{have}/{}", self.count);
        let names = tally.people.iter().map(|(_, shown, _)| shown.as_str()).collect::<Vec<_>>().join(", ");
        let ring = &evidence.ring.name;
        if have < self.count {
            let by = if names.is_empty() { String::new() } else { format!(" ({names})") };
            let sentence = format!(
                "{region}: {version} in {ring} has {have} of {} approvals{by}; {} may give them",
                self.count,
                self.who()
            );
            return Judgement::new(Verdict::Wait, cell, sentence);
        }
        if have - tally.perhaps.len() < self.count
            && let Some(why) = tally.perhaps.first()
        {
            return Judgement::new(Verdict::Findings, cell, format!("{region}: {why}"));
        }
        // So many must still hold: the earliest end among the last ones to go.
        let mut ends: Vec<_> = tally.people.iter().map(|(.., ends)| *ends).collect();
        ends.sort();
        let until = ends.get(have - self.count).copied().unwrap_or(evidence.now);
        let left = short(until.duration_since(evidence.now));
        let sentence = format!("{region}: {version} in {ring} is approved by {names}, for {left} more");
        Judgement::new(Verdict::Go, cell, sentence)
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
