//! Over real sockets: certificates that are wrong, and connections that are reset in the middle of a watch.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use gonogo::domain::link::{Link, LostReason};
use gonogo::domain::observation::{Observation, Seen};
use gonogo::io::command::Processes;
use gonogo::io::connect::{Forgetful, KubeDial, Mode, Plugins, ProxyEnv, Remembered, Way};
use gonogo::io::watch::{Watching, plan, watch_all};
use gonogo::io::{Clock, Clusters};
use gonogo::sim::api::ApiServer;
use gonogo::sim::clock::SimClock;
use gonogo::sim::resources::{DEPLOYMENTS, NAMESPACES};
use gonogo::sim::socket::{Served, serve};
use gonogo::sim::store::{Part, Store, Writer};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::stage::fleet;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster with a deployment.
fn cluster() -> ApiServer {
    let store = Store::new(SimClock::new(SimClock::wall(), 1.0));
    let kubectl = Writer::named("kubectl");
    for name in ["kube-system", "shop"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        store.create(&NAMESPACES, namespace, &kubectl).unwrap();
    }
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "r.example/web:v1"}]}}}});
    store.create(&DEPLOYMENTS, deployment, &kubectl).unwrap();
    ApiServer::new("c0", store).trusting("oncall")
}

fn set_image(server: &ApiServer, tag: &str) {
    let image = format!("r.example/web:{tag}");
    let change = |d: &mut Value| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = image.clone().into();
        Ok(())
    };
    server.store().modify(&DEPLOYMENTS, "shop", "web", Part::Main, &Writer::named("kubectl"), change).unwrap();
}

/// Clusters of a kubeconfig, watched: `(server, CA file)` each.
struct Watched {
    seen: Arc<Mutex<Vec<Observation>>>,
    _watching: Watching,
    _folder: tempfile::TempDir,
}

fn watched(servers: &[(String, Option<PathBuf>)]) -> Watched {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let mut clusters = Vec::new();
    let mut contexts = Vec::new();
    for (at, (server, ca)) in servers.iter().enumerate() {
        let ca = ca.as_ref().map_or(String::new(), |ca| {
            let data = base64::engine::general_purpose::STANDARD.encode(std::fs::read(ca).unwrap());
            format!(", certificate-authority-data: {data}")
        });
        clusters.push(format!("{{name: c{at}, cluster: {{server: '{server}'{ca}}}}}"));
        contexts.push(format!("{{name: x{at}, context: {{cluster: c{at}, user: u}}}}"));
    }
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{}]\ncontexts: [{}]\nusers: [{{name: u, user: {{token: oncall-token}}}}]\n",
        clusters.join(", "),
        contexts.join(", ")
    );
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    let ways = (0..servers.len()).map(|at| Way::Context { context: format!("x{at}"), file: None }).collect();
    let clock = Clock::host();
    let plugins = Plugins::new(Arc::new(Processes), clock.clone());
    let dial = Arc::new(KubeDial::new(ways, vec![path], ProxyEnv::default(), plugins, clock.clone()));
    let fleet = fleet(servers.len(), false);
    let plans = plan(&fleet);
    let clusters = Clusters::new(fleet, dial, &Mode::Console, &clock);
    let seen: Arc<Mutex<Vec<Observation>>> = Arc::default();
    let book = seen.clone();
    let tell: gonogo::io::Tell = Arc::new(move |o| book.lock().unwrap().push(o));
    let remembered: Arc<dyn Remembered> = Arc::new(Forgetful);
    let watching = watch_all(&clusters, &plans, &clock, &tell, &remembered, 7);
    Watched { seen, _watching: watching, _folder: folder }
}

