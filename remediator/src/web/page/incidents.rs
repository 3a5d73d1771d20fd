//! The open incidents, and what observe mode would have run.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use vcm_recovery::incident::Standing;
use vcm_recovery::time::Time;

use super::{Escaped, html};
use crate::told::{self, instant};
use crate::web::App;
use crate::web::incidents::{self, Shown, ShownShadow};
use crate::web::pieces::Around;

/// Every open incident.
pub(super) fn open(app: &Arc<App>, now: Time) -> impl Iterator<Item = String> + Send + use<> {
    let incidents = incidents::every(app, now, |_| true);
    let section = Around {
        before: "<h2>Open incidents</h2>",
        after: "",
        none: "<h2>Open incidents</h2><p>None.</p>",
    };
    section.rows(incidents.map(|incident| html(|html| one_incident(html, &incident))))
}

/// What observe mode would have run.
pub(super) fn shadows(app: &Arc<App>) -> impl Iterator<Item = String> + Send + use<> {
    let table = Around {
        before: "<h2>What would have been run in the last two days</h2>\
                 <table><tr><th>At<th>Target<th>Tier<th>Would have run<th>After asking",
        after: "</table>",
        none: "",
    };
    table.rows(incidents::shadows(app).map(|shadow| html(|html| one_shadow(html, &shadow))))
}

fn one_incident(html: &mut String, incident: &Shown) -> fmt::Result {
    write!(html, "<section><h3>{}", Escaped(&incident.target))?;
    if let Some(vcm) = &incident.vcm {
        write!(html, " ({})", Escaped(vcm))?;
    }
    write!(
        html,
        ": {}</h3><p>Open since {}",
        incident.state,
        instant(incident.opened_at)
    )?;
    match incident.first_failed_at {
        Some(at) => write!(html, ", seen failed since {}", instant(at))?,
        None => html.push_str(", not seen failed"),
    }
    match incident.ceiling {
        Some(tier) => write!(html, ". Alerts permit up to <b>{tier}</b>.</p>")?,
        None => html.push_str(". No valid alert permits anything now.</p>"),
    }
    if let Some(reason) = &incident.latch_reason {
        write!(html, "<p>Left to people: {}</p>", Escaped(reason))?;
    }
    if let Some(hold) = &incident.hold {
        write!(
            html,
            "<p>Held by {} {}: {}</p>",
            Escaped(&hold.by),
            told::until(hold.until),
            Escaped(&hold.reason)
        )?;
    }
    diagnosis(html, incident)?;
    verdicts(html, incident)?;
    for (rung, who) in &incident.denied {
        write!(html, "<p>{rung} is left out: {}</p>", Escaped(who))?;
    }
    for (rung, reason) in &incident.skipped {
        write!(html, "<p>{rung} is left out: {}</p>", Escaped(reason))?;
    }
    html.push_str("</section>");
    Ok(())
}

/// What is seen and what that means, with what else is worth knowing.
fn diagnosis(html: &mut String, incident: &Shown) -> fmt::Result {
    let Some(diagnosis) = &incident.diagnosis else {
        return Ok(());
    };
    match diagnosis.looked_at {
        Some(at) => write!(
            html,
            "<p class=\"quiet\">Looked at last {}.</p>",
            instant(at)
        )?,
        None => html.push_str("<p class=\"quiet\">Not looked at yet.</p>"),
    }
    for pattern in &diagnosis.patterns {
        let (seen, means) = (Escaped(pattern.seen), Escaped(pattern.means));
        let so = Escaped(pattern.so);
        write!(
            html,
            "<p><b>Seen:</b> {seen}. <b>Means:</b> {means}. <b>So:</b> {so}.</p>"
        )?;
    }
    list(html, "Beside it", &diagnosis.hints)?;
    list(html, "Not as in the inventory", &diagnosis.drift)
}

fn list(html: &mut String, name: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    write!(html, "<p>{name}:</p><ul>")?;
    for line in lines {
        write!(html, "<li>{}", Escaped(line))?;
    }
    html.push_str("</ul>");
    Ok(())
}

fn verdicts(html: &mut String, incident: &Shown) -> fmt::Result {
    let in_the_way = incident
        .verdicts
        .iter()
        .filter(|given| given.verdict != "not_applicable");
    let mut in_the_way = in_the_way.peekable();
    if in_the_way.peek().is_none() {
        let standing = if incident.standing == Standing::Observing {
            "Not seen failed: nothing to do.".to_owned()
        } else {
            format!("Where it stands: {}.", incident.standing)
        };
        return write!(html, "<p class=\"quiet\">{}</p>", Escaped(standing));
    }
    html.push_str("<table><tr><th>Tier<th>Guard<th>Says<th>Because<th>Until");
    for given in in_the_way {
        write!(
            html,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>",
            given.tier,
            given.guard,
            given.verdict,
            Escaped(&given.reason),
        )?;
        if let Some(until) = given.until {
            write!(html, "{}", instant(until))?;
        }
    }
    html.push_str("</table>");
    Ok(())
}

fn one_shadow(html: &mut String, shadow: &ShownShadow) -> fmt::Result {
    let asks = match shadow.asks.is_empty() {
        true => "nobody".to_owned(),
        false => shadow.asks.join("; "),
    };
    write!(
        html,
        "<tr><td>{}<td>{}<td>{}<td><code>{}</code><td>{}",
        instant(shadow.at),
        Escaped(&shadow.target),
        shadow.tier,
        Escaped(shadow.commands.join("; ")),
        Escaped(asks),
    )
}
