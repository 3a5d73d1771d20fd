//! What the lab promises about itself: everything that it starts ends with it.

use std::path::{Path, PathBuf};

use vcm_lab::{
    arguments,
    lab::{
        Workspace,
        network::{Network, Shape},
    },
};

use crate::must;

fn alive(id: u32) -> bool {
    // A process that has ended and that nobody waits for is no longer alive.
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .is_some_and(|rest| rest.starts_with(" Z"))
    })
}

/// The ids of all processes that mention `path` in their arguments.
fn mentioning(path: &Path) -> Vec<u32> {
    let needle = path.as_os_str().as_encoded_bytes();
    let processes = std::fs::read_dir("/proc")
        .expect("/proc is there")
        .flatten();
    let named = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    named
        .filter(|id| {
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            arguments
                .windows(needle.len())
                .any(|window| window == needle)
        })
        .collect()
}

#[test]
fn ends_processes_and_their_strays_and_removes_its_files() {
    let mut workspace = must(Workspace::create("ends"));
    let path = workspace.path().to_owned();
    let shell = PathBuf::from("/bin/sh");
    // A child, and a daemon in a session of its own that carries the workspace in its arguments.
    let script = format!(
        "setsid sh -c 'sleep 600; : {}' & exec sleep 600",
        path.display()
    );
    let process = must(workspace.start("shell", &shell, &arguments!["-c", script]));
    let id = process.id();
    while mentioning(&path).len() < 2 {
        assert!(alive(id), "the shell ended by itself");
        std::thread::yield_now();
    }
    // As when the lab is killed: nothing of it is dropped but the pipe to its guard.
    std::mem::forget(process);
    drop(workspace);
    assert!(!alive(id), "the process still runs");
    assert_eq!(mentioning(&path), Vec::<u32>::new(), "a stray still runs");
    assert!(!path.exists(), "its files are still there");
}

#[tokio::test]
async fn removes_its_namespaces() {
    let mut workspace = must(Workspace::create("names"));
    let name = format!("vcmlab-{}-hsm", workspace.id());
    let network = must(Network::create(&mut workspace, Shape::Routed).await);
    let place = Path::new("/run/netns").join(name);
    assert!(place.exists());
    drop(network);
    drop(workspace);
    assert!(!place.exists(), "the namespace is still there");
}