impl Watched {
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "never came: {what}; {:#?}", self.links(0));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn links(&self, cluster: u32) -> Vec<Link> {
        let of = |o: &Observation| match o {
            Observation::Link { cluster: c, link } if c.0 == cluster => Some(link.clone()),
            _ => None,
        };
        self.seen.lock().unwrap().iter().filter_map(of).collect()
    }

    fn is_live(&self, cluster: u32) -> bool {
        self.links(cluster).last() == Some(&Link::Live)
    }

    fn lost(&self, cluster: u32) -> Option<LostReason> {
        match self.links(cluster).pop() {
            Some(Link::Lost { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    fn versions(&self, cluster: u32) -> Vec<String> {
        let of = |o: &Observation| match o {
            Observation::Object { cluster: c, seen: Seen::Workload { state, .. }, .. } if c.0 == cluster => {
                Some(state.as_ref().map_or_else(|| "gone".to_owned(), |w| w.version.to_string()))
            }
            _ => None,
        };
        self.seen.lock().unwrap().iter().filter_map(of).collect()
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Serves a cluster over TLS with a certificate of the fixtures.
async fn serve_tls(server: ApiServer, certificate: &str) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(fixture(&format!("{certificate}.pem"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(fixture(&format!("{certificate}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // A client that does not trust us hangs up in the handshake.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                connection(TokioIo::new(stream), server).await;
            });
        }
    });
    address
}

/// Generic like the service it carries: the compiler asks for that.
async fn connection<I, S, B>(io: I, server: S)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: tower::Service<http::Request<Incoming>, Response = http::Response<B>> + Clone,
    S::Error: Into<tower::BoxError>,
    B: http_body::Body + 'static,
    B::Error: Into<tower::BoxError>,
{
    let service = hyper::service::service_fn(move |request| {
        let mut server = server.clone();
        async move { server.call(request).await }
    });
    // A client that goes away ends it.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_said_with_what_to_do_and_the_others_go_on() {
    let cases = [
        (
            "here",
            "other-ca.pem",
            "its certificate is not signed by the CA of the kubeconfig",
            "fetch the kubeconfig anew",
        ),
        ("elsewhere", "ca.pem", "its certificate is for other names", "set `tls-server-name`"),
        ("expired", "ca.pem", "its certificate has expired", "set this host's clock"),
    ];
    let good = serve_tls(cluster(), "here").await;
    let mut servers = vec![(format!("https://{good}"), Some(fixture("ca.pem")))];
    for (certificate, ca, ..) in cases {
        let address = serve_tls(cluster(), certificate).await;
        servers.push((format!("https://{address}"), Some(fixture(ca))));
    }
    let stage = watched(&servers);
    stage.until("the good one is live", |s| s.is_live(0)).await;
    for (at, (certificate, _, what, next)) in (1_u32..).zip(cases) {
        stage.until(certificate, |s| s.lost(at).is_some()).await;
        let Some(LostReason::Unreachable(text)) = stage.lost(at) else { panic!("{:?}", stage.lost(at)) };
        assert!(text.contains(&format!("of cluster c{at}: ")), "which: {text}");
        assert!(text.contains(what) && text.contains(next), "what, and what next: {text}");
        assert!(stage.versions(at).is_empty(), "nothing is believed of it");
    }
    let shown = format!("{:?}", stage.lost(2));
    assert!(shown.contains("api.elsewhere.example"), "the names it is for: {shown}");
    assert_eq!(stage.versions(0), ["v1"]);
    assert!(stage.is_live(0));
}

/// Stands between client and server, and resets connections in the middle of a chunk.
#[derive(Clone)]
struct Cutter {
    address: SocketAddr,
    /// The next bytes of a watch that come down are cut in half, and the connection is reset.
    cuts: Arc<AtomicBool>,
    /// Connections so far.
    opened: Arc<AtomicUsize>,
    resets: Arc<AtomicUsize>,
}

impl Cutter {
    async fn before(upstream: &Served) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let cutter = Self { address, cuts: Arc::default(), opened: Arc::default(), resets: Arc::default() };
        let (mine, upstream) = (cutter.clone(), upstream.address());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                mine.opened.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(mine.clone().carry(client, upstream));
            }
        });
        cutter
    }

    async fn carry(self, client: TcpStream, upstream: SocketAddr) {
        let Ok(server) = TcpStream::connect(upstream).await else { return };
        let (mut from_server, mut to_server) = server.into_split();
        let (mut from_client, mut to_client) = client.into_split();
        let is_watch = Arc::new(AtomicBool::new(false));
        let watches = is_watch.clone();
        let up = tokio::spawn(async move {
            let mut buffer = vec![0; 16_384];
            while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                watches.store(String::from_utf8_lossy(&buffer[..read]).contains("watch=true"), Ordering::SeqCst);
                if to_server.write_all(&buffer[..read]).await.is_err() {
                    break;
                }
            }
            from_client
        });
        let mut buffer = vec![0; 16_384];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            if is_watch.load(Ordering::SeqCst) && self.cuts.load(Ordering::SeqCst) {
                let _ = to_client.write_all(&buffer[..read.div_ceil(2)]).await;
                up.abort();
                self.resets.fetch_add(1, Ordering::SeqCst);
                // Closing with unsent data thrown away is a reset.
                let _ = to_client.as_ref().set_zero_linger();
                return;
            }
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_an_event_loses_the_link_for_a_moment_and_nothing_else() {
    let server = cluster();
    let served = serve(server.clone()).await.unwrap();
    let cutter = Cutter::before(&served).await;
    let stage = watched(&[(format!("http://{}", cutter.address), None)]);
    stage.until("live", |s| s.is_live(0)).await;
    cutter.cuts.store(true, Ordering::SeqCst);
    set_image(&server, "v2");
    stage.until("lost", |s| s.lost(0).is_some()).await;
    assert!(matches!(stage.lost(0), Some(LostReason::Unreachable(_))), "{:?}", stage.lost(0));
    assert!(!stage.versions(0).contains(&"v2".to_owned()), "half an event is no event");
    cutter.cuts.store(false, Ordering::SeqCst);
    stage
        .until("live again, with what was missed", |s| s.is_live(0) && s.versions(0).last().is_some_and(|v| v == "v2"))
        .await;
    assert!(!stage.versions(0).contains(&"gone".to_owned()), "{:?}", stage.versions(0));
    let lists = |o: &Observation| matches!(o, Observation::Synced { .. });
    let synced = stage.seen.lock().unwrap().iter().filter(|o| lists(o)).count();
    assert!(synced <= 3, "resumed where it was, not listed anew: {synced}");
}

#[tokio::test]
async fn a_server_that_resets_every_watch_is_not_asked_in_a_tight_loop() {
    let server = cluster();
    let served = serve(server.clone()).await.unwrap();
    let cutter = Cutter::before(&served).await;
    cutter.cuts.store(true, Ordering::SeqCst);
    let stage = watched(&[(format!("http://{}", cutter.address), None)]);
    let began = Instant::now();
    // Watches of deployments and of records are reset, again and again, until the back-off has grown.
    stage.until("five seconds of it", |_| began.elapsed() > Duration::from_secs(5)).await;
    let resets = cutter.resets.load(Ordering::SeqCst);
    assert!((2..=24).contains(&resets), "{resets} resets in 5 s");
    assert!(cutter.opened.load(Ordering::SeqCst) <= 60, "{} connections", cutter.opened.load(Ordering::SeqCst));
    assert_eq!(stage.versions(0).last().map(String::as_str), Some("v1"), "what was listed stays known");
    cutter.cuts.store(false, Ordering::SeqCst);
    set_image(&server, "v2");
    stage.until("it recovers", |s| s.is_live(0) && s.versions(0).last().is_some_and(|v| v == "v2")).await;
}
