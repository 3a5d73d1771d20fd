//! The page for people: what the exporter sees now.

use std::fmt::Write;

use super::HttpState;
use crate::icmp::Sample;
use crate::state::State;

const STYLE: &str = "body{font-family:sans-serif;margin:2em;max-width:70em}\
table{border-collapse:collapse;margin-bottom:1.5em}\
td,th{border:1px solid #999;padding:.3em .7em;text-align:left}th{background:#eee}";

/// Writes the page. Everything that a tool printed is escaped.
pub(super) fn page(http: &HttpState) -> String {
    let state = http.shared.state();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>vcm-exporter\
         </title><style>{STYLE}</style></head><body><h1>vcm-exporter {}</h1>\
         <p><a href=\"{}\">Metrics</a> of {}. Hardserver: <strong>{}</strong>.</p>",
        env!("CARGO_PKG_VERSION"),
        escape(&http.telemetry_path),
        escape(&http.shared.installation.root().display().to_string()),
        state.hardserver_state().as_str(),
    );
    table(
        &mut page,
        "Modules",
        &["Module", "ESN", "State", "Hardware", "Address"],
        modules(&state),
    );
    table(
        &mut page,
        "Echoes",
        &["Target", "Address", "Newest echo", "Time-outs"],
        echoes(&http.shared.icmp.samples()),
    );
    let columns = ["Collector", "Newest run", "Took"];
    table(&mut page, "Collectors", &columns, collectors(&state));
    page.push_str("</body></html>\n");
    page
}

fn modules(state: &State) -> Vec<Vec<String>> {
    let row = |(number, condition): (nshield::ModuleNumber, nshield::ModuleCondition)| {
        let identity = state.modules.get(number).cloned().unwrap_or_default();
        let hardware = match condition.hardware_ok {
            Some(true) => "OK",
            Some(false) => "not OK",
            None => "",
        };
        vec![
            number.to_string(),
            identity.esn.map(|esn| esn.to_string()).unwrap_or_default(),
            condition.state.as_str().to_owned(),
            hardware.to_owned(),
            identity
                .address
                .map(|address| address.to_string())
                .unwrap_or_default(),
        ]
    };
    state.module_conditions().into_iter().map(row).collect()
}

fn echoes(samples: &[Sample]) -> Vec<Vec<String>> {
    let row = |sample: &Sample| {
        let newest = match sample.newest_replied {
            None => "",
            Some(true) => "replied",
            Some(false) => "no reply",
        };
        let address = sample.place.address.as_ref();
        vec![
            sample.key().0.clone(),
            address.map(ToString::to_string).unwrap_or_default(),
            newest.to_owned(),
            sample.timeouts.to_string(),
        ]
    };
    samples.iter().map(row).collect()
}

fn collectors(state: &State) -> Vec<Vec<String>> {
    let records = state.collectors.iter();
    records
        .map(|(name, record)| {
            let newest = match record.success {
                None => "has not ended yet",
                Some(true) => "succeeded",
                Some(false) => "failed",
            };
            vec![
                name.as_str().to_owned(),
                newest.to_owned(),
                format!("{:.1?}", record.duration),
            ]
        })
        .collect()
}

fn table(page: &mut String, title: &str, columns: &[&str], rows: Vec<Vec<String>>) {
    let _ = write!(page, "<h2>{title}</h2>");
    if rows.is_empty() {
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
        for cell in row {
            let _ = write!(page, "<td>{}</td>", escape(&cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
}

fn escape(text: &str) -> String {
    text.chars().fold(
        String::with_capacity(text.len()),
        |mut escaped, character| {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
            escaped
        },
    )
}
