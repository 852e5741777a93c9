//! `gonogo login` in a real terminal: plugins that ask, fail, hang, or are not there.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::pty::{Pty, Start};

const TOKEN: &str = "secret-token-of-the-test";

/// Clusters: `asks` for a code, `fails`, `hangs`, and `plain` with a token in its kubeconfig.
struct Fleet {
    dir: tempfile::TempDir,
}

impl Fleet {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let credential = format!(
            r#"{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{TOKEN}"}}}}"#
        );
        let asks = format!(
            "#!/bin/sh\nprintf 'one-time code: ' >&2\nread code\n[ \"$code\" = 4242 ] || {{ echo 'wrong code' >&2; exit 3; }}\necho '{credential}'\n"
        );
        script(dir.path(), "asks", &asks);
        script(dir.path(), "fails", "#!/bin/sh\necho 'the tunnel is down' >&2\nexit 7\n");
        script(dir.path(), "hangs", "#!/bin/sh\necho 'waiting for the browser' >&2\nexec sleep 600\n");
        let plugin = |name: &str| {
            let path = dir.path().join(name);
            format!(
                "{{name: {name}, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{}', interactiveMode: Always}}}}}}",
                path.display()
            )
        };
        let names = ["asks", "fails", "hangs", "plain"];
        let context = |n: &str| format!("{{name: {n}, context: {{cluster: all, user: {n}}}}}");
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: all, cluster: {{server: 'http://127.0.0.1:9'}}}}]\n\
             contexts: [{}]\nusers: [{}, {}, {}, {{name: plain, user: {{token: x}}}}]\n",
            names.map(context).join(", "),
            plugin("asks"),
            plugin("fails"),
            plugin("hangs"),
        );
        std::fs::write(dir.path().join("kubeconfig"), kubeconfig).unwrap();
        let cluster = |n: &str| format!("[cluster.{n}]\ncontext = \"{n}\"\nkubeconfig = \"kubeconfig\"\n");
        let config = format!(
            "fleet = \"test\"\n{}\n[[topology.world.rings]]\nname = \"ring-0\"\nregions = [{}]\nbake = \"1h\"\n\
             [defaults]\nexit = [\"ready\"]\n[defaults.workload]\ncontainer = \"web\"\n[service.webapp]\n",
            names.map(cluster).join("\n"),
            names.map(|n| format!("\"{n}\"")).join(", "),
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        Self { dir }
    }

    fn login(&self, cluster: &[&str]) -> Pty {
        let config = self.dir.path().join("config.toml").display().to_string();
        let mut args = vec!["--config", config.as_str(), "login"];
        args.extend(cluster);
        Pty::start(&Start { args: &args, size: (120, 30), env: &[] })
    }
}

fn script(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn written(pty: &Pty) -> String {
    pty.wait_closed();
    String::from_utf8_lossy(&pty.raw()).into_owned()
}

#[test]
fn a_plugin_asks_its_question_in_the_terminal_and_the_token_is_not_shown() {
    let fleet = Fleet::new();
    let mut pty = fleet.login(&["asks"]);
    pty.wait_text("one-time code:");
    pty.send("4242\r");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    let text = written(&pty);
    assert!(text.contains("asks: logged in"), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
}

#[test]
fn a_wrong_answer_is_the_plugins_failure_with_its_words() {
    let fleet = Fleet::new();
    let mut pty = fleet.login(&["asks"]);
    pty.wait_text("one-time code:");
    pty.send("1\r");
    assert_eq!(pty.wait_exit().exit_code(), 5);
    let text = written(&pty);
    assert!(
        text.contains("wrong code") && text.contains("asks: unusable") && text.contains("exit status: 3"),
        "{text}"
    );
}

#[test]
fn a_cluster_without_a_plugin_needs_none_and_an_unknown_one_is_named_with_those_there_are() {
    let fleet = Fleet::new();
    let mut pty = fleet.login(&["plain"]);
    assert_eq!(pty.wait_exit().exit_code(), 0);
    assert!(written(&pty).contains("plain: its credentials need no plugin"));
    let mut pty = fleet.login(&["palin"]);
    assert_eq!(pty.wait_exit().exit_code(), 2);
    let text = written(&pty);
    assert!(text.contains("there is no cluster palin") && text.contains("asks, fails, hangs, plain"), "{text}");
}

#[test]
fn a_plugin_that_fails_does_not_keep_the_others_from_their_login() {
    let fleet = Fleet::new();
    let mut pty = fleet.login(&[]);
    pty.wait_text("one-time code:");
    pty.send("4242\r");
    pty.wait_text("waiting for the browser");
    let screen = pty.screen();
    assert!(screen.contains("asks: logged in") && screen.contains("the tunnel is down"), "{screen}");
    assert!(screen.contains("fails: unusable"), "{screen}");
    // The one that hangs is left with Ctrl-C, which ends it and the program.
    pty.send("\x03");
    let status = pty.wait_exit();
    assert!(!status.success(), "{status:?}");
    assert!(status.signal().is_some_and(|s| s.contains("Interrupt")) || status.exit_code() == 130, "{status:?}");
    pty.wait_closed();
}
