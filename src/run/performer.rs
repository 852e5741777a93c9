//! Does what the engine asks for: each effect a task, each answer a message.
//!
//! The proofs of journaled plans are kept here; a write without one cannot be sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;

use super::diary;
use super::inbox::Inbox;
use crate::domain::challenge::Approved;
use crate::domain::fleet::{Fleet, Region};
use crate::domain::id::{ClusterIx, Place, Text};
use crate::domain::link::LostReason;
use crate::domain::observation::Observation;
use crate::domain::plan::PlanId;
use crate::engine::Engine;
use crate::engine::effect::{ActResult, Effect, MetricQuestion, Note, Reply};
use crate::io::act::Outsides;
use crate::io::journal::{Begun, Journal, Journaled, Known};
use crate::io::notify::Notifier;
use crate::io::reports::Reports;
use crate::io::watch::Watching;
use crate::io::{Access, Clusters, act, fetch};

/// Sends questions to metric sources; answers are told as observations.
pub type Ask = Arc<dyn Fn(MetricQuestion) + Send + Sync>;

type Proofs = Arc<Mutex<BTreeMap<PlanId, Arc<Journaled>>>>;

/// Everything that effects need.
pub struct Performer<K> {
    runtime: Handle,
    fleet: Arc<Fleet>,
    clusters: Clusters,
    watching: Arc<Watching>,
    ask: Ask,
    journal: Option<Journal>,
    /// Programs and HTTP endpoints; none on a watch screen, which runs and asks nobody.
    outsides: Outsides,
    /// What is asked how regions stand that no cluster tells of.
    reports: Option<Arc<Reports>>,
    inbox: Inbox<K>,
    proofs: Proofs,
    known: Known,
    notifier: Option<Notifier>,
}

