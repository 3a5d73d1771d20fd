//! The hardserver: a process that listens on the two sockets and answers the simulated tools.
//!
//! It holds nothing that is not in the world: killing it loses exactly what a real one would lose.
//! A thread of it looks at the world again whenever somebody changed it or something is due, so
//! that events and network hooks come in time.

use std::{
    fs, io,
    io::{BufRead, BufReader, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use super::{
    clock::{self, At},
    process,
    protocol::{Frame, Request},
    root::Root,
    store::{Store, StoreError, next_look},
    world::World,
};

mod answer;

/// How often the world is looked at for changes that others made.
const TICK: Duration = Duration::from_millis(50);

/// How long the world is left alone at most: bounds what an unnoticed change could delay.
const LONGEST_LOOK_AWAY: Duration = Duration::from_secs(1);

/// Why a hardserver could not serve.
#[derive(Debug, thiserror::Error)]
pub enum HardserverError {
    /// The world could not be used.
    #[error("using the world")]
    Store(#[from] StoreError),
    /// A socket, the pid file or the log could not be used.
    #[error("setting up {what}")]
    SetUp {
        /// Which.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A knob wants this start to fail.
    #[error("this start fails, as `hardserver.failing_starts` wants")]
    Refused,
}

/// What all threads of a hardserver share.
pub(super) struct Shared {
    pub(super) store: Store,
    generation: Mutex<u64>,
    changed: Condvar,
}

impl Shared {
    /// Waits until the world may have changed, at most until `until`.
    pub(super) fn wait_for_change(&self, until: At) {
        let limit = until.since(clock::now()).min(TICK * 4);
        let guard = self
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout(guard, limit));
    }

    fn notify(&self) {
        *self
            .generation
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }
}

/// Serves as the hardserver of `root` until the process is ended by a signal. Prints one line on
/// standard output as soon as it serves, and then lets go of it.
///
/// # Errors
/// If it cannot begin to serve.
pub fn serve(root: &Root) -> Result<(), HardserverError> {
    let store = Store::of(root);
    // Fails only for the leader of a group, which then needs no session of its own.
    let _ = rustix::process::setsid();
    let start_up = begin(&store)?;
    clock::pass(start_up);
    let ordinary = listen(&root.socket())?;
    let privileged = listen(&root.privileged_socket())?;
    let pid = std::process::id();
    fs::write(root.pid_file(), format!("{pid}\n")).map_err(set_up("the pid file"))?;
    let started = process::start_of(pid).unwrap_or(0);
    let refuses = store.with_world(|world| {
        world.hardserver_started(pid, started);
        world.knobs.hardserver.refuses_permission
    })?;
    set_permission(root, refuses).map_err(set_up("the sockets' permission"))?;
    announce().map_err(set_up("standard output"))?;
    let shared = Arc::new(Shared {
        store,
        generation: Mutex::new(0),
        changed: Condvar::new(),
    });
    let watcher = Arc::clone(&shared);
    thread::spawn(move || watch(&watcher));
    let other = Arc::clone(&shared);
    thread::spawn(move || accept(&other, &privileged, true));
    accept(&shared, &ordinary, false);
    Ok(())
}

/// Sets the permission of the socket directory: none at all, or everybody's.
///
/// # Errors
/// If that cannot be set.
pub fn set_permission(root: &Root, refuses: bool) -> io::Result<()> {
    let mode = if refuses { 0o700 } else { 0o755 };
    fs::set_permissions(root.join("sockets"), fs::Permissions::from_mode(mode))
}

fn begin(store: &Store) -> Result<Duration, HardserverError> {
    let (refused, start_up) = store.with_world(|world| {
        let refused = world.knobs.hardserver.failing_starts > 0;
        if refused {
            world.knobs.hardserver.failing_starts -= 1;
            world.hardserver_start_failed();
        }
        (
            refused,
            world.knobs.scaled(world.knobs.timing.hardserver_start),
        )
    })?;
    if refused {
        Err(HardserverError::Refused)
    } else {
        Ok(start_up)
    }
}

fn listen(path: &Path) -> Result<UnixListener, HardserverError> {
    // A socket file left by a crash is in the way; none is the usual case.
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path).map_err(set_up("a socket"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).map_err(set_up("a socket"))?;
    Ok(listener)
}

fn set_up(what: &'static str) -> impl FnOnce(io::Error) -> HardserverError {
    move |source| HardserverError::SetUp { what, source }
}

/// Tells the starter that the sockets answer, and lets go of its pipe.
fn announce() -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "serving")?;
    out.flush()?;
    let null = fs::OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Looks at the world whenever somebody changed it or something is due.
fn watch(shared: &Shared) {
    let root = shared.store.root();
    let (mut seen, mut look_at) = (None, At(0));
    loop {
        // Taken before the look, so that no change in between is missed; a look that changes
        // nothing leaves no trace of its own.
        let present = Some(Traces::of(root));
        if present != seen || clock::now() >= look_at {
            match shared.store.with_world(|world| next_look(world, world.now)) {
                Ok(at) => look_at = at.min(clock::now() + LONGEST_LOOK_AWAY),
                Err(error) => process::complain(&format!("{error:?}")),
            }
            seen = present;
            shared.notify();
        }
        clock::pass(TICK);
    }
}

/// What shows that somebody changed the world: the state's file, and what `sim/net/` says.
#[derive(PartialEq, Eq)]
struct Traces {
    state: Option<(SystemTime, u64)>,
    networks: Vec<(PathBuf, Vec<u8>)>,
}

impl Traces {
    fn of(root: &Root) -> Self {
        let metadata = fs::metadata(root.world()).ok();
        let state = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.ino())));
        let entries = fs::read_dir(root.followed_networks())
            .into_iter()
            .flatten()
            .flatten();
        let mut networks: Vec<_> = entries
            .filter_map(|entry| Some((entry.path(), fs::read(entry.path()).ok()?)))
            .collect();
        networks.sort();
        Self { state, networks }
    }
}

