//! Network namespaces that tests enter and nothing survives of.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A network namespace with a loopback interface. Deleted when dropped.
pub(crate) struct Namespace(String);

impl Namespace {
    /// Makes one; `None`, with a word about it, where this process may not.
    pub(crate) fn create() -> Option<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("vcmicmp-{}-{number}", std::process::id());
        if !rustix::process::geteuid().is_root() || !ip(&["netns", "add", &name]) {
            eprintln!("left out: network namespaces need root and iproute2");
            return None;
        }
        let namespace = Self(name);
        namespace.ip(&["link", "set", "lo", "up"]);
        Some(namespace)
    }

    /// Makes one and moves this thread and those that it starts there.
    pub(crate) fn enter_new() -> Option<Self> {
        let namespace = Self::create()?;
        let file = File::open(format!("/run/netns/{}", namespace.0)).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Some(namespace)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` inside; it must succeed.
    pub(crate) fn ip(&self, words: &[&str]) {
        let all = [&["-n", &self.0], words].concat();
        assert!(ip(&all), "ip {words:?}");
    }

    /// Sets a kernel parameter inside.
    pub(crate) fn set(&self, assignment: &str) {
        let words = ["netns", "exec", &self.0, "sysctl", "-qw", assignment];
        assert!(ip(&words), "{assignment}");
    }

    /// Lets everybody open datagram sockets for echoes.
    pub(crate) fn allow_datagram(&self) {
        self.set("net.ipv4.ping_group_range=0 2147483647");
    }

    /// Makes 192.0.2.0/24 a network that swallows everything.
    pub(crate) fn add_silence(&self) {
        self.add_link("silence", "silence-end");
        // Packets carry the sender's own address, which the other end does not take, instead of
        // one that the system asks for and then tells that nobody has it.
        self.ip(&["link", "set", "silence", "arp", "off"]);
        self.ip(&["addr", "add", "192.0.2.1/24", "dev", "silence"]);
        self.ip(&["link", "set", "silence", "up"]);
        self.ip(&["link", "set", "silence-end", "up"]);
    }

    /// Adds two interfaces that are connected to each other.
    pub(crate) fn add_link(&self, name: &str, peer: &str) {
        self.ip(&["link", "add", name, "type", "veth", "peer", "name", peer]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "iproute2 prepares the network; the runner is for the vendor's tools"
)]
pub(crate) fn ip(words: &[&str]) -> bool {
    let mut command = Command::new("ip");
    let status = command.args(words).stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
