//! `docs/safety-case.md` names only what is there: tests, properties of the models, stages of
//! `tests/run` and files; and it leaves no property and no row of the list of outages out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vcm_recovery::guard::Guard;

/// Rows of the list of outages.
const ROWS: usize = 38;

/// Safety and liveness properties.
const SAFETY: usize = 14;
const LIVENESS: usize = 6;

/// What a name of several words has that is no other word of this page.
const UNDERSCORES_OF_A_TEST: usize = 2;

/// Folders whose files the page may name.
const FOLDERS: [&str; 6] = [
    "alerts/",
    "docs/",
    "exporter/",
    "nshield/",
    "remediator/",
    "tests/",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/safety-case.md")).unwrap()
}

/// What stands between backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Every source file below a folder.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn all_sources() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["exporter", "nshield", "remediator", "tests"] {
        sources(&root().join(folder), &mut found);
    }
    found
}

/// The functions that follow `#[test]` or `#[tokio::test]`, whatever stands in between.
fn tests_in(source: &str) -> impl Iterator<Item = &str> {
    let is_test = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("#[test]") || line.starts_with("#[tokio::test")
    };
    let mut lines = source.lines();
    std::iter::from_fn(move || {
        lines.find(is_test)?;
        lines.find_map(|line| {
            let (_, name) = line.split_once("fn ")?;
            name.split(['(', '<']).next()
        })
    })
}

/// A name that only a test or a guard can have.
fn is_name(word: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    word.chars().all(lower) && word.matches('_').count() >= UNDERSCORES_OF_A_TEST
}

#[test]
fn every_test_that_the_page_names_exists() {
    let sources = all_sources();
    let mut known: BTreeSet<&str> = sources.iter().flat_map(|text| tests_in(text)).collect();
    assert!(known.contains("every_test_that_the_page_names_exists"));
    known.extend(Guard::ALL.iter().map(|guard| guard.as_str()));
    let page = page();
    let named: Vec<&str> = spans(&page)
        .filter(|span| !span.starts_with("tests/run "))
        .flat_map(str::split_whitespace)
        .filter(|word| is_name(word))
        .collect();
    assert!(named.len() > ROWS, "{} tests are named", named.len());
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| !known.contains(name))
        .collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:#?}");
}

/// `S2 an attempt starts at most once` is a property of a model, by its whole name.
#[test]
fn every_property_of_a_model_that_the_page_names_exists() {
    let mut models = Vec::new();
    sources(&root().join("remediator/model/src"), &mut models);
    let page = page();
    let is_property = |span: &&str| {
        let (name, rest) = span.split_at(1);
        let number = rest.split(' ').next().unwrap_or_default();
        ["S", "L"].contains(&name) && rest.contains(' ') && number.parse::<u8>().is_ok()
    };
    for span in spans(&page).filter(|span| span.is_ascii() && span.len() > 1) {
        let quoted = format!("\"{span}\"");
        let there = !is_property(&span) || models.iter().any(|model| model.contains(&quoted));
        assert!(there, "no model has a property {quoted}");
    }
}

#[test]
fn every_stage_and_file_that_the_page_names_exists() {
    let run = std::fs::read_to_string(root().join("tests/run")).unwrap();
    let page = page();
    for span in spans(&page) {
        let mut words = span.split_whitespace();
        let first = words.next().unwrap_or_default();
        if first == "tests/run" {
            for stage in words {
                let defined = format!("\n{stage}() ");
                assert!(run.contains(&defined), "tests/run has no stage {stage}");
            }
        } else if FOLDERS.iter().any(|folder| first.starts_with(folder)) {
            assert!(root().join(first).exists(), "there is no {first}");
        }
    }
}

#[test]
fn no_property_and_no_row_is_left_out() {
    let page = page();
    let safety = (1..=SAFETY).map(|n| format!("S{n}"));
    let liveness = (1..=LIVENESS).map(|n| format!("L{n}"));
    for name in safety.chain(liveness) {
        let heading = format!("\n### {name} ");
        assert_eq!(page.matches(&heading).count(), 1, "section of {name}");
    }
    for row in (1..=ROWS).map(|n| format!("\n| C{n} |")) {
        let found: Vec<&str> = page.split(&row).skip(1).collect();
        assert_eq!(found.len(), 1, "row {row}");
        let line = found[0].lines().next().unwrap_or_default();
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "cells of {row}");
        assert!(cells[..2].iter().all(|cell| !cell.is_empty()), "{row}");
    }
}
