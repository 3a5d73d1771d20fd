//! Requests for approval: what may be chosen, whom it disrupts, and the command that answers.
//!
//! The page itself answers nothing: it has no forms and no scripts, so nobody orders by accident.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use vcm_recovery::time::Time;

use super::{Escaped, html};
use crate::told::instant;
use crate::web::App;
use crate::web::incidents::{self, Shown, ShownAlternative, ShownRequest};
use crate::web::pieces::Around;

/// Where the command line asks when it is not told otherwise.
const DEFAULT_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9809);

/// The commands as they are typed on the remediator's own machine.
pub(super) struct Commands {
    server: String,
}

impl Commands {
    /// For a program that listens there. Never from a header of the request: whoever forges one
    /// would be sent the token.
    pub(super) fn of(address: SocketAddr) -> Self {
        let server = if address == DEFAULT_SERVER {
            String::new()
        } else if address.ip().is_unspecified() {
            format!(" --server http://127.0.0.1:{}", address.port())
        } else {
            format!(" --server http://{address}")
        };
        Self { server }
    }

    fn approve(&self, request: &ShownRequest, offered: &ShownAlternative) -> String {
        let (id, rung, server) = (&request.id, offered.tier, &self.server);
        format!("vcm-remediator approve '{id}' --rung {rung} --reason 'TEXT'{server}")
    }

    /// The command that lets a time without the remediator count.
    pub(super) fn confirm_gap(&self) -> String {
        let server = &self.server;
        format!("vcm-remediator confirm-gap --reason 'TEXT'{server}")
    }

    fn deny(&self, request: &ShownRequest) -> String {
        let (id, server) = (&request.id, &self.server);
        format!("vcm-remediator deny '{id}' --reason 'TEXT'{server}")
    }
}

/// Every open request.
pub(super) fn open(
    app: &Arc<App>,
    commands: Arc<Commands>,
    now: Time,
) -> impl Iterator<Item = String> + Send + use<> {
    let asked = incidents::every(app, now, |incident| incident.request.is_some());
    let asked = asked.filter_map(move |incident| {
        let request = incident.request.as_ref()?;
        Some(html(|html| one(html, &incident, request, &commands)))
    });
    let section = Around {
        before: "<h2>A person decides</h2>",
        after: "",
        none: "",
    };
    section.rows(asked)
}

fn one(
    html: &mut String,
    incident: &Shown,
    request: &ShownRequest,
    commands: &Commands,
) -> fmt::Result {
    write!(
        html,
        "<section><h3>{}, about {}</h3><p>Asked {}, void from {}.</p>",
        Escaped(&request.id),
        Escaped(&incident.target),
        instant(request.asked_at),
        instant(request.expires_at),
    )?;
    if let Some(answer) = &request.answer {
        return write!(
            html,
            "<p>Answered by {}: {}. It starts when nothing else stands in its way.</p></section>",
            Escaped(&answer.by),
            Escaped(&answer.reason)
        );
    }
    html.push_str("<table><tr><th>Choice<th>Disrupts<th>Runs<th>Asked because<th>Command");
    for offered in &request.alternatives {
        write!(
            html,
            "<tr><td>{}<td>{}<td><code>{}</code><td>{}<td><code>{}</code>",
            offered.tier,
            Escaped(&offered.disrupts),
            Escaped(offered.commands.join("; ")),
            Escaped(offered.reasons.join("; ")),
            Escaped(commands.approve(request, offered)),
        )?;
    }
    write!(
        html,
        "<tr><td>nothing<td>nobody<td><td>these are left out for this incident<td><code>{}</code>\
         </table><p class=\"quiet\">Each command sends your token, from --token-file FILE or the file \
         that $VCM_REMEDIATOR_TOKEN_FILE names.</p></section>",
        Escaped(commands.deny(request)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_server_unless_it_is_the_usual_one() {
        for (address, expected) in [
            ("127.0.0.1:9809", ""),
            ("127.0.0.1:9999", " --server http://127.0.0.1:9999"),
            ("0.0.0.0:9809", " --server http://127.0.0.1:9809"),
            ("[::]:9999", " --server http://127.0.0.1:9999"),
            ("[::1]:9809", " --server http://[::1]:9809"),
        ] {
            assert_eq!(Commands::of(address.parse().unwrap()).server, expected);
        }
    }
}
