//! `--listen`: `/healthz`, `/readyz` and `/metrics`, for probes and for Prometheus.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use color_eyre::eyre::{Result, WrapErr};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::metrics;
use crate::domain::stamp::Stamp;
use crate::engine::Engine;
use crate::io::Clock;
use crate::io::notify::Counts;

/// The loop beats once a second; without a beat for so long it is not well.
const SILENCE: Duration = Duration::from_secs(10);
/// A request that takes longer is nobody's probe.
const HEADERS: Duration = Duration::from_secs(5);

/// What probes are told, as of the last beat.
#[derive(Clone)]
pub struct Board(Arc<Mutex<Told>>, Clock);

struct Told {
    beat: Option<Stamp>,
    /// Why it is not ready, if it is not.
    unready: Option<String>,
    metrics: String,
}

impl Board {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        let told = Told { beat: None, unready: Some("it has just begun".to_owned()), metrics: String::new() };
        Self(Arc::new(Mutex::new(told)), clock)
    }

    /// The loop lives, and this is how things stand.
    pub fn beat(&self, engine: &Engine, notices: &Counts) {
        let told = Told {
            beat: Some(self.1.now()),
            unready: metrics::unready(engine),
            metrics: metrics::text(engine, notices),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    fn answer(&self, path: &str) -> (StatusCode, &'static str, String) {
        const TEXT: &str = "text/plain; charset=utf-8";
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = told.beat.is_none_or(|b| self.1.now().since(b) > SILENCE);
        match path {
            "/healthz" if silent => (StatusCode::SERVICE_UNAVAILABLE, TEXT, "the loop does not beat\n".to_owned()),
            "/healthz" => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            "/readyz" => match &told.unready {
                _ if silent => (StatusCode::SERVICE_UNAVAILABLE, TEXT, "the loop does not beat\n".to_owned()),
                Some(why) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
                None => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            },
            "/metrics" => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", told.metrics.clone()),
            _ => (StatusCode::NOT_FOUND, TEXT, "/healthz, /readyz and /metrics are here\n".to_owned()),
        }
    }
}

/// An open door. Dropping it closes it.
pub struct Door {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Door {
    /// Listens.
    pub async fn open(address: SocketAddr, board: Board) -> Result<Self> {
        let listener = TcpListener::bind(address).await.wrap_err_with(|| format!("--listen {address}"))?;
        let address = listener.local_addr().wrap_err("--listen")?;
        Ok(Self { address, task: tokio::spawn(accept(listener, board)) })
    }

    /// Where it listens: port 0 becomes a free one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, board: Board) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let board = board.clone();
                let serve = service_fn(move |request| answer(board.clone(), request));
                let mut connection = http1::Builder::new();
                connection.timer(TokioTimer::new()).header_read_timeout(HEADERS).keep_alive(false);
                tokio::spawn(async move {
                    // A probe that goes away is no event.
                    let _ = connection.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
            // Out of file descriptors, most likely: the next try may find one.
            Err(error) if error.kind() != io::ErrorKind::ConnectionAborted => {
                tracing::warn!("--listen: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(_) => {}
        }
    }
}

async fn answer(board: Board, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (code, media, text) = match *request.method() {
        Method::GET | Method::HEAD => board.answer(request.uri().path()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(media));
    Ok(response)
}
