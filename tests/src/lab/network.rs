//! Real packets: VCM addresses in network namespaces, whose answers to ping can be lost.
//!
//! Needs root and `ip` (iproute2). Two shapes:
//!
//! - [`Shape::Direct`]: host --- HSM. Loss is silence (`icmp_echo_ignore_all` inside).
//! - [`Shape::Routed`]: host --- router --- HSM. Loss is the router's answer "unreachable".
//!
//! Addresses are from 198.18.0.0/15, which is set apart for tests of network devices.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{LabError, binaries::installed, clock, guard::Undo, workspace::Workspace};

/// How long one command of iproute2 may take.
const COMMAND: Duration = Duration::from_secs(10);

/// How the HSM is connected to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// By one link; lost echoes get no answer at all.
    Direct,
    /// Behind a router; lost echoes are answered "unreachable" by the router.
    Routed,
}

/// An HSM's network with one VCM in it. It is deleted with its workspace.
#[derive(Debug)]
pub struct Network {
    shape: Shape,
    ip: PathBuf,
    hsm: String,
    router: String,
    subnet: u8,
    in_second_half: bool,
    turns: Mutex<Vec<Turn>>,
}

/// A moment at which the VCM stopped to answer ping, or began to again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// Whether echoes are lost from here on.
    pub lost: bool,
}

impl Network {
    /// Makes the namespaces and links, and waits until the VCM answers.
    ///
    /// # Errors
    /// If this process is not root, or a command fails.
    pub async fn create(workspace: &mut Workspace, shape: Shape) -> Result<Self, LabError> {
        if !rustix::process::geteuid().is_root() {
            let why = "network namespaces need root: run this scenario as root, or leave it out";
            return Err(LabError::NotPermitted(why.to_owned()));
        }
        let ip = installed("ip", "iproute2")?;
        let id = workspace.id();
        let (subnet, in_second_half) = free_subnet(workspace, &ip).await?;
        let network = Self {
            shape,
            ip,
            hsm: format!("vcmlab-{id}-hsm"),
            router: format!("vcmlab-{id}-rtr"),
            subnet,
            in_second_half,
            turns: Mutex::default(),
        };
        match shape {
            Shape::Direct => network.lay_direct(workspace, &id).await?,
            Shape::Routed => network.lay_routed(workspace, &id).await?,
        }
        Ok(network)
    }

    /// The VCM's address.
    #[must_use]
    pub fn vcm(&self) -> IpAddr {
        IpAddr::V4(match self.shape {
            Shape::Direct => self.address(2),
            Shape::Routed => self.address(130),
        })
    }

