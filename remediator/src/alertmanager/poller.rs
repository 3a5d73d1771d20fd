//! Asks all peers again and again, and keeps the newest view.

use std::convert::Infallible;
use std::error::Error;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use vcm_recovery::time::Time;

use super::fetch::Question;
use super::{Alertmanagers, Newest, Peer, PeerError, Problem, PulledAlert, View, answer};
use crate::clock::Clock;
use crate::config::alertmanager::Alertmanager;
use crate::outward::{AddressError, Client, TrustError};

/// The least time between two rounds, however often one is asked for.
const SPACING: Duration = Duration::from_secs(1);

/// The wait after the first round without an answer; doubles up to the interval.
const BACKOFF: Duration = Duration::from_secs(1);

/// The task that asks. It must be run for the view to be renewed.
#[derive(Debug)]
pub struct Poller {
    questions: Vec<Question>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    asked: Arc<Notify>,
    newest: watch::Sender<Newest>,
}

/// Why the Alertmanagers cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum PollerError {
    /// The authorities cannot be read any more.
    #[error("the certificates of Alertmanager's authorities cannot be used")]
    Trust(#[from] TrustError),
    /// An address has no room for the API's path.
    #[error("the API has no address below {host}")]
    Address {
        /// Host and port.
        host: String,
        /// Why.
        #[source]
        source: AddressError,
    },
}

/// What came of a round.
type Round = Vec<Result<(Vec<PulledAlert>, Option<PeerError>), PeerError>>;

impl Poller {
    /// A task for the Alertmanagers of the configuration, and the engine's side of it.
    ///
    /// # Errors
    /// [`PollerError`] if they cannot be asked at all.
    pub fn new(
        config: &Alertmanager,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Alertmanagers), PollerError> {
        let client = Client::new(&config.trust, config.credentials.clone())?;
        let questions = config.urls.iter().map(|url| {
            Question::new(config, client.clone(), url).map_err(|source| PollerError::Address {
                host: url.host().to_owned(),
                source,
            })
        });
        let questions = questions.collect::<Result<Vec<_>, _>>()?;
        let peers = questions.iter().map(|question| Peer {
            host: question.host().to_owned(),
            ..Peer::default()
        });
        let (newest, receiver) = watch::channel(Newest {
            view: None,
            peers: peers.collect(),
        });
        let asked = Arc::new(Notify::new());
        let alertmanagers = Alertmanagers {
            newest: receiver,
            asked: Arc::clone(&asked),
            interval: config.interval,
        };
        let poller = Self {
            questions,
            clock,
            interval: config.interval,
            asked,
            newest,
        };
        Ok((poller, alertmanagers))
    }

    /// Asks at once, then in the configured interval, when [asked](Alertmanagers::ask_now) to, and
    /// sooner while nobody answers. May be dropped at any moment.
    pub async fn run(self) -> Infallible {
        let mut unanswered = 0;
        loop {
            let wait = if self.round().await {
                unanswered = 0;
                self.interval
            } else {
                unanswered += 1;
                backoff(unanswered).min(self.interval)
            };
            sleep(SPACING).await;
            tokio::select! {
                () = sleep(wait.saturating_sub(SPACING)) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    /// Asks all peers at the same time. Returns whether one of them answered.
    async fn round(&self) -> bool {
        let asked_at = self.clock.now();
        let answers = self.answers().await;
        let mut newest = self.newest.borrow().clone();
        let mut alerts = Vec::new();
        let mut answered = false;
        for (peer, answer) in newest.peers.iter_mut().zip(answers) {
            let problem = match answer {
                Ok((pulled, problem)) => {
                    peer.answered_at = Some(asked_at);
                    answered = true;
                    alerts.extend(pulled);
                    problem
                }
                Err(error) => Some(error),
            };
            let problem = problem.map(Arc::new);
            log(peer, problem.as_deref());
            peer.problem = problem;
        }
        if answered {
            newest.view = Some(Arc::new(view(asked_at, alerts, &newest.peers)));
        }
        self.newest.send_replace(newest);
        answered
    }

    /// The answers, in the order of the peers.
    async fn answers(&self) -> Round {
        let mut asking = JoinSet::new();
        for (index, question) in self.questions.iter().cloned().enumerate() {
            asking.spawn(async move { (index, question.ask().await) });
        }
        let mut answers = asking.join_all().await;
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

fn view(fetched_at: Time, alerts: Vec<PulledAlert>, peers: &[Peer]) -> View {
    let problems = peers.iter().filter_map(|peer| {
        Some(Problem {
            host: peer.host.clone(),
            error: Arc::clone(peer.problem.as_ref()?),
        })
    });
    View {
        fetched_at,
        alerts: answer::joined(alerts),
        problems: problems.collect(),
    }
}

/// The wait after so many rounds without an answer.
fn backoff(unanswered: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(unanswered.saturating_sub(1));
    BACKOFF.saturating_mul(doubled)
}

/// A change of a peer that is worth a line: what is wrong is said once, and once that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Worse,
    Better,
}

/// Problems of one kind are the same one: figures and words in it may change each time.
fn change(before: Option<&PeerError>, now: Option<&PeerError>) -> Option<Change> {
    match (before.map(discriminant), now.map(discriminant)) {
        (before, Some(now)) if before != Some(now) => Some(Change::Worse),
        (Some(_), None) => Some(Change::Better),
        (Some(_) | None, Some(_)) | (None, None) => None,
    }
}

fn log(peer: &Peer, problem: Option<&PeerError>) {
    let host = peer.host.as_str();
    let detail = problem.map(|error| error as &dyn Error);
    match change(peer.problem.as_deref(), problem) {
        Some(Change::Worse) => {
            tracing::warn!(
                host,
                error = detail,
                "Alertmanager does not say what it holds"
            );
        }
        Some(Change::Better) => tracing::info!(host, "Alertmanager answers again"),
        None => {}
    }
}

#[cfg(test)]
mod tests;
