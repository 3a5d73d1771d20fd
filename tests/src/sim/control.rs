//! `nfast-sim ctl`: the hand that breaks and mends things, outside of every log of calls.

use clap::Subcommand;

use super::{
    clock, hardserver, process,
    root::Root,
    service::{Service, ServiceError},
    show,
    span::Span,
    store::{Store, StoreError},
    world::{FaultSpec, Mode, NoSuchModule, Reason, World},
};

/// What `nfast-sim ctl` can do.
#[derive(Debug, Subcommand)]
pub enum Control {
    /// Changes the world and nothing else.
    #[command(flatten)]
    Change(Change),
    /// Breaks the network to a module.
    NetworkLoss {
        /// The module's number.
        module: u32,
        /// For how long (real time); else until network-restore.
        #[arg(long = "for")]
        span: Option<Span>,
    },
    /// Starts the hardserver.
    StartHardserver,
    /// Stops the hardserver on purpose.
    StopHardserver,
    /// Kills the hardserver: its socket file stays behind.
    KillHardserver,
    /// Turns a knob: PATH=VALUE, as in `timing.hsm_boot=20s` or `lies.retry.hang=true`.
    Set {
        /// The knobs to turn.
        #[arg(required = true)]
        assignments: Vec<String>,
    },
    /// Prints all knobs.
    Knobs,
    /// Exits 0 if every key that applications want is loaded in this module and usable, else 1.
    ServiceCheck {
        /// The module's number.
        module: u32,
    },
    /// Prints what is true.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What changes the world and nothing else.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Lets a module fail.
    FailModule {
        /// The module's number.
        module: u32,
        /// Why it fails, and so what cures it.
        #[arg(long, value_enum, default_value = "needs-retry")]
        reason: Reason,
        /// How many retries it takes: all but the last say OK and change nothing.
        #[arg(long, default_value_t = 1)]
        retries: u32,
        /// From the retry that works until the module is operational (default: timing.retry).
        #[arg(long)]
        heal_after: Option<Span>,
        /// When after a cure it fails again.
        #[arg(long)]
        relapse_after: Option<Span>,
        /// How often it fails again.
        #[arg(long, default_value_t = 1)]
        relapses: u32,
    },
    /// Undoes everything that is wrong with a module; lost keys stay lost.
    Heal {
        /// The module's number.
        module: u32,
    },
    /// Brings the network to a module back.
    NetworkRestore {
        /// The module's number.
        module: u32,
    },
    /// Reboots the HSM of a module.
    HsmReboot {
        /// The module's number.
        module: u32,
    },
    /// Starts a VCM that is inactive.
    StartVcm {
        /// The module's number.
        module: u32,
    },
    /// Stops a VCM, as its provider can.
    StopVcm {
        /// The module's number.
        module: u32,
    },
    /// Lets the hardserver accept connections and never answer, until it is restarted.
    HangHardserver,
    /// Sets the load of a module's HSM.
    Load {
        /// The module's number.
        module: u32,
        /// In percent.
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Sets a module's mode, as somebody working on it would.
    Mode {
        /// The module's number.
        module: u32,
        /// The mode.
        #[arg(value_parser = parse_mode)]
        mode: Mode,
    },
    /// Sets what `hardware status` shows of a module.
    HardwareStatus {
        /// The module's number.
        module: u32,
        /// `OK`, or an error code.
        status: String,
    },
    /// Makes a module's Security World usable or not, which only nfkminfo and a NoOp show.
    Usable {
        /// The module's number.
        module: u32,
        /// Whether it is usable.
        #[arg(action = clap::ArgAction::Set)]
        usable: bool,
    },
    /// Lets applications reload their keys in every healthy module.
    ReloadKeys,
}

/// Why `ctl` could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such module.
    #[error(transparent)]
    Module(#[from] NoSuchModule),
    /// The knob cannot be set.
    #[error(transparent)]
    Knob(#[from] super::knobs::SetError),
    /// The hardserver could not be started or stopped.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The world could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something else could not be written or started.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A service check found something wrong.
    #[error("module {0} does not serve its applications")]
    NotInService(u32),
}

/// Carries out a command of `ctl`; the result is what to print.
///
/// # Errors
/// If it cannot be done.
pub fn control(root: &Root, command: Control) -> Result<String, ControlError> {
    let store = Store::of(root);
    let service = Service::of(root);
    match command {
        Control::StartHardserver => service.start()?,
        Control::StopHardserver => service.stop()?,
        Control::KillHardserver => service.kill()?,
        Control::Status { json } => return Ok(store.with_world(|world| show::status(world, json))?),
        Control::Knobs => return Ok(store.with_world(|world| show::knobs(world))?),
        Control::Set { assignments } => set(&store, &assignments)?,
        Control::ServiceCheck { module } => service_check(&store, module)?,
        Control::NetworkLoss { module, span } => network_loss(&store, module, span)?,
        Control::Change(what) => store.with_world(|world| change(world, what))??,
    }
    Ok(String::new())
}

fn change(world: &mut World, what: Change) -> Result<(), NoSuchModule> {
    match what {
        Change::FailModule {
            module,
            reason,
            retries,
            heal_after,
            relapse_after,
            relapses,
        } => {
            let spec = FaultSpec {
                reason,
                retries,
                heal_after,
                relapse_after,
                relapses,
            };
            world.fail_module(module, &spec)
        }
        Change::Heal { module } => world.heal(module),
        Change::NetworkRestore { module } => world.network_restore(module),
        Change::HsmReboot { module } => world.hsm_reboot(module),
        Change::StartVcm { module } => world.start_vcm(module),
        Change::StopVcm { module } => world.stop_vcm(module),
        Change::Load { module, percent } => world.set_load(module, percent),
        Change::Mode { module, mode } => world.set_mode(module, mode),
        Change::HardwareStatus { module, status } => world.set_hardware_status(module, &status),
        Change::Usable { module, usable } => world.set_usable(module, usable),
        Change::HangHardserver => {
            world.hang_hardserver();
            Ok(())
        }
        Change::ReloadKeys => {
            world.reload_keys();
            Ok(())
        }
    }
}

fn set(store: &Store, assignments: &[String]) -> Result<(), ControlError> {
    let refuses = store.with_world(|world| {
        let mut knobs = world.knobs.clone();
        for assignment in assignments {
            knobs = knobs.with(assignment)?;
        }
        world.knobs = knobs;
        Ok::<_, ControlError>(world.knobs.hardserver.refuses_permission)
    })??;
    hardserver::set_permission(store.root(), refuses).map_err(|source| ControlError::Io {
        doing: "setting the sockets' permission",
        source,
    })
}

/// A loss for a time ends on time even if nobody else looks at the world: a process is left behind
/// that does.
fn network_loss(store: &Store, module: u32, span: Option<Span>) -> Result<(), ControlError> {
    store.with_world(|world| {
        let until = span.map(|span| world.now + span.0);
        world.network_loss(module, until)
    })??;
    if let Some(span) = span {
        let root = store.root();
        let (path, span) = (root.path().to_string_lossy(), span.to_string());
        process::leave_behind(
            &root.executable(),
            &["look", "--root", &path, "--after", &span],
            false,
        )
        .map_err(|source| ControlError::Io {
            doing: "leaving a watch behind",
            source,
        })?;
    }
    Ok(())
}

fn service_check(store: &Store, number: u32) -> Result<(), ControlError> {
    let fine = store.with_world(|world| {
        let module = world.module(number).ok_or(NoSuchModule(number))?;
        let loaded = module.counters.objects >= module.counters.objects_wanted;
        Ok::<_, NoSuchModule>(module.healthy() && module.device.usable && loaded)
    })??;
    if fine {
        Ok(())
    } else {
        Err(ControlError::NotInService(number))
    }
}

fn parse_mode(text: &str) -> Result<Mode, serde_json::Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
}

/// Looks at the world once after `span`, so that what is due by then happens.
///
/// # Errors
/// If the world cannot be used; a root that was removed meanwhile is no error.
pub fn look_after(root: &Root, span: Span) -> Result<(), StoreError> {
    clock::pass(span.0);
    if !root.world().exists() {
        return Ok(());
    }
    Store::of(root).with_world(|_| ())
}
