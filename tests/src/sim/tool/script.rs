//! `init.d-ncipher`, `net` and `unit-state`: what starts and stops the hardserver and tells of it.

use super::Run;
use crate::sim::{
    process,
    service::{Service, ServiceError, UnitState},
    store::StoreError,
};

type Outcome = Result<u8, Box<dyn std::error::Error>>;

impl Run<'_> {
    pub(super) fn init_script(&mut self) -> Outcome {
        match self
            .arguments
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            ["start"] => self.start(),
            ["stop"] => self.stop(),
            ["restart"] => {
                self.stop()?;
                if self.take_cut()? {
                    process::kill_self();
                }
                self.start()
            }
            _ => {
                self.output
                    .complain("Usage: init.d-ncipher { start | stop | restart }");
                Ok(2)
            }
        }
    }

    fn start(&mut self) -> Outcome {
        self.output
            .write("nCipher server starting nFast Server: ")?;
        if self.lie.no_effect {
            self.output.write("OK\n")?;
            return Ok(0);
        }
        match Service::of(self.root).start() {
            Ok(()) => {
                self.output.write("OK\n")?;
                Ok(0)
            }
            Err(ServiceError::EndedAtOnce) => {
                self.output.write("failed\n")?;
                let lies = self.knobs.hardserver.failing_start_exits_zero;
                Ok(u8::from(!lies))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn stop(&mut self) -> Outcome {
        self.output
            .write("nCipher server stopping nFast Server: ")?;
        if !self.lie.no_effect {
            Service::of(self.root).stop()?;
        }
        self.output.write("OK\n")?;
        Ok(0)
    }

    fn take_cut(&self) -> Result<bool, StoreError> {
        self.store.with_world(|world| {
            let left = &mut world.knobs.hardserver.cut_restarts;
            let cut = *left > 0;
            *left = left.saturating_sub(1);
            cut
        })
    }

    pub(super) fn net(&mut self) -> Outcome {
        let words: Vec<_> = self
            .arguments
            .iter()
            .map(|word| word.to_ascii_lowercase())
            .collect();
        match words
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            ["stop", "nfast server"] => self.net_stop(false),
            ["stop", "nfast server", "/y"] => self.net_stop(true),
            ["start", "nfast server"] => self.net_start(),
            _ => {
                self.output.complain("The service name is invalid.");
                Ok(NET_REFUSED)
            }
        }
    }

    fn net_stop(&mut self, agreed: bool) -> Outcome {
        let service = Service::of(self.root);
        if service.state()? != UnitState::Active {
            self.output
                .complain("The nFast Server service is not started.");
            return Ok(NET_REFUSED);
        }
        if self.knobs.hardserver.windows_dependant && !agreed {
            self.output.write(
                "The following services are dependent on the nFast Server service.\n\
                 Stopping the nFast Server service will also stop these services.\n\n\
                    \x20  nShield Remote Administration Service\n\n\
                 Do you want to continue this operation? (Y/N) [N]: \n",
            )?;
            return Ok(NET_REFUSED);
        }
        self.output
            .write("The nFast Server service is stopping.\n")?;
        if !self.lie.no_effect {
            service.stop()?;
        }
        self.output
            .write("The nFast Server service was stopped successfully.\n\n")?;
        Ok(0)
    }

    fn net_start(&mut self) -> Outcome {
        let service = Service::of(self.root);
        if service.state()? == UnitState::Active {
            self.output
                .complain("The requested service has already been started.");
            return Ok(NET_REFUSED);
        }
        self.output
            .write("The nFast Server service is starting.\n")?;
        match service.start() {
            Ok(()) => {
                self.output
                    .write("The nFast Server service was started successfully.\n\n")?;
                Ok(0)
            }
            Err(ServiceError::EndedAtOnce) => {
                self.output
                    .write("The nFast Server service could not be started.\n")?;
                Ok(NET_REFUSED)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Prints `active`, `inactive-clean` or `failed`; with `--stopped-on-purpose` the exit code
    /// answers that question: 0 yes, 1 no.
    pub(super) fn unit_state(&mut self) -> Outcome {
        let state = Service::of(self.root).state()?;
        let word = match state {
            UnitState::Active => "active",
            UnitState::InactiveClean => "inactive-clean",
            UnitState::Failed => "failed",
        };
        self.output.write(&format!("{word}\n"))?;
        let asks = self
            .arguments
            .iter()
            .any(|word| word == "--stopped-on-purpose");
        Ok(u8::from(asks && state != UnitState::InactiveClean))
    }
}

/// Exit code of `net` when it did not do what it was told.
const NET_REFUSED: u8 = 2;