    /// Loses every echo to the VCM from now on.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn lose(&self, workspace: &Workspace) -> Result<(), LabError> {
        match self.shape {
            Shape::Direct => self.ignore_echoes(workspace, true).await?,
            Shape::Routed => self.unreachable(workspace, "add").await?,
        }
        self.turned(true);
        Ok(())
    }

    /// Lets the VCM answer again.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn restore(&self, workspace: &Workspace) -> Result<(), LabError> {
        match self.shape {
            Shape::Direct => self.ignore_echoes(workspace, false).await?,
            Shape::Routed => self.unreachable(workspace, "delete").await?,
        }
        self.turned(false);
        Ok(())
    }

    /// When echoes were lost and came back, in order.
    #[must_use]
    pub fn turns(&self) -> Vec<Turn> {
        let turns = self.turns.lock();
        turns.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn turned(&self, lost: bool) {
        let turn = Turn {
            time_ms: clock::now_ms(),
            lost,
        };
        let turns = self.turns.lock();
        turns.unwrap_or_else(PoisonError::into_inner).push(turn);
    }

    async fn ignore_echoes(&self, workspace: &Workspace, ignore: bool) -> Result<(), LabError> {
        let value = format!("net.ipv4.icmp_echo_ignore_all={}", u8::from(ignore));
        self.inside(workspace, &self.hsm, &["sysctl", "-qw", &value])
            .await
    }

    async fn unreachable(&self, workspace: &Workspace, verb: &str) -> Result<(), LabError> {
        let vcm = format!("{}/32", self.vcm());
        self.inside(
            workspace,
            &self.router,
            &["ip", "route", verb, "unreachable", &vcm],
        )
        .await
    }

    async fn lay_direct(&self, workspace: &mut Workspace, id: &str) -> Result<(), LabError> {
        let (near, far) = (format!("vl{id}a"), format!("vl{id}b"));
        self.namespace(workspace, &self.hsm).await?;
        self.link(workspace, &near, &far).await?;
        self.ip(workspace, &["link", "set", &far, "netns", &self.hsm])
            .await?;
        self.ip(
            workspace,
            &["address", "add", &self.prefixed(1, 25), "dev", &near],
        )
        .await?;
        self.ip(workspace, &["link", "set", &near, "up"]).await?;
        self.up_inside(workspace, &self.hsm, &far, &self.prefixed(2, 25))
            .await
    }

    async fn lay_routed(&self, workspace: &mut Workspace, id: &str) -> Result<(), LabError> {
        let (near, far) = (format!("vl{id}a"), format!("vl{id}b"));
        let (inner, last) = (format!("vl{id}c"), format!("vl{id}d"));
        self.namespace(workspace, &self.router).await?;
        self.namespace(workspace, &self.hsm).await?;
        self.link(workspace, &near, &far).await?;
        self.link(workspace, &inner, &last).await?;
        self.ip(workspace, &["link", "set", &far, "netns", &self.router])
            .await?;
        self.ip(workspace, &["link", "set", &inner, "netns", &self.router])
            .await?;
        self.ip(workspace, &["link", "set", &last, "netns", &self.hsm])
            .await?;
        self.ip(
            workspace,
            &["address", "add", &self.prefixed(1, 25), "dev", &near],
        )
        .await?;
        self.ip(workspace, &["link", "set", &near, "up"]).await?;
        self.up_inside(workspace, &self.router, &far, &self.prefixed(2, 25))
            .await?;
        self.up_inside(workspace, &self.router, &inner, &self.prefixed(129, 25))
            .await?;
        self.inside(
            workspace,
            &self.router,
            &["sysctl", "-qw", "net.ipv4.ip_forward=1"],
        )
        .await?;
        // The kernel answers "unreachable" once a second and destination; each echo should get one.
        self.inside(
            workspace,
            &self.router,
            &["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0"],
        )
        .await?;
        self.up_inside(workspace, &self.hsm, &last, &self.prefixed(130, 25))
            .await?;
        let router = self.address(129).to_string();
        self.inside(
            workspace,
            &self.hsm,
            &["ip", "route", "add", "default", "via", &router],
        )
        .await?;
        let (behind, via) = (
            format!("{}/25", self.address(128)),
            self.address(2).to_string(),
        );
        self.ip(workspace, &["route", "add", &behind, "via", &via])
            .await
    }

    async fn namespace(&self, workspace: &mut Workspace, name: &str) -> Result<(), LabError> {
        workspace.remember(&Undo::Namespace(name.to_owned()))?;
        self.ip(workspace, &["netns", "add", name]).await?;
        self.inside(workspace, name, &["ip", "link", "set", "lo", "up"])
            .await
    }

    async fn link(&self, workspace: &mut Workspace, a: &str, b: &str) -> Result<(), LabError> {
        workspace.remember(&Undo::Link(a.to_owned()))?;
        self.ip(
            workspace,
            &["link", "add", a, "type", "veth", "peer", "name", b],
        )
        .await
    }

    async fn up_inside(
        &self,
        workspace: &Workspace,
        namespace: &str,
        link: &str,
        address: &str,
    ) -> Result<(), LabError> {
        self.inside(
            workspace,
            namespace,
            &["ip", "address", "add", address, "dev", link],
        )
        .await?;
        self.inside(workspace, namespace, &["ip", "link", "set", link, "up"])
            .await
    }

    async fn inside(
        &self,
        workspace: &Workspace,
        namespace: &str,
        command: &[&str],
    ) -> Result<(), LabError> {
        let mut arguments = vec!["netns", "exec", namespace];
        arguments.extend(command);
        self.ip(workspace, &arguments).await
    }

    async fn ip(&self, workspace: &Workspace, arguments: &[&str]) -> Result<(), LabError> {
        run_ip(workspace, &self.ip, arguments).await.map(drop)
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18 + u8::from(self.in_second_half), self.subnet, last)
    }

    fn prefixed(&self, last: u8, length: u8) -> String {
        format!("{}/{length}", self.address(last))
    }
}

/// A /24 of 198.18.0.0/15 that no other lab uses: the first guess comes from the workspace's
/// unique name, and a route to it means that it is taken.
async fn free_subnet(workspace: &Workspace, ip: &Path) -> Result<(u8, bool), LabError> {
    let routes = run_ip(workspace, ip, &["-4", "route", "show"]).await?;
    let seed = workspace.id().bytes().fold(0_u16, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u16::from(byte))
    });
    (0..512_u16)
        .map(|step| seed.wrapping_add(step) % 512)
        .map(|number| (number.to_le_bytes()[0], number >= 256))
        .find(|(subnet, second)| {
            let prefix = format!("198.{}.{subnet}.", 18 + u8::from(*second));
            !routes.lines().any(|route| route.starts_with(&prefix))
        })
        .ok_or_else(|| LabError::NotPermitted("no subnet of 198.18.0.0/15 is free".to_owned()))
}

async fn run_ip(workspace: &Workspace, ip: &Path, arguments: &[&str]) -> Result<String, LabError> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    workspace.run(ip, &arguments, COMMAND).await
}
