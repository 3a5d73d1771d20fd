//! A server in the test's own process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use vcm_web::{Limits, ListenAddress, Listeners, ServeError, WebConfig, serve};

/// Guards a hang; far above what anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Size of the answer to `/big`: more than the kernel takes for a client that does not read.
pub(crate) const BIG: usize = 32 << 20;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) config: WebConfig,
    /// Lets `/wait` answer, once for each permit.
    pub(crate) gate: Arc<Semaphore>,
    /// One permit for each request to `/wait` that has arrived.
    pub(crate) arrived: Arc<Semaphore>,
    stop: watch::Sender<bool>,
    task: JoinSet<Result<(), ServeError>>,
}

impl Server {
    /// Starts with the configuration file at `path`.
    pub(crate) async fn start(path: Option<&Path>) -> Self {
        Self::start_with(path, Limits::default()).await
    }

    pub(crate) async fn start_with(path: Option<&Path>, limits: Limits) -> Self {
        let loopback = [ListenAddress::loopback(0)];
        Self::on(Listeners::on(&loopback).await.unwrap(), path, limits)
    }

    pub(crate) fn on(listeners: Listeners, path: Option<&Path>, limits: Limits) -> Self {
        let config = WebConfig::load(path).unwrap();
        let address = listeners.addresses().find_map(|text| text.parse().ok());
        let (stop, stopped) = watch::channel(false);
        let (gate, arrived) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let router = router(Arc::clone(&gate), Arc::clone(&arrived));
        let mut task = JoinSet::new();
        task.spawn(serve(listeners, config.clone(), limits, router, stopped));
        Self {
            address: address.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
            config,
            gate,
            arrived,
            stop,
            task,
        }
    }

    /// Waits until a request has reached `/wait`.
    pub(crate) async fn arrival(&self) {
        let arrival = timeout(DEADLINE, self.arrived.acquire()).await;
        arrival.unwrap().unwrap().forget();
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.send(true).unwrap();
    }

    pub(crate) async fn ended(mut self) {
        let ended = timeout(DEADLINE, self.task.join_next()).await;
        ended.unwrap().unwrap().unwrap().unwrap();
    }

    pub(crate) async fn stop(self) {
        self.ask_to_stop();
        self.ended().await;
    }
}

fn router(gate: Arc<Semaphore>, arrived: Arc<Semaphore>) -> Router {
    let wait = move || async move {
        arrived.add_permits(1);
        gate.acquire().await.unwrap().forget();
        "waited"
    };
    Router::new()
        .route("/", get(async || "hello"))
        .route("/wait", get(wait))
        .route("/big", get(async || vec![b'x'; BIG]))
        .route(
            "/framed",
            get(async || ([(header::X_FRAME_OPTIONS, "own")], "")),
        )
        .route("/panic", get(panics))
}

async fn panics() -> &'static str {
    panic!("this panic belongs to the test")
}
