//! The one writer: a thread with a bounded queue, one transaction per drain of it.
//!
//! Each operation stands in its own savepoint, so that one that fails takes nothing from its
//! siblings. When the database throws the whole transaction away (disk full, I/O error), each
//! operation is tried once more alone. Nobody is answered before the commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use vcm_recovery::ids::Epoch;
use vcm_recovery::time::Time;

use super::chain::ChainHead;
use super::ownership::{NotOwner, Ownership};
use super::retention::Retention;
use super::transaction::{Operation, read_head};
use super::{StoreError, StoreIdentity};
use crate::clock::Clock;

/// Operations that may wait for the disk. At a commit per 10 ms this is seconds of work at most;
/// what does not fit is answered [`StoreError::Busy`] at once.
const QUEUE_MAX: usize = 1024;

/// Operations in one transaction at most: bounds how long the first of them waits for the last.
const BATCH_MAX: usize = 256;

/// Without work the writer wakes this often to see whether something is to be forgotten, and writes down
/// at most this often that the program runs.
const WAKES_EVERY: Duration = Duration::from_secs(60);

/// The database as the writer holds it.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    identity: StoreIdentity,
    clock: Arc<dyn Clock>,
    ownership: Arc<Ownership>,
    retention: Retention,
    /// When it was last to be written down that the program runs.
    alive: Option<Time>,
    /// Where the last transaction has left the chain; `None` when nobody knows, as before the
    /// first transaction and after one that failed on its way to the disk.
    left: Option<ChainHead>,
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

    /// Queues `work` and waits until it is committed. Refused when the store is not ours.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Operation<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue(work, Effect::Writes).await
    }

    /// Queues `work`, which only reads, and waits for it. What is open can be read even when it is
    /// not the store any more.
    pub(super) async fn look<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Operation<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.queue(work, Effect::Reads).await
    }

    async fn queue<T, F>(&self, work: F, effect: Effect) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Operation<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request {
            work,
            effect,
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

/// Whether an operation changes the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
}

/// An operation in the queue, whatever its answer is.
trait Job: Send {
    /// Whether it changes the store.
    fn effect(&self) -> Effect;

