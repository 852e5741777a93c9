//! Credential plugins: never interactive, few at once, and one run for all who ask the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::domain::id::Text;
use crate::domain::link::LostReason;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::text::safe;
use crate::io::clock::Clock;
use crate::io::command::{Command, NotRun, Ran, Runner};
use crate::io::secrets::learn;

/// Plugins that run at the same time.
const AT_ONCE: usize = 8;
/// How long one may take.
const LIMIT: Duration = Duration::from_secs(20);
/// A credential this young is not asked for again, whoever was refused with the one before.
const YOUNG: Duration = Duration::from_secs(5);
/// A credential that ends within this time is not used any more.
const EARLY: SignedDuration = SignedDuration::from_secs(60);

/// Runs credential plugins, and keeps what they gave.
pub struct Plugins {
    runner: Arc<dyn Runner>,
    clock: Clock,
    slots: Semaphore,
    kept: Mutex<BTreeMap<Command, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Kept>>>;

#[derive(Clone)]
struct Kept {
    credential: Credential,
    got: Duration,
}

/// What a plugin gave.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credential {
    token: Option<String>,
    /// Certificate and key, PEM.
    identity: Option<(String, String)>,
    /// When it ends.
    pub(crate) expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ExecCredential {
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    client_certificate_data: Option<String>,
    #[serde(default)]
    client_key_data: Option<String>,
    #[serde(default)]
    expiration_timestamp: Option<String>,
}

impl Plugins {
    /// None has run yet.
    pub fn new(runner: Arc<dyn Runner>, clock: Clock) -> Self {
        Self { runner, clock, slots: Semaphore::new(AT_ONCE), kept: Mutex::default() }
    }

    /// The credential of a plugin: kept from before, or by running it.
    pub async fn credential(&self, exec: &ExecConfig, renew: bool) -> Result<Credential, LostReason> {
        if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
            return Err(unusable(exec, "it wants a terminal: run `gonogo login` for this cluster"));
        }
        let command = command(exec, false)?;
        let slot = self.slot(&command);
        // Held while the plugin runs: who asks the same waits for the same answer.
        let mut kept = slot.lock().await;
        if let Some(kept) = kept.as_ref()
            && self.is_usable(kept, renew)
        {
            return Ok(kept.credential.clone());
        }
        let permit = self.slots.acquire().await;
        let ran = self.runner.run(command, LIMIT).await;
        drop(permit);
        let credential = read(exec, ran)?;
        *kept = Some(Kept { credential: credential.clone(), got: self.clock.now().mono });
        Ok(credential)
    }

    /// Runs a plugin with the terminal, and keeps what it gives.
    pub async fn login(&self, exec: &ExecConfig) -> Result<(), LostReason> {
        let slot = self.slot(&command(exec, false)?);
        let credential = read(exec, self.runner.run_interactive(command(exec, true)?).await)?;
        *slot.lock().await = Some(Kept { credential, got: self.clock.now().mono });
        Ok(())
    }

    fn slot(&self, command: &Command) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(command.clone()).or_default())
    }

    fn is_usable(&self, kept: &Kept, renew: bool) -> bool {
        let now = self.clock.now();
        let is_young = now.mono.saturating_sub(kept.got) < YOUNG;
        let lasts = |end: Timestamp| now.wall.saturating_add(EARLY).is_ok_and(|soon| soon < end);
        is_young || (!renew && kept.credential.expires.is_none_or(lasts))
    }
}

impl Credential {
    /// Puts the credential where the plugin was.
    pub(crate) fn apply(&self, auth: &mut AuthInfo) -> Result<(), LostReason> {
        auth.exec = None;
        let base64 = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
        let mut fields = serde_json::Map::new();
        if let Some(token) = &self.token {
            fields.insert("token".to_owned(), token.as_str().into());
        }
        if let Some((certificate, key)) = &self.identity {
            fields.insert("client-certificate-data".to_owned(), base64(certificate).into());
            fields.insert("client-key-data".to_owned(), base64(key).into());
        }
        let given: AuthInfo = serde_json::from_value(fields.into())
            .map_err(|_| LostReason::Unusable("the plugin's credential cannot be used".into()))?;
        auth.token = given.token;
        if given.client_certificate_data.is_some() {
            auth.client_certificate_data = given.client_certificate_data;
            auth.client_key_data = given.client_key_data;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential(expires {:?})", self.expires)
    }
}

fn unusable(exec: &ExecConfig, why: &str) -> LostReason {
    let name = exec.command.as_deref().unwrap_or("?");
    let text: Text = safe(&format!("credential plugin {name}: {why}"), 600).into();
    LostReason::Unusable(text)
}

fn command(exec: &ExecConfig, interactive: bool) -> Result<Command, LostReason> {
    let program = exec.command.clone().ok_or_else(|| unusable(exec, "no command is given"))?;
    let pair = |e: &std::collections::HashMap<String, String>| Some((e.get("name")?.clone(), e.get("value")?.clone()));
    let mut env: Vec<_> = exec.env.iter().flatten().filter_map(pair).collect();
    let mut spec = json!({"interactive": interactive});
    if exec.provide_cluster_info
        && let (Some(cluster), Some(fields)) = (&exec.cluster, spec.as_object_mut())
    {
        let cluster = serde_json::to_value(cluster).map_err(|_| unusable(exec, "no cluster to tell it about"))?;
        fields.insert("cluster".to_owned(), cluster);
    }
    let info = json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec});
    env.push(("KUBERNETES_EXEC_INFO".to_owned(), info.to_string()));
    env.sort();
    Ok(Command { program, args: exec.args.clone().unwrap_or_default(), env, ..Command::default() })
}

