//! The page for people: what the exporter sees now. It needs no script and loads nothing.

use std::fmt::Write;

use nshield::hardserver::HardserverState;
use nshield::{ModuleCondition, ModuleNumber, ModuleState};

use super::HttpState;
use crate::clock::UnixTime;
use crate::collect::{Schedule, Shared};
use crate::icmp::Sample;
use crate::state::State;

const STYLE: &str = "body{font-family:sans-serif;margin:2em;max-width:75em;color:#222}\
table{border-collapse:collapse;margin-bottom:1.5em}h1{margin-bottom:.2em}\
td,th{border:1px solid #bbb;padding:.3em .7em;text-align:left}th{background:#eee}\
.good{background:#dff2df}.bad{background:#f9d6d5}.unsure{background:#fdf0c8}";

/// How a cell is to be taken.
#[derive(Clone, Copy)]
enum Mood {
    Plain,
    Good,
    Bad,
    Unsure,
}

impl Mood {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => " class=good",
            Self::Bad => " class=bad",
            Self::Unsure => " class=unsure",
        }
    }
}

struct Cell(String, Mood);

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.into(), Mood::Plain)
    }
}

/// Writes the page. Everything that a tool or a file says is escaped.
pub(super) fn page(http: &HttpState) -> String {
    let targets = http.shared.icmp.samples();
    let state = http.shared.state();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>vcm-exporter\
         </title><style>{STYLE}</style></head><body><h1>vcm-exporter {}</h1>",
        env!("CARGO_PKG_VERSION"),
    );
    introduce(&mut page, http, &state);
    table(
        &mut page,
        "Modules",
        &[
            "Module", "ESN", "State", "Hardware", "HSM load", "Firmware", "Address",
        ],
        modules(&state),
    );
    table(
        &mut page,
        "Echoes",
        &[
            "Target",
            "Module",
            "Address",
            "Socket",
            "Newest",
            "Sent",
            "Lost",
            "Last reply",
        ],
        targets.iter().map(echoes),
    );
    let columns = ["Collector", "Newest run", "Took", "Last success"];
    table(&mut page, "Collectors", &columns, collectors(&state));
    page.push_str("</body></html>\n");
    page
}

fn introduce(page: &mut String, http: &HttpState, state: &State) {
    let Shared {
        installation,
        schedule,
        ..
    } = &*http.shared;
    let Cell(hardserver, mood) = hardserver(state.hardserver_state());
    let when = match schedule {
        Schedule::Every(interval) => format!("every {interval:?}"),
        Schedule::OnScrape => "on scrape".to_owned(),
    };
    let config = match state.configuration().successful {
        true => "",
        false => {
            " <strong class=bad>The newest reload was refused: an old configuration is in \
                  force.</strong>"
        }
    };
    let _ = write!(
        page,
        "<p><a href=\"{}\">Metrics</a> of {}, tools run {when}. Hardserver: \
         <strong{}>{hardserver}</strong>.{config}</p>",
        escape(&http.telemetry_path),
        escape(&installation.root().display().to_string()),
        mood.class(),
    );
}

fn hardserver(state: HardserverState) -> Cell {
    let mood = match state {
        HardserverState::Up => Mood::Good,
        HardserverState::Down => Mood::Bad,
        HardserverState::Unresponsive
        | HardserverState::PermissionDenied
        | HardserverState::Unknown => Mood::Unsure,
    };
    Cell(state.as_str().to_owned(), mood)
}

fn modules(state: &State) -> impl Iterator<Item = Vec<Cell>> {
    let statistics = state.module_statistics();
    let load = move |number: &ModuleNumber| {
        let jobs = statistics.get(number)?.descend(&["ModuleJobStats"])?;
        jobs.number("CPULoadPercent")
    };
    let conditions = state.module_conditions().into_iter();
    conditions.map(move |(number, condition)| {
        let identity = state.modules.get(number).cloned().unwrap_or_default();
        let load = load(&number).map(|percent| format!("{percent} %"));
        let address = identity.address.map(|address| address.to_string());
        vec![
            number.to_string().into(),
            identity
                .esn
                .map(|esn| esn.to_string())
                .unwrap_or_default()
                .into(),
            module_state(condition.state),
            hardware(condition),
            load.unwrap_or_default().into(),
            identity.version.unwrap_or_default().into(),
            address.unwrap_or_default().into(),
        ]
    })
}

fn module_state(state: ModuleState) -> Cell {
    let mood = match state {
        ModuleState::Operational => Mood::Good,
        ModuleState::Failed | ModuleState::Error => Mood::Bad,
        ModuleState::Offline
        | ModuleState::Maintenance
        | ModuleState::PreMaintenance
        | ModuleState::Initialization
        | ModuleState::PreInitialization
        | ModuleState::Uninitialized
        | ModuleState::Unknown => Mood::Unsure,
    };
    Cell(state.as_str().to_owned(), mood)
}

fn hardware(condition: ModuleCondition) -> Cell {
    match condition.hardware_ok {
        Some(true) => "OK".into(),
        Some(false) => Cell("not OK".to_owned(), Mood::Bad),
        None => "".into(),
    }
}

fn echoes(sample: &Sample) -> Vec<Cell> {
    let (name, module) = sample.key();
    let newest = match sample.newest_replied {
        None if sample.ended() > 0 => Cell("not sent".to_owned(), Mood::Unsure),
        None => "".into(),
        Some(true) => Cell("replied".to_owned(), Mood::Good),
        Some(false) => Cell("no reply".to_owned(), Mood::Bad),
    };
    let ended = sample.ended();
    let lost = ended.saturating_sub(sample.rtt.count());
    let share = 100.0 * lost as f64 / ended.max(1) as f64;
    let address = sample.place.address.as_ref().map(ToString::to_string);
    let module = module.map(|module| module.to_string());
    vec![
        name.as_str().into(),
        module.unwrap_or_default().into(),
        address.unwrap_or_default().into(),
        sample
            .place
            .socket
            .map_or("", |socket| socket.as_str())
            .into(),
        newest,
        sample.requests.to_string().into(),
        format!("{lost} ({share:.1} %)").into(),
        ago(sample.last_reply).into(),
    ]
}

fn collectors(state: &State) -> impl Iterator<Item = Vec<Cell>> {
    state.collectors.iter().map(|(name, record)| {
        let newest = match record.success {
            None => "has not ended yet".into(),
            Some(true) => Cell("succeeded".to_owned(), Mood::Good),
            Some(false) => Cell("failed".to_owned(), Mood::Bad),
        };
        let took = record.success.map(|_| format!("{:.1?}", record.duration));
        let took = took.unwrap_or_default();
        vec![
            name.as_str().into(),
            newest,
            took.into(),
            ago(record.last_success).into(),
        ]
    })
}

/// How long ago something was, to the second.
fn ago(at: Option<UnixTime>) -> String {
    let seconds = at.map(|at| (UnixTime::now().0 - at.0).max(0.0).round());
    seconds.map_or("never".to_owned(), |seconds| format!("{seconds} s ago"))
}

fn table(
    page: &mut String,
    title: &str,
    columns: &[&str],
    rows: impl IntoIterator<Item = Vec<Cell>>,
) {
    let _ = write!(page, "<h2>{title}</h2>");
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        page.push_str("<p>None seen yet.</p>");
        return;
    }
    page.push_str("<table><tr>");
    for column in columns {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>");
    for row in rows {
        page.push_str("<tr>");
        for Cell(text, mood) in row {
            let _ = write!(page, "<td{}>{}</td>", mood.class(), escape(&text));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
