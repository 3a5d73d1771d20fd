//! What `nfast-sim ctl` does to the world: faults and their end.

use serde::{Deserialize, Serialize};

use super::{Boot, Cure, Device, EventKind, Fault, Mode, World};
use crate::sim::{clock::At, knobs::AfterReboot, span::Span};

/// There is no module of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no module {0}")]
pub struct NoSuchModule(pub u32);

/// Why a module fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The network to it breaks; it comes back with the network.
    Network,
    /// Its HSM reboots.
    HsmReboot,
    /// It fails at once, and a retry (or anything above) cures it.
    NeedsRetry,
    /// It fails at once, and only a restart of the hardserver cures it.
    NeedsRestart,
    /// It fails at once, and only a clear cures it.
    NeedsClear,
    /// It fails at once, and nothing cures it.
    Dead,
}

/// How a fault behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultSpec {
    /// Why the module fails.
    pub reason: Reason,
    /// How many retries it takes.
    pub retries: u32,
    /// From the retry that works until the module is operational.
    pub heal_after: Option<Span>,
    /// When after a cure it comes back.
    pub relapse_after: Option<Span>,
    /// How often it comes back.
    pub relapses: u32,
}

impl FaultSpec {
    /// The plain fault of this reason: cured for good by the first right action.
    #[must_use]
    pub fn plain(reason: Reason) -> Self {
        Self {
            reason,
            retries: 1,
            heal_after: None,
            relapse_after: None,
            relapses: 0,
        }
    }

    fn fault(&self, cure: Cure) -> Fault {
        Fault {
            cure,
            retries: self.retries.max(1),
            recovers_at: None,
            heal_after: self.heal_after,
            relapse_after: self.relapse_after,
            relapses: self.relapses,
        }
    }
}