impl<K: Send + 'static> Performer<K> {
    /// A performer. Without a journal nothing can be carried out: a watch screen has none.
    pub fn new(
        runtime: Handle,
        clusters: Clusters,
        watching: Arc<Watching>,
        ask: Ask,
        journal: Option<Journal>,
        inbox: Inbox<K>,
    ) -> Self {
        let fleet = clusters.fleet().clone();
        Self {
            runtime,
            fleet,
            clusters,
            watching,
            ask,
            journal,
            outsides: Outsides::default(),
            reports: None,
            inbox,
            proofs: Proofs::default(),
            known: Known::new(),
            notifier: None,
        }
    }

    /// From now on notices go to webhooks.
    pub fn notify(&mut self, notifier: Notifier) {
        self.notifier = Some(notifier);
    }

    /// With programs of this host and HTTP endpoints: gates ask them, and writes may go to them.
    #[must_use]
    pub fn with_outsides(mut self, outsides: Outsides) -> Self {
        self.outsides = outsides;
        self
    }

    /// With the commands and endpoints that are asked how regions stand.
    #[must_use]
    pub fn with_reports(mut self, reports: Reports) -> Self {
        self.reports = Some(Arc::new(reports));
        self
    }

    /// Who we are in each cluster, and which cluster it is: the journal keeps both.
    pub fn know(&mut self, engine: &Engine) {
        for (at, cluster) in engine.clusters.iter().enumerate() {
            let known = (cluster.facts.uid.clone(), cluster.facts.user.clone());
            if known != (None, None) {
                self.known.insert(ClusterIx::from(at), known);
            }
        }
    }

    /// Starts an effect. Never waits.
    pub fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Ask(question) => (self.ask)(*question),
            Effect::ListRevisions(place) => self.list(place, |place, access, region| async move {
                let result = fetch::revisions(&access, &region).await;
                Observation::Revisions { place, result }
            }),
            Effect::ListPods(place) => self.list(place, |place, access, region| async move {
                let result = fetch::pods(&access, &region).await;
                Observation::Pods { place, result }
            }),
            Effect::ListEvents(place) => self.list(place, |place, access, region| async move {
                // Without events the region is still shown: the reason is in its trouble line.
                match fetch::events(&access, &region).await {
                    Ok(lines) => Observation::Events { place, lines },
                    Err(reason) => Observation::Pods { place, result: Err(reason) },
                }
            }),
            Effect::Logs { place, pod } => {
                let Some((access, region)) = self.access_of(place) else { return };
                self.answer(async move {
                    let result = fetch::logs(&access, &region, &pod).await;
                    Reply::Logged { place, pod, result }
                });
            }
            Effect::Fetch { ticket, object } if self.reports.as_ref().is_some_and(|r| r.has(&object)) => {
                let asked = self.reports.as_ref().map(|r| r.fetch(&object));
                self.answer(async move {
                    let result = match asked {
                        Some(asked) => asked.await,
                        None => Err(LostReason::Unusable("nothing is asked about it here".into())),
                    };
                    Reply::Fetched { ticket, result }
                });
            }
            Effect::Fetch { ticket, object } => {
                let access = self.clusters.get(object.cluster).cloned();
                self.answer(async move {
                    let result = match access {
                        Some(access) => fetch::object(&access, &object).await,
                        None => Err(LostReason::Unusable("no such cluster".into())),
                    };
                    Reply::Fetched { ticket, result }
                });
            }
            Effect::FetchList { ticket, cluster, api, namespace, selector } => {
                let access = self.clusters.get(cluster).cloned();
                self.answer(async move {
                    let result = match access {
                        Some(access) => fetch::list(&access, &api, &namespace, &selector).await,
                        None => Err(LostReason::Unusable("no such cluster".into())),
                    };
                    Reply::FetchedList { ticket, result }
                });
            }
            Effect::ReadScalar { ticket, scalar } => {
                let git = self.outsides.git.clone();
                self.answer(async move {
                    let result = match git {
                        Some(git) => git.look(&scalar).await,
                        None => Err(LostReason::Unusable("this screen reads no repositories".into())),
                    };
                    Reply::Fetched { ticket, result }
                });
            }
            Effect::DryRun { ticket, change } => {
                let access = change.cluster().and_then(|at| self.clusters.get(at)).cloned();
                self.answer(async move {
                    let result = match access {
                        Some(access) => act::dry_run(&access, &change).await,
                        None => ActResult::NotSent("no such cluster".into()),
                    };
                    Reply::DryRan { ticket, result }
                });
            }
            Effect::Journal(approved) => self.begin(*approved),
            Effect::Act { plan, step, write } => self.act(plan, step, write),
            Effect::Note(note) => self.note(&note),
            Effect::Keep { ticket, change, if_absent } => {
                let access = change.cluster().and_then(|at| self.clusters.get(at)).cloned();
                let audit = format!("keep-{}", ticket.0);
                self.answer(async move {
                    let result = match access {
                        Some(access) => act::keep(&access, &change, if_absent.as_deref(), &audit).await,
                        None => ActResult::NotSent("no such cluster".into()),
                    };
                    Reply::Kept { ticket, result }
                });
            }
            Effect::Call { place, call } => match &self.outsides.endpoints {
                Some(endpoints) => endpoints.call(place, *call),
                None => {
                    let result = Err("a watch screen asks no HTTP endpoint".into());
                    self.inbox.seen(Observation::Called { place, call, result });
                }
            },
            Effect::Reconnect(cluster) => {
                self.watching.reconnect(cluster);
                self.reports.iter().for_each(|r| r.hurry(cluster));
            }
            Effect::Notify(notice) => {
                tracing::info!("notice: {} {}: {}", notice.service, notice.kind.word(), notice.text);
                if let Some(notifier) = &self.notifier {
                    notifier.tell(&notice);
                }
            }
        }
    }

    fn answer(&self, work: impl Future<Output = Reply> + Send + 'static) {
        let inbox = self.inbox.clone();
        self.runtime.spawn(async move { inbox.reply(work.await) });
    }

    fn list<F>(&self, place: Place, read: impl FnOnce(Place, Arc<Access>, Region) -> F)
    where
        F: Future<Output = Observation> + Send + 'static,
    {
        let Some((access, region)) = self.access_of(place) else { return };
        let inbox = self.inbox.clone();
        let work = read(place, access, region);
        self.runtime.spawn(async move { inbox.seen(work.await) });
    }

    fn access_of(&self, place: Place) -> Option<(Arc<Access>, Region)> {
        let region = self.fleet.service(place.0)?.region(place.1)?.clone();
        let access = self.clusters.get(region.cluster)?.clone();
        Some((access, region))
    }

    fn begin(&self, approved: Approved) {
        let plan = approved.plan().id;
        let Some(journal) = self.journal.clone() else {
            self.inbox.reply(Reply::Journaled { plan, result: Err("this screen cannot write".into()) });
            return;
        };
        let (fleet, known, proofs) = (self.fleet.clone(), self.known.clone(), self.proofs.clone());
        self.answer(async move {
            let result = match journal.begin(approved, &fleet, &known).await {
                Begun::Proof(proof) => {
                    let head = proof.head().cloned().map_err(Clone::clone);
                    let mut proofs = proofs.lock().unwrap_or_else(PoisonError::into_inner);
                    proofs.insert(plan, Arc::new(*proof));
                    head
                }
                Begun::Refused { why, .. } => Err(why),
            };
            Reply::Journaled { plan, result }
        });
    }

    fn act(&self, plan: PlanId, step: usize, write: usize) {
        let proof = self.proofs.lock().unwrap_or_else(PoisonError::into_inner).get(&plan).cloned();
        let cluster = proof.as_ref().and_then(|p| p.plan().steps.get(step)?.writes.get(write)?.change.cluster());
        let access = cluster.and_then(|c| self.clusters.get(c).cloned());
        let outsides = self.outsides.clone();
        let fleet = self.fleet.clone();
        self.answer(async move {
            let result = match (proof, access) {
                (Some(proof), access) => {
                    let result = match access {
                        Some(access) => act::act(&access, &proof, step, write).await,
                        None => act::act_outside(&outsides, &proof, step, write).await,
                    };
                    if let Some(entry) = diary::written(proof.plan(), &fleet, step, write, &result) {
                        diary::log(&entry);
                    }
                    result
                }
                (None, _) => ActResult::NotSent("there is no journaled plan for this write".into()),
            };
            Reply::Acted { plan, step, write, result }
        });
    }

    /// Closes in the journal what an earlier process left open, and then says what came of it.
    pub fn close_left(
        &self,
        plan: String,
        by: String,
        why: Option<String>,
        say: impl FnOnce(Result<(), Text>) + Send + 'static,
    ) {
        let Some(journal) = self.journal.clone() else { return say(Err("there is no journal".into())) };
        self.runtime.spawn(async move { say(journal.close_left(&plan, &by, why.as_deref()).await.map(drop)) });
    }

    fn note(&self, note: &Note) {
        if let Some(journal) = &self.journal {
            journal.note(note);
        }
        if matches!(note.what, crate::engine::effect::NoteKind::Closed { .. }) {
            self.proofs.lock().unwrap_or_else(PoisonError::into_inner).remove(&note.plan);
        }
    }
}
