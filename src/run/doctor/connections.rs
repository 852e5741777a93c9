//! How clusters are reached, as their kubeconfig says: credentials, certificates, what is not checked.

use std::collections::BTreeSet;

use super::{Level, Line};
use crate::domain::id::ClusterIx;
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::io::connect::Inspected;
use crate::run::world::World;

/// A certificate that ends sooner is named.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) fn lines(world: &World, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    // One file may serve many clusters: it is named once.
    let mut named: BTreeSet<String> = BTreeSet::new();
    for at in (0..world.fleet.clusters.len()).map(ClusterIx::from) {
        let what = format!("connection {}", world.fleet.cluster_name(at));
        match world.dial().inspect(at) {
            Ok(found) => of_cluster(&what, &found, now, &mut named, &mut lines),
            Err(reason) => {
                let (word, why) = reason.text();
                let hint = "mend the kubeconfig, or the context's name in the configuration";
                lines.push(Line::new(Level::Fail, what, format!("{word}: {why}"), hint));
            }
        }
    }
    lines
}

fn of_cluster(what: &str, found: &Inspected, now: Timestamp, named: &mut BTreeSet<String>, lines: &mut Vec<Line>) {
    let mut say = |level, text: String, hint: &str| lines.push(Line::new(level, what, text, hint));
    let proxy = found.proxy.as_ref().map(|p| format!(" through {p}")).unwrap_or_default();
    let acts_as = found.acts_as.as_ref().map(|user| format!(", acting as {user}")).unwrap_or_default();
    say(Level::Ok, format!("{}{proxy}, {}{acts_as}", found.server, found.credentials), "");
    if found.insecure {
        let hint = "give the kubeconfig its certificate-authority-data, and take insecure-skip-tls-verify out";
        say(Level::Warn, "its certificate is not checked (insecure-skip-tls-verify)".to_owned(), hint);
    }
    let is_local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|l| found.server.starts_with(l));
    if found.plain && !is_local {
        say(Level::Warn, "plain HTTP: whoever listens reads the credentials".to_owned(), "use https");
    }
    for (which, ends) in &found.certificates {
        match ends {
            Ok(at) => {
                let left = at.duration_since(now);
                let day = at.strftime("%Y-%m-%d %H:%M UTC");
                let renew = "renew it before then";
                match left {
                    _ if left.is_negative() => {
                        say(Level::Fail, format!("{which} ended {} ago, on {day}", short(left.abs())), "renew it");
                    }
                    _ if left < SOON => say(Level::Warn, format!("{which} ends in {}, on {day}", short(left)), renew),
                    _ => say(Level::Ok, format!("{which} is good until {day}"), ""),
                }
            }
            Err(why) => say(Level::Fail, format!("{which}: {why}"), "mend the kubeconfig"),
        }
    }
    for file in &found.open_files {
        if named.insert(file.clone()) {
            let text = format!("{file} holds a secret, and others of this host may read it");
            say(Level::Warn, text, &format!("chmod 600 {file}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn told(found: &Inspected) -> Vec<(Level, String)> {
        let (mut lines, now) = (Vec::new(), "2026-11-21T12:00:00Z".parse().unwrap());
        of_cluster("connection eu", found, now, &mut BTreeSet::new(), &mut lines);
        lines.into_iter().skip(1).map(|l| (l.level, l.text)).collect()
    }

    #[test]
    fn a_certificate_is_named_before_it_ends_and_after() {
        let ends = |at: &str| {
            let certificates = vec![("client certificate".to_owned(), Ok(at.parse().unwrap()))];
            let found = Inspected { server: "https://eu.example".into(), certificates, ..Inspected::default() };
            told(&found).remove(0)
        };
        assert_eq!(ends("2027-11-21T12:00:00Z").0, Level::Ok);
        let soon = ends("2026-11-24T12:00:00Z");
        assert_eq!(
            (soon.0, soon.1.as_str()),
            (Level::Warn, "client certificate ends in 3d00h, on 2026-11-24 12:00 UTC")
        );
        let over = ends("2026-11-20T12:00:00Z");
        assert_eq!(
            (over.0, over.1.as_str()),
            (Level::Fail, "client certificate ended 1d00h ago, on 2026-11-20 12:00 UTC")
        );
    }

    #[test]
    fn what_is_not_checked_is_doubtful() {
        let found = Inspected { server: "https://eu.example".into(), insecure: true, ..Inspected::default() };
        assert!(told(&found).remove(0).1.contains("insecure-skip-tls-verify"));
        let plain = Inspected { server: "http://eu.example".into(), plain: true, ..Inspected::default() };
        assert_eq!(told(&plain).remove(0).0, Level::Warn);
        let here = Inspected { server: "http://127.0.0.1:8080".into(), plain: true, ..Inspected::default() };
        assert!(told(&here).is_empty(), "the simulation is no danger");
    }
}
