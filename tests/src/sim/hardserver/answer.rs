//! What the hardserver answers to each tool, and how long it lets the tool wait.

use std::io;

use super::{Client, Shared, stay_hung_if_hung};
use crate::sim::{
    clock, enquiry_text, nfkminfo_text, nopclearfail_text,
    protocol::{Request, Trick, Wants},
    stattree_text,
    store::StoreError,
    world::{Command, Run, Status, World},
};

/// Why a tool got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("using the world")]
    Store(#[from] StoreError),
    /// It went away: its caller lost patience.
    #[error("writing to the client")]
    Client(#[from] io::Error),
}

pub(super) fn answer(
    shared: &Shared,
    request: &Request,
    privileged: bool,
    client: &mut Client<'_>,
) -> Result<(), AnswerError> {
    shared
        .store
        .with_world(|world| world.hardserver.tool_connections += 1)?;
    match &request.wants {
        Wants::Enquiry { module } => enquiry(shared, *module, client),
        Wants::Stattree { path } => stattree(shared, path, client),
        Wants::Nfkminfo => {
            client.out(
                shared
                    .store
                    .with_world(|world| nfkminfo_text::text(world))?,
            )?;
            Ok(client.end(0, "")?)
        }
        Wants::Command {
            command,
            modules,
            wait,
            trick,
        } => {
            let mut run = CommandRun {
                shared,
                command: *command,
                wait: *wait,
                trick,
                privileged,
            };
            run.answer(modules.as_deref(), client)
        }
    }
}

fn enquiry(shared: &Shared, only: Option<u32>, client: &mut Client<'_>) -> Result<(), AnswerError> {
    let numbers = shared.store.with_world(|world| numbers(world))?;
    if let Some(number) = only.filter(|number| *number != 0 && !numbers.contains(number)) {
        let refusal = format!("enquiry: module {number}: InvalidModule");
        return Ok(client.end(1, &refusal)?);
    }
    if only.is_none_or(|number| number == 0) {
        client.out(
            shared
                .store
                .with_world(|world| enquiry_text::server_section(world))?,
        )?;
    }
    for number in numbers
        .into_iter()
        .filter(|number| only.is_none_or(|one| one == *number))
    {
        let section = once_not_held(shared, number, |world| {
            world
                .module(number)
                .map(|module| enquiry_text::module_section(world, module))
        })?;
        client.out(section.unwrap_or_default())?;
    }
    Ok(client.end(0, "")?)
}

fn stattree(shared: &Shared, path: &[String], client: &mut Client<'_>) -> Result<(), AnswerError> {
    for number in shared.store.with_world(|world| numbers(world))? {
        once_not_held(shared, number, |_| ())?;
    }
    match shared
        .store
        .with_world(|world| stattree_text::text(world, path))?
    {
        Some(text) => {
            client.out(text)?;
            Ok(client.end(0, "")?)
        }
        None => Ok(client.end(1, &format!("stattree: no node {}", path.join(" ")))?),
    }
}

fn numbers(world: &World) -> Vec<u32> {
    world.modules.iter().map(|module| module.number).collect()
}

/// Does `work` as soon as commands for the module are no longer held.
fn once_not_held<T>(
    shared: &Shared,
    number: u32,
    work: impl FnOnce(&mut World) -> T,
) -> Result<T, AnswerError> {
    let asked_at = clock::now();
    let mut work = Some(work);
    loop {
        let step = shared
            .store
            .with_world(|world| match world.held_until(number, asked_at) {
                Some(until) => Err(until),
                None => Ok(work.take().map(|work| work(world))),
            })?;
        match step {
            Ok(Some(result)) => return Ok(result),
            Ok(None) => return Err(AnswerError::Client(io::ErrorKind::Other.into())),
            Err(until) => shared.wait_for_change(until),
        }
        stay_hung_if_hung(shared);
    }
}

/// One call of `nopclearfail`.
struct CommandRun<'r> {
    shared: &'r Shared,
    command: Command,
    wait: bool,
    trick: &'r Trick,
    privileged: bool,
}

impl CommandRun<'_> {
    fn answer(
        &mut self,
        modules: Option<&[u32]>,
        client: &mut Client<'_>,
    ) -> Result<(), AnswerError> {
        let all = self.shared.store.with_world(|world| numbers(world))?;
        let mut refused = false;
        for number in modules.unwrap_or(&all) {
            let status = self.run(*number)?;
            refused |= !status.is_ok();
            client.out(nopclearfail_text::reply_line(
                *number,
                self.command,
                &status,
            ))?;
        }
        let code = self
            .shared
            .store
            .with_world(|world| world.knobs.text.refused_exit_code)?;
        Ok(client.end(if refused { code } else { 0 }, "")?)
    }

    fn run(&mut self, number: u32) -> Result<Status, AnswerError> {
        let (command, trick) = (self.command, self.trick);
        let allowed = self.privileged
            && self
                .shared
                .store
                .with_world(|world| world.knobs.hardserver.privileged)?;
        if !allowed && command != Command::NoOp {
            return Ok(Status::named("AccessDenied"));
        }
        let status = once_not_held(self.shared, number, |world| {
            if let Some(span) = trick.effect_after {
                let at = world.now + span.0;
                world.command_later(number, command, at);
            }
            match (
                &trick.status,
                trick.no_effect || trick.effect_after.is_some(),
            ) {
                (Some(status), _) => Status::named(status),
                (None, true) => Status::ok(),
                (None, false) => world.command(number, command),
            }
        })?;
        if self.wait && status.is_ok() {
            self.until_back(number)?;
        }
        Ok(status)
    }

    /// Waits until the module has left the reset that the command began.
    fn until_back(&self, number: u32) -> Result<(), AnswerError> {
        loop {
            let until = self.shared.store.with_world(|world| {
                let reset = world.module(number).and_then(|module| module.device.reset);
                reset
                    .filter(|_| matches!(world.hardserver.run, Run::Up(_)))
                    .map(|r| r.until)
            })?;
            match until {
                Some(until) => self.shared.wait_for_change(until),
                None => return Ok(()),
            }
        }
    }
}