fn accept(shared: &Arc<Shared>, listener: &UnixListener, privileged: bool) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let shared = Arc::clone(shared);
                thread::spawn(move || converse(&shared, stream, privileged));
            }
            Err(error) => process::complain(&format!("accepting a client: {error}")),
        }
    }
}

fn converse(shared: &Shared, stream: UnixStream, privileged: bool) {
    let mut line = String::new();
    let mut reader = BufReader::new(&stream);
    if reader.read_line(&mut line).is_err() {
        return;
    }
    // Connecting and going away, or saying something else, is what probes do.
    let Ok(request) = serde_json::from_str::<Request>(&line) else {
        return;
    };
    log_client(shared.store.root(), &request);
    stay_hung_if_hung(shared);
    let mut client = Client { stream: &stream };
    if let Err(error) = answer::answer(shared, &request, privileged, &mut client) {
        process::complain(&format!("answering pid {}: {error:?}", request.pid));
    }
}

/// Never returns while the hardserver is to answer nothing.
pub(super) fn stay_hung_if_hung(shared: &Shared) {
    let hung = |world: &mut World| world.hardserver.hung;
    while shared.store.with_world(hung).unwrap_or(false) {
        shared.wait_for_change(At(u64::MAX));
    }
}

fn log_client(root: &Root, request: &Request) {
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(root.hardserver_log());
    let line = format!(
        "nFast Server: Notice: CreateClient (v1) pid: {}, process name: {}\n",
        request.pid, request.process
    );
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        process::complain(&format!("writing the log: {error}"));
    }
}

/// The connection to a tool.
pub(super) struct Client<'s> {
    stream: &'s UnixStream,
}

impl Client<'_> {
    pub(super) fn out(&mut self, text: String) -> io::Result<()> {
        self.send(&Frame::Out(text))
    }

    pub(super) fn end(&mut self, exit_code: u8, error: &str) -> io::Result<()> {
        self.send(&Frame::End {
            error: error.to_owned(),
            exit_code,
        })
    }

    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let mut line = serde_json::to_vec(frame)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }
}
