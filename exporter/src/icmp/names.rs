//! Names of targets and the addresses they have.
//!
//! A name is looked up at the start and again and again; the last good answer is kept while lookups
//! fail. Lookups run on threads of their own: a name server that hangs delays no echo.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wheel::{Slot, Wheel};

/// How long one lookup may take: the system's resolver gives a name server 5 s and asks twice.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);

/// The longest time to the next lookup after one that failed.
const RETRY: Duration = Duration::from_secs(10);

/// An answer to a lookup, to come.
pub type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Looks up names.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(&str) -> Answer + Send + Sync>);

impl Lookup {
    /// Looks up names with a function.
    pub fn with(lookup: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// Looks up a name.
    ///
    /// # Errors
    ///
    /// If it has no address, or that cannot be found out in time.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = timeout(LOOKUP_TIMEOUT, (self.0)(host))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            ));
        }
        Ok(addresses)
    }
}

impl Default for Lookup {
    /// Asks the system's resolver.
    fn default() -> Self {
        Self::with(|host| {
            let host = host.to_owned();
            Box::pin(async move {
                let found = tokio::net::lookup_host((host, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        })
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

/// What is known about a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// The first lookup has not ended.
    NotYet,
    /// No lookup ever succeeded.
    Nothing,
    /// The newest good answer.
    Addresses(&'a [IpAddr]),
}

#[derive(Debug, Default)]
struct Name {
    addresses: Vec<IpAddr>,
    /// Whether the newest lookup failed; `None` before the end of the first.
    failing: Option<bool>,
    running: bool,
    /// When it is looked up next: an entry of the wheel for another time is from before the name
    /// was taken away and given back.
    due: Slot,
}

/// The end of a lookup.
pub(super) type Ended = (String, io::Result<Vec<IpAddr>>);

/// All names of targets.
#[derive(Debug)]
pub(super) struct Names {
    lookup: Lookup,
    names: BTreeMap<String, Name>,
    due: Wheel<String>,
    running: JoinSet<Ended>,
}

impl Names {
    pub(super) fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            names: BTreeMap::new(),
            due: Wheel::default(),
            running: JoinSet::new(),
        }
    }

    /// Follows exactly these names from now on.
    pub(super) fn follow(&mut self, hosts: &BTreeSet<&str>, now: Duration) {
        self.names.retain(|host, _| hosts.contains(host.as_str()));
        for host in hosts {
            if !self.names.contains_key(*host) {
                let due = Slot::current(now);
                let name = Name {
                    due,
                    ..Name::default()
                };
                self.names.insert((*host).to_owned(), name);
                self.due.add(due.begins(), (*host).to_owned());
            }
        }
    }

    pub(super) fn known(&self, host: &str) -> Known<'_> {
        match self.names.get(host) {
            Some(name) if !name.addresses.is_empty() => Known::Addresses(&name.addresses),
            Some(Name { failing: None, .. }) => Known::NotYet,
            Some(_) | None => Known::Nothing,
        }
    }

    /// Starts the lookups that are due. One that still runs is not started a second time.
    pub(super) fn start_due(&mut self, now: Slot) {
        while let Some((slot, hosts)) = self.due.take(now) {
            for host in hosts {
                let Some(name) = self.names.get_mut(&host).filter(|name| name.due == slot) else {
                    continue;
                };
                if std::mem::replace(&mut name.running, true) {
                    continue;
                }
                let lookup = self.lookup.clone();
                self.running.spawn(async move {
                    let answer = lookup.addresses(&host).await;
                    (host, answer)
                });
            }
        }
    }

    /// Returns when a lookup is due next.
    pub(super) fn next(&self) -> Option<Slot> {
        self.due.next()
    }

    /// Waits for the end of a lookup; `None` where none runs.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        loop {
            // A lookup that panicked is one that never ends: the name keeps what it has.
            if let Ok(ended) = self.running.join_next().await? {
                return Some(ended);
            }
        }
    }

    /// Takes in the end of a lookup; the next one is due after `again`.
    pub(super) fn take_in(&mut self, (host, answer): Ended, now: Duration, again: Duration) {
        let Some(name) = self.names.get_mut(&host) else {
            return;
        };
        name.running = false;
        let failing = answer.is_err();
        let turned = name.failing != Some(failing);
        name.failing = Some(failing);
        let next = match answer {
            Ok(addresses) => {
                if turned {
                    tracing::info!(host, ?addresses, "name of a target resolved");
                }
                name.addresses = addresses;
                again
            }
            Err(error) => {
                if turned {
                    let kept = !name.addresses.is_empty();
                    tracing::warn!(host, %error, last_address_kept = kept, "cannot resolve the name of a target");
                }
                again.min(RETRY)
            }
        };
        name.due = Slot::from(now + next);
        self.due.add(now + next, host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "vcm.example";
    const AGAIN: Duration = Duration::from_secs(60);

    fn names() -> Names {
        let mut names = Names::new(Lookup::default());
        names.follow(&BTreeSet::from([HOST]), Duration::ZERO);
        names
    }

    fn failure() -> io::Result<Vec<IpAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn the_last_good_answer_is_kept_while_lookups_fail() {
        let mut names = names();
        assert_eq!(names.known(HOST), Known::NotYet);
        names.take_in((HOST.to_owned(), failure()), Duration::ZERO, AGAIN);
        assert_eq!(names.known(HOST), Known::Nothing);
        let good: Vec<IpAddr> = vec!["192.0.2.11".parse().unwrap()];
        names.take_in((HOST.to_owned(), Ok(good.clone())), Duration::ZERO, AGAIN);
        names.take_in((HOST.to_owned(), failure()), Duration::ZERO, AGAIN);
        assert_eq!(names.known(HOST), Known::Addresses(&good));
    }

    #[test]
    fn a_failed_lookup_is_repeated_sooner() {
        for (answer, after) in [(failure(), RETRY), (Ok(vec![[192, 0, 2, 1].into()]), AGAIN)] {
            let mut names = Names::new(Lookup::default());
            names.names.insert(HOST.to_owned(), Name::default());
            names.take_in((HOST.to_owned(), answer), Duration::ZERO, AGAIN);
            assert_eq!(names.next().map(Slot::begins), Some(after));
        }
    }

    #[test]
    fn a_name_that_no_target_has_any_more_is_forgotten() {
        let mut names = names();
        names.follow(&BTreeSet::new(), Duration::ZERO);
        names.take_in((HOST.to_owned(), Ok(vec![])), Duration::ZERO, AGAIN);
        assert_eq!(names.known(HOST), Known::Nothing);
        assert!(names.names.is_empty());
    }

    #[tokio::test]
    async fn a_name_that_comes_back_is_looked_up_as_often_as_before() {
        let mut names = Names::new(Lookup::with(|_| {
            Box::pin(async { Err(io::ErrorKind::NotFound.into()) })
        }));
        let second = Duration::from_secs(1);
        let hosts = BTreeSet::from([HOST]);
        let mut lookups = Vec::new();
        for now in 0..40 {
            if [0, 3, 6].contains(&now) {
                names.follow(&BTreeSet::new(), second * now);
                names.follow(&hosts, second * now);
            }
            names.start_due(Slot::current(second * now));
            while let Some(ended) = names.ended().await {
                lookups.push(now);
                names.take_in(ended, second * now, AGAIN);
            }
        }
        assert_eq!(lookups, [0, 3, 6, 16, 26, 36]);
    }

    #[tokio::test]
    async fn a_name_without_any_address_is_a_failure() {
        let lookup = Lookup::with(|_| Box::pin(async { Ok(Vec::new()) }));
        let error = lookup.addresses(HOST).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_hangs_ends_and_is_never_doubled() {
        let hang = Lookup::with(|_| Box::pin(std::future::pending()));
        let mut names = Names::new(hang);
        names.follow(&BTreeSet::from([HOST]), Duration::ZERO);
        names.start_due(Slot::current(Duration::ZERO));
        names.due.add(Duration::ZERO, HOST.to_owned());
        names.start_due(Slot::current(Duration::ZERO));
        assert_eq!(names.running.len(), 1);
        let (host, answer) = names.ended().await.unwrap();
        assert_eq!(
            (host.as_str(), answer.unwrap_err().kind()),
            (HOST, io::ErrorKind::TimedOut)
        );
    }
}
