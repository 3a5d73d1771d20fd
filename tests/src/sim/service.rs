//! Starting and stopping the hardserver, as `init.d-ncipher`, `net` and `ctl` do.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader},
};

use super::{
    process,
    root::Root,
    store::{Store, StoreError},
    world::{Down, Instance, Run},
};

/// Why the hardserver could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The world could not be used.
    #[error("using the world")]
    Store(#[from] StoreError),
    /// Its process could not be started, signalled or waited for.
    #[error("{doing} the hardserver")]
    Process {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It was started and ended before it served.
    #[error("the hardserver ended before it served")]
    EndedAtOnce,
}

/// The hardserver's service on one host.
#[derive(Debug)]
pub struct Service {
    root: Root,
    store: Store,
}

/// What the service manager says of the hardserver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// It runs.
    Active,
    /// It was stopped on purpose, or never started.
    InactiveClean,
    /// It died, or a start failed.
    Failed,
}

impl Service {
    /// The service of `root`.
    #[must_use]
    pub fn of(root: &Root) -> Self {
        Self {
            root: root.clone(),
            store: Store::of(root),
        }
    }

    /// Starts the hardserver and waits until it serves; nothing is done if it already does.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(&self) -> Result<(), ServiceError> {
        let _alone = self.alone()?;
        if self.instance()?.is_some() {
            return Ok(());
        }
        let root = self.root.path().to_string_lossy().into_owned();
        let arguments = ["hardserver", "--root", &root];
        let starting = |source| ServiceError::Process {
            doing: "starting",
            source,
        };
        let log = self.root.hardserver_log();
        let mut child =
            process::start_daemon(&self.root.executable(), &arguments, &log).map_err(starting)?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(starting)?;
        }
        if line.is_empty() {
            child.wait().map_err(starting)?;
            return Err(ServiceError::EndedAtOnce);
        }
        Ok(())
    }

    /// Stops the hardserver on purpose and waits until it is gone.
    ///
    /// # Errors
    /// If it does not go.
    pub fn stop(&self) -> Result<(), ServiceError> {
        let _alone = self.alone()?;
        let Some(instance) = self.instance()? else {
            // Stopping what died is how an operator says that it is to stay down.
            self.store
                .with_world(|world| world.hardserver.run = Run::Down(Down::Stopped))?;
            return Ok(());
        };
        let leaves_socket = self.store.with_world(|world| {
            world.hardserver_ended(Down::Stopped);
            world.knobs.hardserver.stop_leaves_socket
        })?;
        process::terminate_and_wait(instance.pid, instance.process_start).map_err(|source| {
            ServiceError::Process {
                doing: "stopping",
                source,
            }
        })?;
        // What is not there need not be removed.
        let _ = fs::remove_file(self.root.pid_file());
        if !leaves_socket {
            self.remove_sockets();
        }
        Ok(())
    }

    /// Lets the hardserver die.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill(&self) -> Result<(), ServiceError> {
        let Some(instance) = self.instance()? else {
            return Ok(());
        };
        process::kill_and_wait(instance.pid, instance.process_start).map_err(|source| {
            ServiceError::Process {
                doing: "killing",
                source,
            }
        })?;
        let removes = self
            .store
            .with_world(|world| world.knobs.hardserver.crash_removes_socket)?;
        if removes {
            self.remove_sockets();
        }
        Ok(())
    }

    /// What the service manager says.
    ///
    /// # Errors
    /// If the world cannot be used.
    pub fn state(&self) -> Result<UnitState, StoreError> {
        self.store.with_world(|world| match world.hardserver.run {
            Run::Up(_) => UnitState::Active,
            Run::Down(Down::Stopped) => UnitState::InactiveClean,
            Run::Down(Down::Died | Down::StartFailed) => UnitState::Failed,
        })
    }

    fn instance(&self) -> Result<Option<Instance>, StoreError> {
        self.store.with_world(|world| match &world.hardserver.run {
            Run::Up(instance) => Some(instance.clone()),
            Run::Down(_) => None,
        })
    }

    fn remove_sockets(&self) {
        // What is not there need not be removed.
        let _ = fs::remove_file(self.root.socket());
        let _ = fs::remove_file(self.root.privileged_socket());
    }

    /// Two starts or stops at once wait for each other, as a service manager makes them.
    fn alone(&self) -> Result<fs::File, ServiceError> {
        let path = self.root.join("sim/service.lock");
        let lock = OpenOptions::new().create(true).append(true).open(path);
        lock.and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|source| ServiceError::Process {
                doing: "locking",
                source,
            })
    }
}
