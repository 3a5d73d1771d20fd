//! Two hundred modules: each is exposed like one alone.

use std::collections::BTreeMap;

use crate::estate;
use crate::golden::Exposed;
use crate::host::{Host, look};

const MODULES: u16 = 200;

async fn exposed(modules: u16) -> Exposed {
    let host = Host::healthy("enquiry-healthy.txt");
    for (tool, text) in [
        ("enquiry", estate::enquiry(modules)),
        ("stattree", estate::stattree(modules)),
    ] {
        let file = host.file(&format!("{tool}.txt"));
        std::fs::write(&file, text).unwrap();
        host.tool(tool, &format!("exec cat {}", file.display()));
    }
    let exporter = host.exporter();
    look(&exporter).await;
    Exposed::by(&exporter).await
}

/// The samples of each module with its own number, serial number and address taken out.
fn by_module(exposed: &Exposed) -> BTreeMap<u16, Vec<String>> {
    let mut found: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for line in exposed.text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once("module=\"") else {
            continue;
        };
        let number: u16 = rest.split('"').next().unwrap().parse().unwrap();
        let anonymous = line
            .replace(&format!("module=\"{number}\""), "module=\"*\"")
            .replace(&estate::esn(number), "*")
            .replace(&estate::address(number), "*");
        found.entry(number).or_default().push(anonymous);
    }
    found
}

#[tokio::test]
async fn two_hundred_modules_are_exposed_like_one() {
    let one = by_module(&exposed(1).await).remove(&1).unwrap();
    assert!(
        (30..=80).contains(&one.len()),
        "{} series per module",
        one.len()
    );
    let many = by_module(&exposed(MODULES).await);
    assert_eq!(many.len(), usize::from(MODULES));
    for (number, samples) in many {
        assert_eq!(samples, one, "module {number}");
    }
}