impl World {
    /// Lets a module fail.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn fail_module(&mut self, number: u32, spec: &FaultSpec) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        let cure = match spec.reason {
            Reason::Network => return self.network_loss(number, None),
            Reason::HsmReboot => return self.hsm_reboot(number),
            Reason::NeedsRetry => Cure::Retry,
            Reason::NeedsRestart => Cure::Restart,
            Reason::NeedsClear => Cure::Clear,
            Reason::Dead => Cure::Dead,
        };
        if let Some(module) = self.modules.get_mut(index) {
            module.fault = Some(spec.fault(cure));
        }
        self.fail_link(index, &format!("fault that needs {cure:?}").to_lowercase());
        Ok(())
    }

    /// Undoes everything that is wrong with a module, keys excepted.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn heal(&mut self, number: u32) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        let Some(module) = self.modules.get_mut(index) else {
            return Err(NoSuchModule(number));
        };
        module.fault = None;
        module.relapse = None;
        module.network.lost_at = None;
        module.network.until = None;
        module.device.boot = None;
        module.device.inactive = false;
        module.device.reset = None;
        module.device.mode = Mode::Operational;
        module.device.maintenance_at = None;
        module.device.late.clear();
        module.device.hardware_status = "OK".to_owned();
        module.device.usable = true;
        if module.serves() && self.hardserver_runs() {
            self.connect(index, "healed by the experimenter");
        }
        self.settle_links();
        Ok(())
    }

    /// Breaks the network to a module, until `until` if that is given.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn network_loss(&mut self, number: u32, until: Option<At>) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        let now = self.now;
        if let Some(module) = self.modules.get_mut(index) {
            module.network.lost_at.get_or_insert(now);
            module.network.until = until;
        }
        self.record(Some(index), EventKind::NetworkLost);
        self.settle_links();
        Ok(())
    }

    /// Ends a loss of network.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn network_restore(&mut self, number: u32) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        if let Some(module) = self.modules.get_mut(index) {
            module.network.lost_at = None;
            module.network.until = None;
        }
        self.record(Some(index), EventKind::NetworkRestored);
        self.settle_links();
        Ok(())
    }

    /// Follows what the file `sim/net/<vcm>` says of the network.
    pub fn follow_network(&mut self, vcm: &str, down: bool) {
        let now = self.now;
        let Some(index) = self.modules.iter().position(|module| module.vcm == vcm) else {
            return;
        };
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        if down == module.network.followed_down_at.is_some() {
            return;
        }
        module.network.followed_down_at = down.then_some(now);
        let kind = if down {
            EventKind::NetworkLost
        } else {
            EventKind::NetworkRestored
        };
        self.record(Some(index), kind);
        self.settle_links();
    }

    /// Reboots the HSM of a module.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn hsm_reboot(&mut self, number: u32) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        let timing = &self.knobs.timing;
        let hsm_up = self.now + self.knobs.scaled(timing.hsm_boot);
        let serves_at = hsm_up + self.knobs.scaled(timing.vcm_boot);
        let ping_at = if self.knobs.modules.ping_during_boot {
            hsm_up
        } else {
            serves_at
        };
        let cure = match self.knobs.modules.after_reboot {
            AfterReboot::Nothing => None,
            AfterReboot::Retry => Some(Cure::Retry),
            AfterReboot::Restart => Some(Cure::Restart),
            AfterReboot::Clear => Some(Cure::Clear),
        };
        self.record(Some(index), EventKind::HsmRebooted);
        self.lose_objects(index, "HSM reboot");
        if let Some(module) = self.modules.get_mut(index) {
            module.device.boot = Some(Boot { ping_at, serves_at });
            module.device.reset = None;
            module.device.late.clear();
            module.device.mode = Mode::Operational;
            module.device.maintenance_at = None;
            module.device.session_alive = false;
            module.counters.millicommands = 0;
            module.fault = cure.map(Fault::plain);
        }
        self.settle_links();
        Ok(())
    }

    /// Takes over what somebody did on another host to a VCM that is enrolled here too.
    pub fn adopt_device(&mut self, esn: &str, device: &Device) {
        let Some(index) = self.modules.iter().position(|module| module.esn == esn) else {
            return;
        };
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        let begun = |old: bool, new: bool| new && !old;
        let reset = begun(module.device.reset.is_some(), device.reset.is_some());
        let gone = begun(module.device.boot.is_some(), device.boot.is_some())
            || begun(module.device.inactive, device.inactive);
        let session_alive = module.device.session_alive && !gone;
        if reset {
            self.note_disturbance(index, "a command on another host");
        }
        if reset || gone {
            self.lose_objects(index, "something done on another host");
        }
        if let Some(module) = self.modules.get_mut(index) {
            module.device = Device {
                session_alive,
                late: Vec::new(),
                ..device.clone()
            };
        }
        self.settle_links();
    }

    /// Starts a VCM that is inactive; it needs `timing.vcm_boot`.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn start_vcm(&mut self, number: u32) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        let serves_at = self.now + self.knobs.scaled(self.knobs.timing.vcm_boot);
        if let Some(module) = self.modules.get_mut(index)
            && module.device.inactive
        {
            module.device.inactive = false;
            module.device.autostart = true;
            module.device.boot = Some(Boot {
                ping_at: serves_at,
                serves_at,
            });
        }
        Ok(())
    }

    /// Stops a VCM, as its provider can: it answers nobody.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn stop_vcm(&mut self, number: u32) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        self.lose_objects(index, "VCM stopped");
        if let Some(module) = self.modules.get_mut(index) {
            module.device.inactive = true;
            module.device.session_alive = false;
        }
        self.settle_links();
        Ok(())
    }

    /// Sets the load of a module's HSM.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn set_load(&mut self, number: u32, percent: u8) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        if let Some(module) = self.modules.get_mut(index) {
            module.device.load = percent;
        }
        self.record(Some(index), EventKind::LoadChanged { percent });
        Ok(())
    }

    /// Sets a module's mode, as somebody working on it would.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn set_mode(&mut self, number: u32, mode: Mode) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        if let Some(module) = self.modules.get_mut(index) {
            module.device.mode = mode;
        }
        self.record(Some(index), EventKind::ModuleMode { mode });
        Ok(())
    }

    /// Sets a module's `hardware status`.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn set_hardware_status(&mut self, number: u32, status: &str) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        if let Some(module) = self.modules.get_mut(index) {
            status.clone_into(&mut module.device.hardware_status);
        }
        Ok(())
    }

    /// Makes a module's Security World usable or not; `enquiry` does not show it.
    ///
    /// # Errors
    /// If there is no such module.
    pub fn set_usable(&mut self, number: u32, usable: bool) -> Result<(), NoSuchModule> {
        let index = self.index_of(number)?;
        if let Some(module) = self.modules.get_mut(index) {
            module.device.usable = usable;
        }
        Ok(())
    }

    /// Lets applications reload the keys of every healthy module, as a site's hook would.
    pub fn reload_keys(&mut self) {
        let now = self.now;
        for module in &mut self.modules {
            module.counters.reload_at = Some(now);
        }
        self.advance(now);
    }
}
