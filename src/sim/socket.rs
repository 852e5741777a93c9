//! Serves an API server (or any other HTTP service) on a loopback socket, with a link that
//! can be cut for real: open connections freeze or are reset, new ones hang or are refused.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower::Service;

use super::api::ApiServer;
use super::api::faults::Link;

/// A server on a socket. Dropping it stops it at once; `stop` waits for that.
pub struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Served {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting, ends all connections, and waits until they are gone.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.task.abort();
    }
}

/// Serves a cluster on a free loopback port.
pub async fn serve(server: ApiServer) -> io::Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let link = server.faults().link();
    serve_on(listener, server, link)
}

/// Serves any HTTP service on a listener, behind a link. Must run inside a tokio runtime.
pub fn serve_on<S, B>(listener: TcpListener, service: S, link: watch::Receiver<Link>) -> io::Result<Served>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, address, service, link, stopped));
    Ok(Served { address, stop, task })
}

async fn accept<S, B>(
    listener: TcpListener,
    address: SocketAddr,
    service: S,
    mut link: watch::Receiver<Link>,
    mut stopped: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        let now = *link.borrow_and_update();
        match (now, listener.is_some()) {
            // A closed listener is what refuses connections. Nobody else gets the port in
            // between: the kernel hands out free ports from elsewhere first.
            (Link::Refused, true) => listener = None,
            (Link::Up | Link::Hung, false) => listener = rebind(address).await,
            _ => {}
        }
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            changed = link.changed() => if changed.is_err() { break },
            // While hung, the kernel completes handshakes but nobody picks up.
            accepted = pick_up(listener.as_ref()), if now == Link::Up => {
                if let Ok(stream) = accepted {
                    connections.spawn(connection(stream, service.clone(), link.clone()));
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    connections.shutdown().await;
}

async fn pick_up(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }
        None => std::future::pending().await,
    }
}

/// Listens on the same port again.
async fn rebind(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..50 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    None
}

async fn connection<S, B>(stream: TcpStream, service: S, link: watch::Receiver<Link>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut cut = link.clone();
    let io = TokioIo::new(Linked::new(stream, link));
    let handler = service_fn(move |request| {
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    // Dates are the simulation's, set by the server itself.
    builder.auto_date_header(false);
    let serving = builder.serve_connection(io, handler);
    tokio::select! {
        // A client that goes away mid-request, or a fault that resets: nothing to say.
        _ = serving => {}
        _ = cut.wait_for(|link| *link == Link::Refused) => {}
    }
}

/// A stream that moves no bytes while its link is down.
struct Linked {
    stream: TcpStream,
    link: watch::Receiver<Link>,
    back: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Linked {
    fn new(stream: TcpStream, link: watch::Receiver<Link>) -> Self {
        Self { stream, link, back: None }
    }

    /// Ready while the link is up; otherwise wakes the task when it comes back.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.back.is_none() && *self.link.borrow() == Link::Up {
            return Poll::Ready(());
        }
        let back = self.back.get_or_insert_with(|| {
            let mut link = self.link.clone();
            Box::pin(async move {
                let _ = link.wait_for(|link| *link == Link::Up).await;
            })
        });
        match back.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.back = None;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Linked {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.poll_link(cx) {
            Poll::Ready(()) => Pin::new(&mut this.stream).poll_read(cx, buffer),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Linked {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.poll_link(cx) {
            Poll::Ready(()) => Pin::new(&mut this.stream).poll_write(cx, bytes),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::super::clock::SimClock;
    use super::super::store::Store;
    use super::*;

    async fn served() -> (ApiServer, Served) {
        let clock = SimClock::new("2026-03-02T10:00:00Z".parse().unwrap(), 1.0);
        let server = ApiServer::new("a", Store::new(clock));
        let served = serve(server.clone()).await.unwrap();
        (server, served)
    }

    /// Asks for the version and waits for the first bytes of the reply.
    async fn ask(stream: &mut TcpStream) -> io::Result<String> {
        stream.write_all(b"GET /version HTTP/1.1\r\nHost: sim\r\n\r\n").await?;
        hear(stream).await
    }

    async fn hear(stream: &mut TcpStream) -> io::Result<String> {
        let mut buffer = [0_u8; 4096];
        match stream.read(&mut buffer).await? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            read => Ok(String::from_utf8_lossy(buffer.get(..read).unwrap_or(&[])).into_owned()),
        }
    }

    #[tokio::test]
    async fn a_hung_link_freezes_old_and_new_connections_until_it_is_up() {
        let (server, served) = served().await;
        let mut old = TcpStream::connect(served.address()).await.unwrap();
        assert!(ask(&mut old).await.unwrap().starts_with("HTTP/1.1 200"));
        server.faults().set_link(Link::Hung);
        let mut new = TcpStream::connect(served.address()).await.unwrap();
        let wait = Duration::from_millis(150);
        assert!(timeout(wait, ask(&mut old)).await.is_err());
        assert!(timeout(wait, ask(&mut new)).await.is_err());
        server.faults().set_link(Link::Up);
        assert!(hear(&mut old).await.unwrap().starts_with("HTTP/1.1 200"));
        assert!(hear(&mut new).await.unwrap().starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_refused_link_ends_connections_and_takes_no_new_ones() {
        let (server, served) = served().await;
        let mut old = TcpStream::connect(served.address()).await.unwrap();
        assert!(ask(&mut old).await.is_ok());
        server.faults().set_link(Link::Refused);
        assert!(hear(&mut old).await.is_err());
        assert!(TcpStream::connect(served.address()).await.is_err());
        server.faults().set_link(Link::Up);
        let back = async {
            // The listener comes back in its own time.
            loop {
                if let Ok(mut stream) = TcpStream::connect(served.address()).await {
                    return ask(&mut stream).await;
                }
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(Duration::from_secs(5), back).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn stopping_ends_everything() {
        let (_, served) = served().await;
        let address = served.address();
        let mut open = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut open).await.is_ok());
        served.stop().await;
        assert!(hear(&mut open).await.is_err());
        assert!(TcpStream::connect(address).await.is_err());
    }
}
