//! The world on disk: `sim/world.json`, read and written under a lock by every process.
//!
//! [`Store::with_world`] is the only way to it: it takes the lock, finds out whether the hardserver
//! still lives, follows `sim/net/`, lets time pass, and afterwards saves, logs the events and runs
//! the network hooks that they call for.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    clock::{self, At},
    process,
    root::Root,
    world::{Device, Down, Event, Module, Run, World},
};

/// The world's place on disk.
#[derive(Debug, Clone)]
pub struct Store {
    root: Root,
}

/// Why the world could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be used.
    #[error("using {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state is not what this version writes.
    #[error("reading the state in {path}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// An event as it stands in `sim/events.jsonl`.
#[derive(Debug, Serialize)]
struct EventLine<'e> {
    unix_ms: u64,
    boot_ms: u64,
    module: Option<u32>,
    vcm: Option<&'e str>,
    esn: Option<&'e str>,
    #[serde(flatten)]
    kind: &'e super::world::EventKind,
}

impl Store {
    /// The world of `root`.
    #[must_use]
    pub fn of(root: &Root) -> Self {
        Self { root: root.clone() }
    }

    /// The root that it belongs to.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Writes the first state.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(&self, world: &World) -> Result<(), StoreError> {
        self.save(world)
    }

    /// Brings the world to the present, lets `work` see and change it, and saves it; what happened
    /// to a VCM that is enrolled on other roots happens there as well.
    ///
    /// # Errors
    /// If the state cannot be locked, read or written.
    pub fn with_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> Result<T, StoreError> {
        let (result, shared) = self.with_own_world(|world| {
            let before = world.modules.clone();
            let result = work(world);
            (result, shared_changes(world, &before))
        })?;
        // Only now, when this world's lock is free: the other side may be doing the same.
        for (directory, esn, device) in shared {
            let other = Root::at(&directory);
            if other.world().exists() {
                Self::of(&other).with_own_world(|world| world.adopt_device(&esn, &device))?;
            }
        }
        Ok(result)
    }

    fn with_own_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> Result<T, StoreError> {
        let path = self.root.world_lock();
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(file_error(&path))?;
        let before = self.load()?;
        let mut world = before.clone();
        self.bring_to_present(&mut world);
        let result = work(&mut world);
        let present = world.now;
        world.advance(present);
        let events = world.take_events();
        if !world.differs_only_in_time(&before) {
            self.save(&world)?;
        }
        self.log(&events)?;
        drop(lock);
        run_network_hooks(&before, &world);
        Ok(result)
    }

    fn bring_to_present(&self, world: &mut World) {
        let now = clock::now();
        world.advance(now);
        if let Run::Up(instance) = &world.hardserver.run
            && !process::is_alive(instance.pid, instance.process_start)
        {
            world.hardserver_ended(Down::Died);
        }
        let followed: Vec<_> = world
            .modules
            .iter()
            .filter_map(|module| Some((module.vcm.clone(), self.followed(&module.vcm)?)))
            .collect();
        for (vcm, down) in followed {
            world.follow_network(&vcm, down);
        }
    }

    /// What `sim/net/<vcm>` says, if there is such a file.
    fn followed(&self, vcm: &str) -> Option<bool> {
        let text = fs::read_to_string(self.root.followed_networks().join(vcm)).ok()?;
        Some(text.trim() == "down")
    }

    fn load(&self) -> Result<World, StoreError> {
        let path = self.root.world();
        let text = fs::read(&path).map_err(file_error(&path))?;
        serde_json::from_slice(&text).map_err(|source| StoreError::State { path, source })
    }

    fn save(&self, world: &World) -> Result<(), StoreError> {
        let path = self.root.world();
        let text = serde_json::to_vec(world).map_err(|source| StoreError::State {
            path: path.clone(),
            source,
        })?;
        let beside = path.with_extension("json.new");
        fs::write(&beside, text).map_err(file_error(&beside))?;
        fs::rename(&beside, &path).map_err(file_error(&path))
    }

    fn log(&self, events: &[Event]) -> Result<(), StoreError> {
        let path = self.root.events();
        for event in events {
            let line = EventLine {
                unix_ms: clock::unix_ms_at(event.at),
                boot_ms: event.at.0,
                module: event.module,
                vcm: event.vcm.as_deref(),
                esn: event.esn.as_deref(),
                kind: &event.kind,
            };
            append(&path, &line).map_err(file_error(&path))?;
        }
        Ok(())
    }
}

/// Appends one line of JSON by a single write.
///
/// # Errors
/// If the file cannot be written.
pub fn append(path: &Path, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(&text)
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    |source| StoreError::File { path, source }
}

/// The devices that were changed and are enrolled on other roots: where, which, and how.
fn shared_changes(world: &World, before: &[Module]) -> Vec<(PathBuf, String, Device)> {
    let is_same = |old: &Module, new: &Module| old.esn == new.esn && old.device == new.device;
    let shared = world
        .modules
        .iter()
        .filter(|module| !module.also_on.is_empty());
    shared
        .filter(|module| !before.iter().any(|old| is_same(old, module)))
        .flat_map(|module| {
            let one = |root: &PathBuf| (root.clone(), module.esn.clone(), module.device.clone());
            module.also_on.iter().map(one)
        })
        .collect()
}

/// Makes real ping follow where the model's answer to ping changed.
fn run_network_hooks(before: &World, after: &World) {
    for module in &after.modules {
        let Some(old) = before.modules.iter().find(|old| old.vcm == module.vcm) else {
            continue;
        };
        let followed = module.network.followed_down_at.is_some();
        let up = module.answers_ping(after.now);
        let was_up = old.answers_ping(before.now);
        if up != was_up && !followed && !module.network_hook.is_empty() {
            process::run_hook(&module.network_hook, if up { "up" } else { "down" });
        }
    }
}

/// When somebody should look at the world again if nobody else touches it.
#[must_use]
pub fn next_look(world: &World, now: At) -> At {
    let pings = world
        .modules
        .iter()
        .filter_map(|module| module.device.boot.map(|b| b.ping_at));
    let moments = world
        .next_moment()
        .into_iter()
        .chain(pings.filter(|at| *at > now));
    moments.min().unwrap_or(At(u64::MAX))
}
