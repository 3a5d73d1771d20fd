//! Reads YAML configuration files: every problem with its file, line and key.
//!
//! A serde struct stops at the first thing it does not like. Here the text first becomes a tree
//! that knows its lines ([`Document`]), and the caller reads the tree through a [`Section`], which
//! collects what is wrong: unknown, missing and repeated keys, wrong types, values out of range and
//! whatever contradiction the caller finds. All of it comes back together.
//!
//! ```
//! use std::path::Path;
//! use std::time::Duration;
//! use vcm_yaml::{Document, duration_in, integer, text};
//!
//! let file = "\
//! icmp:
//!   interval: 2h
//!   targets:
//!     - {name: vcm-a, module: 0}
//!     - {name: vcm-b, modul: 2}
//! ";
//! let document = Document::parse(Path::new("exporter.yml"), file)?;
//! let error = document
//!     .read(|root| {
//!         root.section("icmp", |icmp| {
//!             let range = Duration::from_millis(100)..=Duration::from_secs(60);
//!             let interval = icmp.optional("interval", duration_in(range));
//!             let targets = icmp.sections("targets", |target| {
//!                 let name = target.required("name", text);
//!                 let module = target.optional("module", integer(1..=65_535_u16));
//!                 Some((name?, module))
//!             });
//!             Some((interval, targets))
//!         })
//!     })
//!     .unwrap_err();
//! let lines: Vec<String> = error.lines().collect();
//! assert_eq!(lines, [
//!     "exporter.yml:2: icmp.interval: is not from 100ms to 1m",
//!     "exporter.yml:4: icmp.targets[0].module: is not a whole number from 1 to 65535",
//!     "exporter.yml:5: icmp.targets[1].modul: is not a known key; known here: name, module",
//! ]);
//! # Ok::<(), vcm_yaml::YamlError>(())
//! ```
//!
//! No message quotes a value of the file: it may be a secret.

mod document;
mod node;
mod parse;
mod section;

pub use document::{Document, FILE_SIZE_MAX, Problem, YamlError};
pub use node::Scalar;
pub use parse::{boolean, duration_in, integer, parsed, text, text_as};
pub use section::Section;
