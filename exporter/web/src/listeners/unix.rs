//! Unix sockets that this program makes itself.
//!
//! A file that an earlier process left behind is replaced; one behind which somebody listens is
//! not, and neither is anything that is no socket. The file belongs to user and group (mode 0660):
//! whoever may not write to it may not connect. Between binding and that mode the umask holds, which
//! on every usual system is no wider for others.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::{BindError, refused};

/// Mode of the socket: user and group may connect.
const MODE: u32 = 0o660;

/// A socket in the file system, removed when dropped unless somebody else replaced it meanwhile.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

/// Binds a Unix socket and sets its mode.
pub(super) fn bind(path: &Path) -> Result<(UnixListener, SocketFile), BindError> {
    let address = || format!("unix:{}", path.display());
    remove_stale(path)?;
    let listener = UnixListener::bind(path).map_err(|error| refused(address(), error))?;
    let file = fs::set_permissions(path, Permissions::from_mode(MODE))
        .and_then(|()| SocketFile::at(path))
        .map_err(|source| BindError::Bind {
            address: address(),
            source,
        })?;
    Ok((listener, file))
}

/// Removes a socket that nobody listens on.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let address = || format!("unix:{}", path.display());
    let cannot = |source| BindError::Bind {
        address: address(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(cannot)
        }
        // A full backlog is a listener too; whatever else there is, it is not ours to remove.
        Ok(_) => Err(BindError::InUse { address: address() }),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(BindError::InUse { address: address() })
        }
        Err(error) => Err(cannot(error)),
    }
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            id: identity(path)?,
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|id| id == self.id) {
            // Nothing is left to do about a failure: the next start replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