fn read(exec: &ExecConfig, ran: Result<Ran, NotRun>) -> Result<Credential, LostReason> {
    let ran = ran.map_err(|e| match (&e, exec.install_hint.as_deref()) {
        (NotRun::Absent, Some(hint)) => unusable(exec, &format!("{e}; {}", hint.trim().replace('\n', " "))),
        _ => unusable(exec, &e.to_string()),
    })?;
    if let Some(failed) = &ran.failed {
        return Err(unusable(exec, &format!("{failed}: {}", ran.stderr)));
    }
    // Some plugins print YAML; JSON is YAML too. The output is never quoted: it is a secret.
    let parsed: Option<ExecCredential> =
        std::str::from_utf8(&ran.stdout).ok().and_then(|text| serde_saphyr::from_str(text).ok());
    let status = parsed.and_then(|c| c.status).ok_or_else(|| unusable(exec, "it printed no credential"))?;
    let identity = status.client_certificate_data.zip(status.client_key_data);
    if status.token.is_none() && identity.is_none() {
        return Err(unusable(exec, "it gave neither a token nor a certificate"));
    }
    let expires = status.expiration_timestamp.and_then(|t| t.parse().ok());
    if let Some(token) = &status.token {
        learn(token);
    }
    Ok(Credential { token: status.token, identity, expires })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::{BoxFuture, join_all};

    use super::*;

    #[derive(Default)]
    struct Scripted {
        runs: AtomicUsize,
        now: AtomicUsize,
        most: AtomicUsize,
    }

    impl Runner for Scripted {
        fn run(&self, command: Command, _: Duration) -> BoxFuture<'_, Result<Ran, NotRun>> {
            Box::pin(async move {
                let run = self.runs.fetch_add(1, Ordering::SeqCst);
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.now.fetch_sub(1, Ordering::SeqCst);
                let ok = |out: String| Ok(Ran { stdout: out.into_bytes(), ..Ran::default() });
                match command.program.as_str() {
                    "absent" => Err(NotRun::Absent),
                    "fails" => {
                        Ok(Ran { stderr: "no␛".into(), failed: Some("exit status: 1".into()), ..Ran::default() })
                    }
                    "yaml" => ok("kind: ExecCredential\nstatus:\n  token: t\n".into()),
                    "empty" => ok("{}".into()),
                    _ => {
                        ok(format!(r#"{{"status":{{"token":"t{run}","expirationTimestamp":"2026-11-21T10:10:00Z"}}}}"#))
                    }
                }
            })
        }
        fn run_interactive(&self, command: Command) -> BoxFuture<'_, Result<Ran, NotRun>> {
            self.run(command, LIMIT)
        }
    }

    fn exec(command: &str) -> ExecConfig {
        ExecConfig { command: Some(command.to_owned()), install_hint: Some("install it".into()), ..Default::default() }
    }

    fn plugins() -> (Arc<Scripted>, Plugins) {
        let runner = Arc::new(Scripted::default());
        let clock = Clock::tokio("2026-11-21T10:00:00Z".parse().unwrap());
        (Arc::clone(&runner), Plugins::new(runner, clock))
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_the_same_shares_one_run_until_it_ends() {
        let (runner, plugins) = plugins();
        let config = exec("get-token");
        let all = join_all((0..50).map(|_| plugins.credential(&config, false))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(runner.runs.load(Ordering::SeqCst), 1);
        // Fifty that were refused at once renew once.
        tokio::time::sleep(Duration::from_secs(30)).await;
        join_all((0..50).map(|_| plugins.credential(&config, true))).await;
        assert_eq!(runner.runs.load(Ordering::SeqCst), 2);
        // A minute before its end a credential is not used any more.
        tokio::time::sleep(Duration::from_secs(540)).await;
        plugins.credential(&config, false).await.unwrap();
        assert_eq!(runner.runs.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn different_plugins_run_together_but_only_eight_of_them() {
        let (runner, plugins) = plugins();
        let configs: Vec<_> = (0..40).map(|i| exec(&format!("p{i}"))).collect();
        join_all(configs.iter().map(|c| plugins.credential(c, false))).await;
        assert_eq!((runner.runs.load(Ordering::SeqCst), runner.most.load(Ordering::SeqCst)), (40, AT_ONCE));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_say_what_to_do_and_nothing_secret() {
        let (_, plugins) = plugins();
        for (program, expected) in [
            ("absent", "credential plugin absent: no such program; install it"),
            ("fails", "credential plugin fails: exit status: 1: no␛"),
            ("empty", "credential plugin empty: it printed no credential"),
        ] {
            let reason = plugins.credential(&exec(program), false).await.unwrap_err();
            assert_eq!(reason, LostReason::Unusable(expected.into()));
        }
        assert!(plugins.credential(&exec("yaml"), false).await.is_ok());
        let always = ExecConfig { interactive_mode: Some(ExecInteractiveMode::Always), ..exec("yaml") };
        assert!(plugins.credential(&always, false).await.is_err());
        let shown = format!("{:?}", plugins.credential(&exec("yaml"), false).await.unwrap());
        assert!(!shown.contains("\"t\""), "{shown}");
    }
}
