//! The top of the page: what a human is needed for, and what holds everything up.

use std::fmt::{self, Write as _};

use vcm_recovery::ids::HsmName;

use super::Escaped;
use super::requests::Commands;
use crate::told::{self, instant};
use crate::web::fleet::{Shown, ShownPage, ShownShed};

/// Pages first, then everything that keeps rungs from starting.
pub(super) fn write(html: &mut String, fleet: &Shown, commands: &Commands) -> fmt::Result {
    fleet.pages.iter().try_for_each(|open| page(html, open))?;
    if let Some(pause) = &fleet.pause {
        let (by, end) = (&pause.by, told::until(pause.until));
        let (by, reason) = (Escaped(by), Escaped(&pause.reason));
        stop(
            html,
            format_args!("<b>Everything is paused</b> by {by} {end}: {reason}"),
        )?;
    }
    for held in &fleet.holds {
        let (target, by) = (Escaped(&held.target), Escaped(&held.hold.by));
        let (end, reason) = (told::until(held.hold.until), Escaped(&held.hold.reason));
        stop(
            html,
            format_args!("<b>{target} is held</b> by {by} {end}: {reason}"),
        )?;
    }
    storms(html, fleet)?;
    fleet.sheds.iter().try_for_each(|open| shed(html, open))?;
    gap(html, fleet.unconfirmed_gap_seconds, commands)
}

fn page(html: &mut String, page: &ShownPage) -> fmt::Result {
    let target = page.target.as_ref().map(ToString::to_string);
    let hsm = page.hsm.as_ref().map(|hsm| format!("HSM {hsm}"));
    let about = target.or(hsm).unwrap_or_else(|| "the fleet".to_owned());
    write!(
        html,
        "<p class=\"page\"><b>A human is needed</b> for {}: {} since {}</p>",
        Escaped(about),
        page.reason.as_str(),
        instant(page.since),
    )
}

fn storms(html: &mut String, fleet: &Shown) -> fmt::Result {
    if let Some(since) = fleet.storm {
        let at = instant(since);
        stop(
            html,
            format_args!(
                "<b>Storm</b> of the whole fleet since {at}: no restart, no clear without approval"
            ),
        )?;
    }
    for storm in &fleet.storms {
        let hsm = storm
            .hsm
            .as_ref()
            .map_or("of unknown name", HsmName::as_str);
        let (hsm, at) = (Escaped(hsm), instant(storm.since));
        stop(
            html,
            format_args!(
                "<b>Storm</b> of HSM {hsm} since {at}: several hosts of it are failing at once; no restart, no clear without approval"
            ),
        )?;
    }
    Ok(())
}

fn shed(html: &mut String, shed: &ShownShed) -> fmt::Result {
    let (hsm, at) = (Escaped(&shed.hsm), instant(shed.since));
    let state = match (shed.hook, shed.done) {
        (false, _) => "its provider is to be asked",
        (true, true) => "the hook has done it",
        (true, false) => "the hook has not done it yet",
    };
    let action = shed.action.as_str();
    stop(
        html,
        format_args!("<b>Load</b> of HSM {hsm}, taken since {at}: {action}, {state}"),
    )
}

fn gap(html: &mut String, seconds: u64, commands: &Commands) -> fmt::Result {
    if seconds == 0 {
        return Ok(());
    }
    let (hours, confirm) = (seconds / 3600, Escaped(commands.confirm_gap()));
    stop(
        html,
        format_args!(
            "<b>The remediator did not run for {hours} h</b>: for restarts and clears this time has \
             not passed until somebody confirms it: <code>{confirm}</code>"
        ),
    )
}

fn stop(html: &mut String, text: fmt::Arguments<'_>) -> fmt::Result {
    write!(html, "<p class=\"stop\">{text}</p>")
}
