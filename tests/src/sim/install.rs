//! `nfast-sim install`: lays out an nfast root with every tool, the configuration file and a world.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    clock,
    estate::Estate,
    root::Root,
    store::{Store, StoreError},
    tool::INSTALLED,
    world::World,
};

/// Why a root could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is a simulated root already.
    #[error("{0} is a simulated root already: remove it, or choose another directory")]
    Exists(PathBuf),
    /// A file could not be written.
    #[error("writing {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The world could not be written.
    #[error("writing the world")]
    Store(#[from] StoreError),
}

const DIRECTORIES: [&str; 8] = [
    "bin",
    "sbin",
    "sockets/priv",
    "kmdata/config",
    "kmdata/local",
    "log",
    "sim/net",
    "sim",
];

/// Installs a root in `directory` for `estate`.
///
/// # Errors
/// If there is one already, or a file cannot be written.
pub fn install(directory: &Path, estate: Estate) -> Result<Root, InstallError> {
    fs::create_dir_all(directory).map_err(write_error(directory))?;
    let directory = directory.canonicalize().map_err(write_error(directory))?;
    let root = Root::at(&directory);
    if root.world().exists() {
        return Err(InstallError::Exists(directory));
    }
    for name in DIRECTORIES {
        let path = root.join(name);
        fs::create_dir_all(&path).map_err(write_error(&path))?;
    }
    install_tools(&root)?;
    let world = World::new(estate, clock::now());
    let config = root.config();
    fs::write(&config, config_text(&world)).map_err(write_error(&config))?;
    Store::of(&root).create(&world)?;
    Ok(root)
}

/// A copy for the root, and links to the copy: a build that replaces the original changes nothing.
fn install_tools(root: &Root) -> Result<(), InstallError> {
    let copy = root.executable();
    let original = std::env::current_exe().map_err(write_error(&copy))?;
    fs::copy(original, &copy).map_err(write_error(&copy))?;
    for (_, place) in INSTALLED {
        let path = root.join(place);
        fs::hard_link(&copy, &path).map_err(write_error(&path))?;
    }
    Ok(())
}

/// The hardserver's configuration file (fact sheet 4.4 to 4.6).
fn config_text(world: &World) -> String {
    let mut text = String::from(
        "syntax-version=1\n\n[server_settings]\n# connect_retry=10\n# connect_broken=90\n\n\
         [nethsm_imports]\n",
    );
    for (index, module) in world.modules.iter().enumerate() {
        if index > 0 {
            text.push_str("-----\n");
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "local_module={}\nremote_ip={}\nremote_port=9004\nremote_esn={}\n\
             keyhash=89abcdef0123456789abcdef0123456789abcdef\nprivileged=1",
            module.number, module.address, module.esn
        );
    }
    text
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    |source| InstallError::Write { path, source }
}
