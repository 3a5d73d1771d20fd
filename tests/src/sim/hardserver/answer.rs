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
            let run = CommandRun {
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
    let (numbers, server) = shared
        .store
        .with_world(|world| (numbers(world), enquiry_text::server_section(world)))?;
    if let Some(number) = only.filter(|number| *number != 0 && !numbers.contains(number)) {
        let refusal = format!("enquiry: module {number}: InvalidModule");
        return Ok(client.end(1, &refusal)?);
    }
    if only.is_none_or(|number| number == 0) {
        client.out(server)?;
    }
    let wanted: Vec<_> = numbers
        .into_iter()
        .filter(|number| only.is_none_or(|one| one == *number))
        .collect();
    send_when_not_held(shared, &wanted, client, |world, number| {
        let module = world.module(number);
        module
            .map(|module| enquiry_text::module_section(world, module))
            .unwrap_or_default()
    })?;
    Ok(client.end(0, "")?)
}

fn stattree(shared: &Shared, path: &[String], client: &mut Client<'_>) -> Result<(), AnswerError> {
    let numbers = shared.store.with_world(|world| numbers(world))?;
    send_when_not_held(shared, &numbers, client, |_, _| String::new())?;
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

/// Has each module's piece of output written, each as soon as commands for it are no longer held.
///
/// Nothing is sent under the world's lock: a tool whose caller does not read would stop the world.
fn send_when_not_held(
    shared: &Shared,
    numbers: &[u32],
    client: &mut Client<'_>,
    mut write: impl FnMut(&mut World, u32) -> String,
) -> Result<(), AnswerError> {
    let (mut left, mut asked_at) = (numbers, clock::now());
    loop {
        stay_hung_if_hung(shared);
        let (text, held_until) = shared.store.with_world(|world| {
            let mut text = String::new();
            while let Some((number, others)) = left.split_first() {
                if let Some(until) = world.held_until(*number, asked_at) {
                    return (text, Some(until));
                }
                text.push_str(&write(world, *number));
                (left, asked_at) = (others, world.now);
            }
            (text, None)
        })?;
        if !text.is_empty() {
            client.out(text)?;
        }
        match held_until {
            Some(until) => shared.wait_for_change(until),
            None => return Ok(()),
        }
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
    fn answer(&self, modules: Option<&[u32]>, client: &mut Client<'_>) -> Result<(), AnswerError> {
        let (all, allowed, refused_code) = self.shared.store.with_world(|world| {
            let allowed = self.privileged && world.knobs.hardserver.privileged;
            (numbers(world), allowed, world.knobs.text.refused_exit_code)
        })?;
        let mut exit_code = 0;
        for number in modules.unwrap_or(&all) {
            let status = if allowed || self.command == Command::NoOp {
                self.run(*number, client)?
            } else {
                Status::named("AccessDenied")
            };
            if !status.is_ok() {
                exit_code = refused_code;
            }
            client.out(nopclearfail_text::reply_line(
                *number,
                self.command,
                &status,
            ))?;
        }
        Ok(client.end(exit_code, "")?)
    }

    fn run(&self, number: u32, client: &mut Client<'_>) -> Result<Status, AnswerError> {
        let (command, trick) = (self.command, self.trick);
        let mut status = Status::ok();
        send_when_not_held(self.shared, &[number], client, |world, number| {
            if let Some(span) = trick.effect_after {
                let at = world.now + span.0;
                world.command_later(number, command, at);
            }
            status = match (
                &trick.status,
                trick.no_effect || trick.effect_after.is_some(),
            ) {
                (Some(status), _) => Status::named(status),
                (None, true) => Status::ok(),
                (None, false) => world.command(number, command),
            };
            String::new()
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
