//! What a lying call does before, or in place of, its work.

use std::io;

use super::{Output, pass};
use crate::sim::{
    knobs::{Death, Lie},
    process,
    root::Root,
};

/// One write of noise.
static NOISE: [u8; 64 * 1024] = [b'#'; 64 * 1024];

pub(super) fn before(lie: &Lie, root: &Root, output: &mut Output) -> io::Result<()> {
    if lie.ignore_term {
        ignore_term()?;
    }
    pass(lie.delay);
    if let Some(span) = lie.leave_child {
        let span = span.to_string();
        let mut arguments = vec!["hold-output", "--for", &span];
        if lie.child_escapes {
            arguments.push("--new-session");
        }
        process::leave_behind(&root.executable(), &arguments, true)?;
    }
    flood(lie.flood_bytes, output)?;
    if lie.die == Some(Death::Before) {
        process::kill_self();
    }
    if lie.hang {
        hang();
    }
    Ok(())
}

/// Never returns.
pub(super) fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

fn flood(bytes: u64, output: &mut Output) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(usize::MAX).min(NOISE.len());
        output.write_bytes(NOISE.get(..piece).unwrap_or_default())?;
        left -= piece as u64;
    }
    Ok(())
}

/// Takes SIGTERM and does nothing about it.
fn ignore_term() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let guard = runtime.enter();
    let handler = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    drop(guard);
    // The handler has to outlive this call, and with it the runtime.
    std::mem::forget((handler, runtime));
    Ok(())
}
