//! The paths of an nfast root, real ones and the simulator's own.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A directory laid out like `/opt/nfast`, with the simulator's state in `sim/`.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// The root `directory`.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The root that the running executable is installed in: its own path decides, so that a
    /// cleared environment does no harm.
    ///
    /// # Errors
    /// If the executable's path is not known, or is not inside a root.
    pub fn of_this_executable() -> io::Result<Self> {
        let exe = std::env::current_exe()?;
        let root = exe.parent().and_then(Path::parent).map(Self::at);
        root.filter(|root| root.world().exists()).ok_or_else(|| {
            let text = format!("{} is not installed in a simulated root", exe.display());
            io::Error::new(io::ErrorKind::NotFound, text)
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file below it.
    #[must_use]
    pub fn join(&self, relative: &str) -> PathBuf {
        self.0.join(relative)
    }

    /// The hardserver's ordinary socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.join("sockets/nserver")
    }

    /// The hardserver's privileged socket.
    #[must_use]
    pub fn privileged_socket(&self) -> PathBuf {
        self.join("sockets/priv/privnserver")
    }

    /// The hardserver's pid file.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.join("log/hardserver.pid")
    }

    /// The hardserver's log.
    #[must_use]
    pub fn hardserver_log(&self) -> PathBuf {
        self.join("log/hardserver.log")
    }

    /// The hardserver's configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.join("kmdata/config/config")
    }

    /// The state of the world.
    #[must_use]
    pub fn world(&self) -> PathBuf {
        self.join("sim/world.json")
    }

    /// The lock under which that is read and written.
    #[must_use]
    pub fn world_lock(&self) -> PathBuf {
        self.join("sim/world.lock")
    }

    /// The log of calls.
    #[must_use]
    pub fn calls(&self) -> PathBuf {
        self.join("sim/calls.jsonl")
    }

    /// The log of what happened in the world.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.join("sim/events.jsonl")
    }

    /// The directory whose files `<vcm>` say `up` or `down`.
    #[must_use]
    pub fn followed_networks(&self) -> PathBuf {
        self.join("sim/net")
    }

    /// The simulator's executable inside the root.
    #[must_use]
    pub fn executable(&self) -> PathBuf {
        self.join("sim/nfast-sim")
    }
}
