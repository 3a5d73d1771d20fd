//! The one writer: a thread with a bounded queue, one transaction per drain of it.
//!
//! Each operation stands in its own savepoint, so that one that fails takes nothing from its
//! siblings. When the database throws the whole transaction away (disk full, I/O error), each
//! operation is tried once more alone. Nobody is answered before the commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::transaction::{Head, Operation};
use super::{StoreError, StoreIdentity};
use crate::clock::Clock;

/// Operations that may wait for the disk. At a commit per 10 ms this is seconds of work at most;
/// what does not fit is answered [`StoreError::Busy`] at once.
const QUEUE_MAX: usize = 1024;

/// Operations in one transaction at most: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 256;

/// The database as the writer holds it.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) identity: StoreIdentity,
    pub(super) clock: Arc<dyn Clock>,
}

/// The writer's handle. Dropping it lets the writer finish its queue and waits for its end.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    /// Resolves when the thread has ended, however.
    ended: Option<oneshot::Receiver<()>>,
}

impl Writer {
    /// Starts the thread. `guard` is kept until the database is closed.
    pub(super) fn start<G: Send + 'static>(database: Database, guard: G) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let (lives, ended) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let _lives: oneshot::Sender<()> = lives;
                let _guard = guard;
                run(database, &jobs);
            })?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            ended: Some(ended),
        })
    }

    /// Comes back when the thread has ended. Asked for once; a second call never comes back.
    pub(super) fn ended(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let ended = self.ended.take();
        async move {
            match ended {
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        }
    }

    /// Queues `work` and waits until it is committed.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Operation<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request {
            work,
            result: None,
            reply,
        });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

/// An operation in the queue, whatever its answer is.
trait Job: Send {
    /// Runs it, again if need be; whether it succeeded.
    fn run(&mut self, operation: &mut Operation<'_>) -> bool;

    /// Answers with the result of the last run, or that it was not committed.
    fn answer(self: Box<Self>, committed: bool);
}

struct Request<F, T> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Request<F, T>
where
    T: Send,
    F: FnMut(&mut Operation<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, operation: &mut Operation<'_>) -> bool {
        let result = (self.work)(operation);
        let succeeded = result.is_ok();
        self.result = Some(result);
        succeeded
    }

    fn answer(self: Box<Self>, committed: bool) {
        let result = match self.result {
            Some(Ok(_)) if !committed => Err(StoreError::NotCommitted),
            Some(result) => result,
            None => Err(StoreError::NotCommitted),
        };
        // The caller may have gone; what it asked for was done all the same.
        let _gone = self.reply.send(result);
    }
}

fn run(mut database: Database, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(BATCH_MAX - 1));
        database.commit_together(batch);
    }
}

impl Database {
    /// One transaction for all; if it is lost as a whole, one for each.
    fn commit_together(&mut self, mut batch: Vec<Box<dyn Job>>) {
        if self.transact(&mut batch) {
            return batch.into_iter().for_each(|job| job.answer(true));
        }
        if batch.len() == 1 {
            return batch.into_iter().for_each(|job| job.answer(false));
        }
        for job in batch {
            let mut alone = [job];
            let committed = self.transact(&mut alone);
            alone.into_iter().for_each(|job| job.answer(committed));
        }
    }

    /// Runs the jobs in one transaction, each in its savepoint; whether it was committed.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> bool {
        match self.try_transact(jobs) {
            Ok(()) => true,
            Err(error) => {
                let detail: &dyn std::error::Error = &error;
                tracing::error!(
                    error = detail,
                    jobs = jobs.len(),
                    "store transaction failed"
                );
                false
            }
        }
    }

    fn try_transact(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let mut transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut head = Head::read(&transaction, self.identity)?;
        let now = self.clock.now();
        for job in jobs {
            let savepoint = transaction.savepoint()?;
            let mut ahead = head;
            let succeeded = job.run(&mut Operation {
                connection: &savepoint,
                identity: self.identity,
                head: &mut ahead,
                now,
            });
            if succeeded {
                savepoint.commit()?;
                head = ahead;
            } else {
                savepoint.finish()?;
            }
        }
        transaction.commit()
    }
}
