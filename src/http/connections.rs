//! Connections: taken in until the server stops, and then seen to their end.

use std::time::Duration;

use axum::extract::connect_info::ConnectInfo;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The headers of a request, from the moment that the connection is free for it.
    pub headers: Duration,
    /// What is in hand when the server stops.
    pub ending: Duration,
}

/// Serves until `stop`, and then what is in hand.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, stop: &CancellationToken, patience: Patience) {
    let mut http = Builder::new(TokioExecutor::new());
    // Without a timer there is no limit: a sender that dribbles its headers would hold its connection for ever.
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience.headers);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(patience.headers);
    let connections = GracefulShutdown::new();
    while let Some((stream, peer)) = stop.run_until_cancelled(Listener::accept(&mut listener)).await {
        // Or the second part of a streamed answer waits for the client to acknowledge the first: 40 ms on Linux.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("a connection holds small packets back: {error}");
        }
        let service = TowerToHyperService::new(Extension(ConnectInfo(peer)).layer(router.clone()));
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
    }
    // From here on others are refused instead of waiting for nobody.
    drop(listener);
    if tokio::time::timeout(patience.ending, connections.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut off");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::Notify;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const PATIENCE: Patience = Patience { headers: Duration::from_millis(200), ending: Duration::from_secs(20) };

    async fn listener() -> (TcpListener, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn headers_that_dribble_end_the_connection() {
        let (listener, address) = listener().await;
        let router = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(async move { serve(listener, router, &CancellationToken::new(), PATIENCE).await });
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
        let mut answer = Vec::new();
        slow.read_to_end(&mut answer).await.unwrap();
        assert!(!String::from_utf8_lossy(&answer).contains("here"));
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(REQUEST).await.unwrap();
        quick.read_to_end(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer).ends_with("here"));
    }

    #[tokio::test]
    async fn what_is_in_hand_is_answered_and_nobody_else_is_let_in() {
        let (listener, address) = listener().await;
        let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (begun.clone(), finish.clone());
        let router = Router::new().route(
            "/",
            get(|| async move {
                tell.notify_one();
                wait.notified().await;
                "done"
            }),
        );
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let serving = tokio::spawn(async move { serve(listener, router, &stopping, PATIENCE).await });
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        begun.notified().await;
        stop.cancel();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(!serving.is_finished());
        finish.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
        serving.await.unwrap();
    }
}
