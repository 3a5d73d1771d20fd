//! Scrapers: each a client with a connection of its own that is kept alive, asking as Prometheus
//! does and measuring how long the answer takes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use reqwest::header::{ACCEPT, ACCEPT_ENCODING};
use tokio::task::JoinSet;

use crate::lab::{LabError, http::client};

/// What Prometheus 2.42 asks for.
const PROMETHEUS_ACCEPT: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Prometheus' default scrape time-out, in seconds, which it tells whom it scrapes.
const SCRAPE_TIMEOUT_SECONDS: u64 = 10;

/// How long is waited for an answer at most: one that comes later than it should is to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// How an answer is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// Compressed, as Prometheus asks.
    Gzip,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
        }
    }
}

/// Scrapers of one program.
#[derive(Debug)]
pub(super) struct Scrapers {
    url: String,
    encoding: Encoding,
    clients: Vec<reqwest::Client>,
}

impl Scrapers {
    /// So many scrapers of `path`.
    pub(super) fn new(address: SocketAddr, path: &str, encoding: Encoding, count: u32) -> Self {
        Self {
            url: format!("http://{address}{path}"),
            encoding,
            clients: (0..count).map(|_| client()).collect(),
        }
    }

    /// Lets every scraper ask once, all at the same time, and returns how long each waited.
    ///
    /// # Errors
    /// If an answer is missing or not 200.
    pub(super) async fn round(&self) -> Result<Vec<Duration>, LabError> {
        self.ask_each(1).await
    }

    /// Lets the scrapers ask `total` times in all, each again as soon as it has its answer.
    ///
    /// # Errors
    /// If an answer is missing or not 200.
    pub(super) async fn ask(&self, total: u32) -> Result<Vec<Duration>, LabError> {
        let scrapers = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        self.ask_each(total.div_ceil(scrapers.max(1))).await
    }

    async fn ask_each(&self, times: u32) -> Result<Vec<Duration>, LabError> {
        let mut scrapers = JoinSet::new();
        for client in &self.clients {
            let (client, url, encoding) = (client.clone(), self.url.clone(), self.encoding);
            scrapers.spawn(async move {
                let mut waits = Vec::new();
                for _ in 0..times {
                    waits.push(once(&client, &url, encoding).await?);
                }
                Ok(waits)
            });
        }
        let mut all = Vec::new();
        while let Some(ended) = scrapers.join_next().await {
            let waits: Result<Vec<Duration>, LabError> = ended.unwrap_or(Ok(Vec::new()));
            all.extend(waits?);
        }
        Ok(all)
    }
}

/// Asks once and reads the whole answer.
async fn once(
    client: &reqwest::Client,
    url: &str,
    encoding: Encoding,
) -> Result<Duration, LabError> {
    let failed = |source| LabError::Http {
        url: url.to_owned(),
        source,
    };
    let request = client
        .get(url)
        .timeout(PATIENCE)
        .header(ACCEPT, PROMETHEUS_ACCEPT)
        .header(ACCEPT_ENCODING, encoding.name())
        .header(
            "X-Prometheus-Scrape-Timeout-Seconds",
            SCRAPE_TIMEOUT_SECONDS,
        );
    let asked = Instant::now();
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    response.bytes().await.map_err(failed)?;
    let took = asked.elapsed();
    if status.is_success() {
        return Ok(took);
    }
    Err(LabError::Answer {
        asked: format!("GET {url}"),
        answer: status.to_string(),
    })
}
