//! The shipped files under `alerts/`, with addresses of the lab and faster clocks.
//!
//! They stay the single source: nothing here adds or leaves out a rule or a route. The result is
//! JSON, which is YAML too.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{LabError, duration::Speed};

/// Where the lab's programs listen.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Each host's name and its exporter.
    pub exporters: Vec<(String, SocketAddr)>,
    /// The remediator.
    pub remediator: SocketAddr,
    /// Alertmanager.
    pub alertmanager: SocketAddr,
    /// What stands in for the pager, the ticket system and the outside watchdog.
    pub people: SocketAddr,
}

/// The repository's root, where `alerts/` and `dashboards/` are.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `alerts/prometheus.yml` for this lab, with rule files under `rules`.
///
/// # Errors
/// If the shipped file cannot be read or does not look as expected.
pub fn prometheus(wiring: &Wiring, speed: Speed) -> Result<String, LabError> {
    let file = "prometheus.yml";
    let mut config = read(file)?;
    for key in ["scrape_interval", "evaluation_interval"] {
        faster(at(&mut config, file, &format!("/global/{key}"))?, speed);
    }
    // On a busy machine a scrape may take longer than a fraction of a short interval.
    config["global"]["scrape_timeout"] = config["global"]["scrape_interval"].clone();
    *at(
        &mut config,
        file,
        "/alerting/alertmanagers/0/static_configs/0/targets",
    )? = json!([wiring.alertmanager]);
    let exporters: Vec<Value> = wiring
        .exporters
        .iter()
        .map(|(host, address)| json!({"targets": [address], "labels": {"host": host}}))
        .collect();
    for job in array(&mut config, file, "/scrape_configs")? {
        if job["job_name"] == "vcm-exporter" {
            job["static_configs"] = Value::Array(exporters.clone());
            // Every host of the lab has the same address, so each target says its own.
            keep(job, "relabel_configs", |rule| {
                rule["target_label"] != "host"
            });
        } else {
            job["static_configs"] = json!([{"targets": [wiring.remediator]}]);
        }
    }
    Ok(config.to_string())
}

/// Every file of `alerts/rules`, with its name.
///
/// # Errors
/// If one cannot be read.
pub fn rules(speed: Speed) -> Result<Vec<(String, String)>, LabError> {
    let directory = repository().join("alerts/rules");
    let entries = std::fs::read_dir(&directory).map_err(LabError::reading(&directory))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let mut file = read(&format!("rules/{name}"))?;
            for group in array(&mut file, &name, "/groups")? {
                for rule in array(group, &name, "/rules")? {
                    faster_rule(rule, speed);
                }
            }
            Ok((name, file.to_string()))
        })
        .collect()
}

fn faster_rule(rule: &mut Value, speed: Speed) {
    for key in ["for", "keep_firing_for"] {
        if let Some(duration) = rule.get_mut(key) {
            faster(duration, speed);
        }
    }
    if let Some(expression) = rule["expr"].as_str() {
        rule["expr"] = speed.of_ranges(expression).into();
    }
}

/// `alerts/alertmanager.yml` for this lab: every receiver but the remediator's becomes a webhook
/// to `wiring.people`, under its own name.
///
/// # Errors
/// If the shipped file cannot be read or does not look as expected.
pub fn alertmanager(wiring: &Wiring, speed: Speed) -> Result<String, LabError> {
    let file = "alertmanager.yml";
    let mut config = read(file)?;
    faster_route(at(&mut config, file, "/route")?, speed);
    for receiver in array(&mut config, file, "/receivers")? {
        let name = receiver["name"].as_str().unwrap_or_default().to_owned();
        match name.as_str() {
            "remediator" => {
                let url = at(receiver, file, "/webhook_configs/0/url")?;
                let shipped = url.as_str().unwrap_or_default();
                let path = shipped.splitn(4, '/').nth(3).unwrap_or_default();
                *url = format!("http://{}/{path}", wiring.remediator).into();
            }
            "nobody" => {}
            _ => {
                let url = format!("http://{}/{name}", wiring.people);
                *receiver = json!({"name": name, "webhook_configs": [{"url": url}]});
            }
        }
    }
    Ok(config.to_string())
}

fn faster_route(route: &mut Value, speed: Speed) {
    for key in ["group_wait", "group_interval", "repeat_interval"] {
        if let Some(duration) = route.get_mut(key) {
            faster(duration, speed);
        }
    }
    for child in route
        .get_mut("routes")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        faster_route(child, speed);
    }
}

fn faster(duration: &mut Value, speed: Speed) {
    if let Some(text) = duration.as_str().and_then(|shipped| speed.of_text(shipped)) {
        *duration = text.into();
    }
}

fn read(name: &str) -> Result<Value, LabError> {
    let path = repository().join("alerts").join(name);
    let text = std::fs::read_to_string(&path).map_err(LabError::reading(&path))?;
    serde_saphyr::from_str(&text).map_err(|error| LabError::Shipped {
        file: name.to_owned(),
        problem: error.to_string(),
    })
}

fn at<'v>(value: &'v mut Value, file: &str, pointer: &str) -> Result<&'v mut Value, LabError> {
    value.pointer_mut(pointer).ok_or_else(|| LabError::Shipped {
        file: file.to_owned(),
        problem: format!("has no {pointer}"),
    })
}

fn array<'v>(
    value: &'v mut Value,
    file: &str,
    pointer: &str,
) -> Result<&'v mut Vec<Value>, LabError> {
    at(value, file, pointer)?
        .as_array_mut()
        .ok_or_else(|| LabError::Shipped {
            file: file.to_owned(),
            problem: format!("{pointer} is no list"),
        })
}

fn keep(value: &mut Value, key: &str, wanted: impl Fn(&Value) -> bool) {
    if let Some(list) = value.get_mut(key).and_then(Value::as_array_mut) {
        list.retain(wanted);
    }
}

#[cfg(test)]
mod tests;
