//! What `nfast-sim ctl status`, `log` and `events` print for people and for tests.

use std::fmt::Write;

use serde_json::json;

use super::{
    call_log::CallRecord,
    clock,
    world::{Link, Module, Run, Shown, World},
};

/// The state of the world.
#[must_use]
pub fn status(world: &World, as_json: bool) -> String {
    if as_json {
        format!("{}\n", status_json(world))
    } else {
        status_text(world)
    }
}

/// All knobs as JSON.
#[must_use]
pub fn knobs(world: &World) -> String {
    let text = serde_json::to_string_pretty(&world.knobs).unwrap_or_default();
    format!("{text}\n")
}

/// One record of the log of calls as a line.
#[must_use]
pub fn call(record: &CallRecord) -> String {
    match record {
        CallRecord::Start {
            unix_ms,
            argv,
            pid,
            ppid,
            uid,
            ..
        } => {
            let line = argv
                .iter()
                .map(|word| quoted(word))
                .collect::<Vec<_>>()
                .join(" ");
            format!(
                "{} pid {pid} (parent {ppid}, user {uid})  {line}\n",
                time_of_day(*unix_ms)
            )
        }
        CallRecord::End {
            unix_ms,
            tool,
            pid,
            exit_code,
            duration_ms,
            ..
        } => format!(
            "{} pid {pid} {tool} ended with {exit_code} after {duration_ms} ms\n",
            time_of_day(*unix_ms)
        ),
    }
}

fn status_json(world: &World) -> serde_json::Value {
    let modules: Vec<_> = world
        .modules
        .iter()
        .map(|module| module_json(world, module))
        .collect();
    json!({
        "unix_ms": clock::unix_ms_at(world.now),
        "boot_ms": world.now.0,
        "hardserver": {
            "up": matches!(world.hardserver.run, Run::Up(_)),
            "hung": world.hardserver.hung,
            "run": world.hardserver.run,
            "clients": world.connected_clients(),
            "device_fails": world.hardserver.device_fails,
        },
        "modules": modules,
    })
}

fn module_json(world: &World, module: &Module) -> serde_json::Value {
    json!({
        "module": module.number,
        "vcm": module.vcm,
        "esn": module.esn,
        "address": module.address,
        "healthy": module.healthy(),
        "shown": shown_word(world, module),
        "mode": module.device.mode,
        "link": module.link,
        "fault": module.fault,
        "network_up": module.network_up(),
        "answers_ping": module.answers_ping(world.now),
        "objects": module.counters.objects,
        "objects_wanted": module.counters.objects_wanted,
        "load": module.device.load,
    })
}

fn status_text(world: &World) -> String {
    let mut text = String::new();
    let hung = if world.hardserver.hung { ", hung" } else { "" };
    // Writing to a String cannot fail.
    let _ = match &world.hardserver.run {
        Run::Up(instance) => writeln!(
            text,
            "hardserver   up, pid {}, {} clients{hung}",
            instance.pid,
            world.connected_clients()
        ),
        Run::Down(how) => writeln!(text, "hardserver   down, {how:?}"),
    };
    for module in &world.modules {
        let cure = module
            .fault
            .as_ref()
            .map(|fault| format!(", cure {:?}", fault.cure));
        let _ = writeln!(
            text,
            "module {:<4}  {:<12} {} {}: {} ({:?}{}), network {}, {}/{} objects, load {} %",
            module.number,
            module.vcm,
            module.esn,
            module.address,
            shown_word(world, module),
            LinkWord(module.link),
            cure.unwrap_or_default(),
            if module.network_up() { "up" } else { "down" },
            module.counters.objects,
            module.counters.objects_wanted,
            module.device.load,
        );
    }
    text
}

struct LinkWord(Link);

impl std::fmt::Debug for LinkWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Link::None => "no link",
            Link::Connecting { .. } => "connecting",
            Link::Up => "link up",
            Link::Silent { .. } => "link silent",
            Link::Failed { .. } => "link failed",
        })
    }
}

fn shown_word(world: &World, module: &Module) -> String {
    match world.shown(module) {
        Shown::Failed => "failed".to_owned(),
        Shown::Resetting => "resetting".to_owned(),
        Shown::Serving(mode) => {
            let word = serde_json::to_value(mode).unwrap_or_default();
            word.as_str().unwrap_or_default().to_owned()
        }
    }
}

/// Shell words that a reader can tell apart.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("{word:?}")
    }
}

/// Time of day in UTC, to the millisecond.
fn time_of_day(unix_ms: u64) -> String {
    let (s, ms) = (unix_ms / 1_000, unix_ms % 1_000);
    format!(
        "{:02}:{:02}:{:02}.{ms:03}",
        s / 3_600 % 24,
        s / 60 % 60,
        s % 60
    )
}