    /// Runs it, again if need be; whether it succeeded.
    fn run(&mut self, operation: &mut Operation<'_>) -> bool;

    /// Answers with the result of the last run, or that it was not committed.
    fn answer(self: Box<Self>, committed: bool);

    /// Answers that it was not run, and why.
    fn refuse(self: Box<Self>, why: NotOwner);
}

struct Request<F, T> {
    work: F,
    effect: Effect,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Request<F, T>
where
    T: Send,
    F: FnMut(&mut Operation<'_>) -> Result<T, StoreError> + Send,
{
    fn effect(&self) -> Effect {
        self.effect
    }

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

    fn refuse(self: Box<Self>, why: NotOwner) {
        let _gone = self.reply.send(Err(why.into()));
    }
}

fn run(mut database: Database, jobs: &Receiver<Box<dyn Job>>) {
    loop {
        database.stay_alive();
        let more_to_forget = database.forget();
        let patience = if more_to_forget {
            Duration::ZERO
        } else {
            WAKES_EVERY
        };
        match jobs.recv_timeout(patience) {
            Ok(first) => {
                let mut batch = vec![first];
                batch.extend(jobs.try_iter().take(BATCH_MAX - 1));
                database.carry_out(batch);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Why a transaction was not made.
enum Lost {
    /// The store is not ours; its [`Ownership`] says why.
    NotOwner,
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Lost {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Database {
    /// Takes over a checked store.
    pub(super) fn new(
        connection: Connection,
        identity: StoreIdentity,
        clock: Arc<dyn Clock>,
        ownership: Arc<Ownership>,
    ) -> Self {
        Self {
            connection,
            identity,
            clock,
            ownership,
            retention: Retention::new(),
            alive: None,
            left: None,
        }
    }

    /// Forgets a portion if one is due; whether there is another at once.
    fn forget(&mut self) -> bool {
        let now = self.clock.now();
        if !self.retention.due(now) || self.ownership.check().is_err() {
            return false;
        }
        self.retention.forget(&mut self.connection, now);
        self.retention.due(now)
    }

    /// Writes down that the program runs, so that a start knows a quiet time from one without it. Not
    /// before this start has recorded itself, and with it how long there was none.
    fn stay_alive(&mut self) {
        let now = self.clock.now();
        let lately = |at| now.since(at) < WAKES_EVERY;
        if self.alive.is_some_and(lately) || self.ownership.check().is_err() {
            return;
        }
        self.alive = Some(now);
        let written = self.connection.execute(
            "UPDATE meta SET alive = ?1
                 WHERE epoch = (SELECT epoch FROM events ORDER BY seq DESC LIMIT 1)",
            [now.as_millis()],
        );
        if let Err(error) = written {
            let detail: &dyn std::error::Error = &error;
            tracing::warn!(
                error = detail,
                "it could not be stored that the program runs"
            );
        }
    }

    /// Carries out what only reads in any case, and what writes while the store is ours.
    fn carry_out(&mut self, batch: Vec<Box<dyn Job>>) {
        let Err(why) = self.ownership.check() else {
            return self.commit_together(batch);
        };
        let (writing, reading): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|job| job.effect() == Effect::Writes);
        tracing::error!(%why, jobs = writing.len(), "the store is not written to");
        for job in writing {
            job.refuse(why.clone());
        }
        for mut job in reading {
            let read = self.only_read(&mut *job);
            job.answer(read);
        }
    }

    /// One transaction for all; if it is lost as a whole, one for each.
    fn commit_together(&mut self, mut batch: Vec<Box<dyn Job>>) {
        if batch.is_empty() {
            return;
        }
        match self.transact(&mut batch) {
            Ok(()) => batch.into_iter().for_each(|job| job.answer(true)),
            Err(Lost::NotOwner) => self.carry_out(batch),
            Err(Lost::Database(error)) => {
                report(&error, batch.len());
                if batch.len() == 1 {
                    return batch.into_iter().for_each(|job| job.answer(false));
                }
                for job in batch {
                    self.commit_together(vec![job]);
                }
            }
        }
    }

    /// Runs the jobs in one transaction, each in its savepoint.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Lost> {
        let left = self.left.take();
        let mut transaction = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut head = read_head(&transaction, self.identity.store_id)?;
        if let Err(why) = unchanged(&transaction, self.identity, left, head)? {
            self.ownership.lose(why);
            return Err(Lost::NotOwner);
        }
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
        transaction.commit()?;
        self.left = Some(head);
        Ok(())
    }

    /// Runs a job that only reads, on whatever is open.
    fn only_read(&mut self, job: &mut dyn Job) -> bool {
        let Ok(mut head) = read_head(&self.connection, self.identity.store_id) else {
            return false;
        };
        job.run(&mut Operation {
            connection: &self.connection,
            identity: self.identity,
            head: &mut head,
            now: self.clock.now(),
        })
    }
}

/// Whether nobody else has written to the store since this process did.
fn unchanged(
    connection: &Connection,
    ours: StoreIdentity,
    left: Option<ChainHead>,
    head: ChainHead,
) -> rusqlite::Result<Result<(), NotOwner>> {
    let (store_id, epoch): (String, i64) = connection
        .prepare_cached("SELECT store_id, epoch FROM meta")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if store_id != ours.store_id.to_string() || epoch.cast_unsigned() != ours.epoch.0 {
        let epoch = Epoch(epoch.cast_unsigned());
        return Ok(Err(NotOwner::TakenOver { store_id, epoch }));
    }
    let (found, left) = (head.seq, left.unwrap_or(head));
    if head == left {
        Ok(Ok(()))
    } else {
        let left = left.seq;
        Ok(Err(NotOwner::Altered { found, left }))
    }
}

fn report(error: &rusqlite::Error, jobs: usize) {
    let detail: &dyn std::error::Error = error;
    tracing::error!(error = detail, jobs, "store transaction failed");
}
