//! The Prometheus HTTP API as a `tower::Service`, in process or behind a socket.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, DATE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::api::{self, Reply};
use super::error::QueryError;
use super::eval::Options;
use super::faults::{Fault, Faults};
use super::json;
use super::params::Params;
use super::scrape::{Now, SCRAPE_INTERVAL_MS, Scrapes};
use crate::sim::model::Model;

/// Longest request body: a form with one query.
const MAX_BODY: usize = 1 << 20;

/// One Prometheus. Clones are the same one.
#[derive(Clone)]
pub struct PromServer {
    scrapes: Arc<Scrapes>,
    options: Options,
}

impl fmt::Debug for PromServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PromServer").field("scrapes", &self.scrapes).finish_non_exhaustive()
    }
}

impl PromServer {
    /// A Prometheus that scrapes every region.
    pub fn of_all(model: Arc<Model>, now: Now) -> Self {
        Self::new(Scrapes { model, regions: None, interval_ms: SCRAPE_INTERVAL_MS, now, faults: Faults::default() })
    }

    /// A Prometheus that scrapes one region only.
    pub fn of_region(model: Arc<Model>, region: &str, now: Now) -> Self {
        Self::new(Scrapes {
            model,
            regions: Some([region.to_owned()].into()),
            interval_ms: SCRAPE_INTERVAL_MS,
            now,
            faults: Faults::default(),
        })
    }

    /// A Prometheus that scrapes what is said.
    pub fn new(scrapes: Scrapes) -> Self {
        Self { scrapes: Arc::new(scrapes), options: Options::default() }
    }

    /// What is wrong with it; scenarios and tests set it.
    pub fn faults(&self) -> &Faults {
        &self.scrapes.faults
    }

    /// What it scrapes.
    pub fn scrapes(&self) -> &Scrapes {
        &self.scrapes
    }

    /// Answers a request.
    ///
    /// # Errors
    /// While it is [down](Fault::Down): the connection is refused.
    pub async fn answer<B>(self, request: Request<B>) -> io::Result<Response<Full<Bytes>>>
    where
        B: Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let faults = self.faults().now();
        for fault in &faults {
            match fault {
                Fault::Down => return Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                Fault::Hang => std::future::pending::<()>().await,
                Fault::Slow(delay) => tokio::time::sleep(*delay).await,
                _ => {}
            }
        }
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let reply = match (broken(&faults), body) {
            (Some(reply), _) => reply,
            (None, Err(_)) => {
                Reply::from(Err(QueryError::BadData("error parsing form values: body too large or cut off".to_owned())))
            }
            (None, Ok(body)) => {
                let form = Params::decode(head.uri.query().unwrap_or_default());
                let form = if head.method == Method::POST {
                    Params::decode(&String::from_utf8_lossy(&body.to_bytes())).and(form)
                } else {
                    form
                };
                let asked = api::Asked { method: &head.method, path: head.uri.path(), form: &form };
                api::reply(&self.scrapes, self.options, &warnings(&faults), asked)
            }
        };
        let cut = faults.contains(&Fault::TruncatedJson) && reply.content_type == api::JSON;
        Ok(self.response(reply, cut))
    }

    fn response(&self, reply: Reply, cut: bool) -> Response<Full<Bytes>> {
        let mut body = Bytes::from(reply.body);
        if cut {
            body.truncate(body.len() / 2);
        }
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
        if reply.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, OPTIONS, POST"));
        }
        // The simulation's time, or the socket side would add the real one.
        let now = Timestamp::from_millisecond((self.scrapes.now)()).ok();
        let date = now.and_then(|now| DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok());
        if let Some(date) = date.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(DATE, date);
        }
        response
    }
}

/// The reply of a Prometheus that does not get as far as evaluating.
fn broken(faults: &[Fault]) -> Option<Reply> {
    faults.iter().find_map(|fault| match fault {
        Fault::HtmlBody => Some(Reply {
            status: StatusCode::BAD_GATEWAY,
            content_type: "text/html",
            body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n".to_owned(),
        }),
        Fault::Status(status) => {
            let error = if *status == StatusCode::SERVICE_UNAVAILABLE {
                QueryError::Unavailable("the simulated Prometheus was told to be unavailable".to_owned())
            } else {
                QueryError::Internal("the simulated Prometheus was told to fail".to_owned())
            };
            Some(Reply { status: *status, content_type: api::JSON, body: json::failure(&error) })
        }
        _ => None,
    })
}

fn warnings(faults: &[Fault]) -> Vec<String> {
    let given = faults.iter().filter_map(|fault| match fault {
        Fault::Warnings(texts) => Some(texts.clone()),
        _ => None,
    });
    given.flatten().collect()
}

impl<B> tower::Service<Request<B>> for PromServer
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}
