//! The page for people: what is going on, and why something was, or was not, done.
//!
//! Plain HTML without scripts. Every text that did not come from these files is escaped. It is made
//! while it is sent, section by section and incident by incident.

use std::fmt::{self, Display, Write as _};
use std::iter;
use std::sync::Arc;

use vcm_recovery::time::Time;

use super::App;
use super::fleet;
use crate::told::instant;

mod banners;
mod incidents;
mod requests;
mod tables;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;\
padding:0 1rem;color:#1c2126;background:#fff}h1{font-size:1.35rem}h2{font-size:1.1rem;\
margin-top:2rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;\
vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #d8dde2}th{font-weight:600}\
section{border:1px solid #c5ccd3;border-radius:6px;padding:.2rem 1rem 1rem;margin:1rem 0}\
.page{background:#fdecea;border-left:4px solid #b3261e;padding:.4rem .8rem}.quiet{color:#5a646e}\
.stop{background:#fff4d6;border-left:4px solid #9a6700;padding:.4rem .8rem}\
code{font-size:.92em;overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#e3e7eb;background:#15181b}\
th,td,section{border-color:#3a424a}.page{background:#3b1f1d}.stop{background:#33290f}.quiet{color:#9aa5b0}}";

/// The page as it is now, in parts.
pub(super) fn render(app: &Arc<App>) -> impl Iterator<Item = String> + Send + use<> {
    let now = app.clock.now();
    let commands = Arc::new(requests::Commands::of(app.address));
    top(app, &commands, now)
        .chain(requests::open(app, commands, now))
        .chain(incidents::open(app, now))
        .chain(incidents::shadows(app))
        .chain(tables::inventory(app))
        .chain(tables::attempts(app))
        .chain(tables::events(app))
        .chain(iter::once("</html>\n".to_owned()))
}

fn top(
    app: &Arc<App>,
    commands: &Arc<requests::Commands>,
    now: Time,
) -> impl Iterator<Item = String> + Send + use<> {
    let (app, commands) = (Arc::clone(app), Arc::clone(commands));
    iter::once_with(move || {
        html(|html| {
            head(html, &app, now)?;
            banners::write(html, &fleet::shown(&app), &commands)
        })
    })
}

/// What is written.
fn html(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut html = String::new();
    let written = write(&mut html);
    // Writing to a String does not fail.
    debug_assert!(written.is_ok());
    html
}

/// A text in which nothing is markup.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .to_string()
            .chars()
            .try_for_each(|character| match character {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                other => f.write_char(other),
            })
    }
}

fn head(html: &mut String, app: &App, now: Time) -> fmt::Result {
    write!(
        html,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>vcm-remediator</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>vcm-remediator {}</h1><p class=\"quiet\">{} UTC · mode {} · \
         <a href=\"/api/v1/incidents\">incidents</a> · <a href=\"/api/v1/events\">events</a> · \
         <a href=\"/metrics\">metrics</a></p>",
        Escaped(env!("CARGO_PKG_VERSION")),
        instant(now),
        app.policy.mode.as_str(),
    )?;
    for (part, why) in app.readiness.missing() {
        write!(
            html,
            "<p class=\"page\">Not ready: {part} {}</p>",
            Escaped(why)
        )?;
    }
    Ok(())
}
