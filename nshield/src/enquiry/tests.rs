use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{Esn, ModuleState};

/// Provenance of both: tests/fixtures/README.md.
const HEALTHY: &str = include_str!("../../tests/fixtures/enquiry-healthy.txt");
const ONE_FAILED: &str = include_str!("../../tests/fixtures/enquiry-one-of-three-failed.txt");

fn number(number: u16) -> ModuleNumber {
    number.try_into().unwrap()
}

fn esn(text: &str) -> Esn {
    text.parse().unwrap()
}

fn states(text: &str) -> Vec<(u16, ModuleState)> {
    let enquiry = Enquiry::parse(text.as_bytes());
    enquiry
        .modules
        .iter()
        .map(|m| (m.number.get(), m.condition().state))
        .collect()
}

fn check_healthy(text: &str) {
    let enquiry = Enquiry::parse(text.as_bytes());
    assert_eq!(enquiry.gaps(), []);
    assert_eq!(enquiry.problems, []);
    assert_eq!(enquiry.unknown().count(), 0);
    let server = enquiry.server.as_ref().unwrap();
    assert_eq!(server.get("version"), Some("13.6.3"));
    assert_eq!(server.get("device name"), Some(""));
    assert_eq!(server.iter().count(), 26);
    let module = enquiry.module(number(1)).unwrap();
    assert_eq!(
        module.fields.get("max exported modules"),
        Some("100"),
        "a single space"
    );
    assert_eq!(module.fields.iter().count(), 23);
    assert_eq!(
        module.esn(),
        Some((esn("1A2B-03E0-D947"), EsnSource::SerialNumber))
    );
    assert_eq!(module.connection_ok(), Some(true));
    assert_eq!(
        module.connection_info().address,
        Some("192.0.2.11".parse().unwrap())
    );
    assert_eq!(
        module.recommended_queue(),
        Some(RecommendedQueue { min: 43, max: 150 })
    );
    assert_eq!(module.version(), Some("13.4.5"));
    assert_eq!(module.product_name(), Some("nC3025E/nC4035E/nC4335N"));
    let condition = module.condition();
    assert_eq!(
        (condition.state, condition.hardware_ok),
        (ModuleState::Operational, Some(true))
    );
}

#[test]
fn reads_a_healthy_module() {
    check_healthy(HEALTHY);
}

#[test]
fn takes_windows_line_ends_and_any_blank_lines() {
    check_healthy(&HEALTHY.replace('\n', "\r\n"));
    check_healthy(&HEALTHY.replace("\n\n", "\n"));
    check_healthy(&HEALTHY.replace("\nModule", "\n\n\nModule"));
    let trimmed: String = HEALTHY
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    check_healthy(&trimmed);
}

#[test]
fn reads_one_failed_module_of_three() {
    let enquiry = Enquiry::parse(ONE_FAILED.as_bytes());
    assert_eq!(enquiry.gaps(), []);
    use ModuleState::{Failed, Operational};
    assert_eq!(
        states(ONE_FAILED),
        [(1, Failed), (2, Operational), (3, Operational)]
    );
    let module = enquiry.module(number(1)).unwrap();
    assert_eq!(
        module.esn(),
        Some((esn("1A2B-05E0-D947"), EsnSource::ConnectionInfo))
    );
    assert_eq!(module.connection_ok(), Some(false));
    assert_eq!((module.version(), module.product_name()), (None, None));
    assert_eq!(module.recommended_queue(), None);
}

/// The variants in which a failed module may be printed; nobody has captured one.
#[test]
fn reads_every_variant_of_a_module_in_trouble() {
    let flags = " enquiry reply flags  Failed\n";
    let mode = " mode                 operational\n";
    let serial = " serial number        unknown\n";
    let hardware = " hardware status      OK\n";
    let vary = |from: &str, to: &str| ONE_FAILED.replacen(from, to, 1);
    let first = |text: &str, line: &str, to: &str| {
        let (server, modules) = text.split_once("Module #1:").unwrap();
        format!("{server}Module #1:{}", modules.replacen(line, to, 1))
    };
    use ModuleState as S;
    for (name, text, state, known_esn, hardware_ok) in [
        (
            "real ESN kept",
            vary(serial, " serial number        1A2B-05E0-D947\n"),
            S::Failed,
            true,
            Some(true),
        ),
        (
            "serial number blank",
            vary(serial, " serial number        \n"),
            S::Failed,
            true,
            Some(true),
        ),
        (
            "no ESN anywhere",
            vary("esn = 1A2B-05E0-D947; ", ""),
            S::Failed,
            false,
            Some(true),
        ),
        (
            "mode failed",
            first(ONE_FAILED, mode, " mode                 failed\n"),
            S::Failed,
            true,
            Some(true),
        ),
        (
            "mode blank",
            first(ONE_FAILED, mode, " mode                 \n"),
            S::Failed,
            true,
            Some(true),
        ),
        (
            "hardware fault",
            first(ONE_FAILED, hardware, " hardware status      SOS-B1\n"),
            S::Failed,
            true,
            Some(false),
        ),
        (
            "no hardware line",
            first(ONE_FAILED, hardware, ""),
            S::Failed,
            true,
            None,
        ),
        (
            "offline, mode blank",
            first(
                &vary(flags, " enquiry reply flags  Offline\n"),
                mode,
                " mode\n",
            ),
            S::Offline,
            true,
            Some(true),
        ),
        (
            "uninitialized",
            first(
                &vary(flags, " enquiry reply flags  none\n"),
                mode,
                " mode                 uninitialized\n",
            ),
            S::Uninitialized,
            true,
            Some(true),
        ),
        (
            "maintenance",
            first(
                &vary(flags, " enquiry reply flags  none\n"),
                mode,
                " mode                 maintenance\n",
            ),
            S::Maintenance,
            true,
            Some(true),
        ),
        (
            "unprivileged only",
            vary(flags, " enquiry reply flags  UnprivOnly\n"),
            S::Operational,
            true,
            Some(true),
        ),
    ] {
        let enquiry = Enquiry::parse(text.as_bytes());
        assert_eq!(enquiry.gaps(), [], "{name}");
        let module = enquiry.module(number(1)).unwrap();
        let condition = module.condition();
        assert_eq!(
            (condition.state, condition.hardware_ok),
            (state, hardware_ok),
            "{name}"
        );
        assert_eq!(module.esn().is_some(), known_esn, "{name}");
    }
}

#[test]
fn names_what_keeps_a_text_from_being_whole() {
    let first = SectionName::Module(number(1));
    let flags = " enquiry reply flags  none\n";
    let mode = " mode                 operational\n";
    let in_module = |from: &str, to: &str| {
        let (server, module) = HEALTHY.split_once("Module #1:").unwrap();
        format!("{server}Module #1:{}", module.replacen(from, to, 1))
    };
    let module = HEALTHY.split_once("\nModule").unwrap().1;
    for (name, text, gaps) in [
        (
            "empty",
            String::new(),
            vec![Gap::NoFinalNewline, Gap::NoServer],
        ),
        (
            "no newline",
            HEALTHY.trim_end().to_owned(),
            vec![Gap::NoFinalNewline],
        ),
        ("no server", format!("Module{module}"), vec![Gap::NoServer]),
        (
            "server without mode",
            HEALTHY.replacen(mode, "", 1),
            vec![Gap::NoMode(SectionName::Server)],
        ),
        (
            "no flags",
            in_module(flags, ""),
            vec![Gap::NoReplyFlags(first)],
        ),
        (
            "empty flags",
            in_module(flags, " enquiry reply flags\n"),
            vec![Gap::NoReplyFlags(first)],
        ),
        ("no mode", in_module(mode, ""), vec![Gap::NoMode(first)]),
        (
            "two modes",
            in_module(mode, &format!("{mode} mode                 failed\n")),
            vec![Gap::NoMode(first)],
        ),
        (
            "the same mode twice",
            in_module(mode, &mode.repeat(2)),
            vec![],
        ),
        (
            "module twice",
            format!("{HEALTHY}Module{module}"),
            vec![Gap::Repeated(first)],
        ),
        (
            "server twice",
            format!("{HEALTHY}{HEALTHY}"),
            vec![Gap::Repeated(SectionName::Server), Gap::Repeated(first)],
        ),
        (
            "server and no modules",
            HEALTHY.split_once("\nModule").unwrap().0.to_owned(),
            vec![],
        ),
    ] {
        assert_eq!(Enquiry::parse(text.as_bytes()).gaps(), gaps, "{name}");
    }
}

#[test]
fn a_damaged_header_never_gives_its_lines_to_the_module_before() {
    let text = ONE_FAILED.replace("Module #3:", "Module 3").replace(
        " serial number        3C4D-05E0-D947",
        " serial number        FFFF-05E0-D947",
    );
    let enquiry = Enquiry::parse(text.as_bytes());
    assert_eq!(enquiry.modules.len(), 2);
    let second = enquiry.module(number(2)).unwrap();
    assert_eq!(
        second.fields.all("serial number").collect::<Vec<_>>(),
        ["2B3C-05E0-D947"]
    );
    assert_eq!(enquiry.other.len(), 1);
    assert_eq!(enquiry.problems[0].kind, ProblemKind::UnknownSection);
}

#[test]
fn keeps_repeated_and_unknown_labels() {
    let added =
        " SEE machine type     gen1AES\n a label of tomorrow  7\n hardware status      OK\n";
    let text = format!("{HEALTHY}{added}");
    let enquiry = Enquiry::parse(text.as_bytes());
    let fields = &enquiry.module(number(1)).unwrap().fields;
    assert_eq!(
        fields.all("SEE machine type").collect::<Vec<_>>(),
        ["PowerPCELF", "gen1AES"]
    );
    assert_eq!(fields.get("a label of tomorrow"), Some("7"));
    assert_eq!(enquiry.unknown().count(), 1);
    assert_eq!(enquiry.gaps(), []);
}

#[test]
fn a_second_hardware_status_cannot_hide_a_fault() {
    let added = " hardware status      SOS-HV\n hardware status      OK\n";
    let enquiry = Enquiry::parse(format!("{HEALTHY}{added}").as_bytes());
    assert_eq!(
        enquiry.module(number(1)).unwrap().condition().hardware_ok,
        Some(false)
    );
}

#[test]
fn keeps_lines_it_cannot_place_as_problems() {
    let text = b" mode                 operational\nServer:\n bad\n mode                 \xff\n";
    let enquiry = Enquiry::parse(text);
    let kinds: Vec<_> = enquiry.problems.iter().map(|p| (p.line, p.kind)).collect();
    assert_eq!(
        kinds,
        [
            (1, ProblemKind::OutsideSection),
            (3, ProblemKind::Unsplit),
            (4, ProblemKind::NotUtf8)
        ]
    );
    assert_eq!(enquiry.server.unwrap().get("mode"), Some("\u{fffd}"));
}

/// Each would read as another value: an older version, a shorter queue, a fault, a lost connection.
#[test]
fn takes_no_value_from_a_last_line_without_its_end() {
    for cut in [
        " version              13.4",
        " rec. queue           43..15",
        " hardware status      O",
        " connection status    O",
        " mode                 maintenance",
        "Module #2",
    ] {
        let text = format!("Server:\n mode                 operational\nModule #1:\n{cut}");
        let enquiry = Enquiry::parse(text.as_bytes());
        let module = enquiry.module(number(1)).unwrap();
        assert_eq!(module.fields, Fields::default(), "{cut}");
        let problem = &enquiry.problems[0];
        assert_eq!((problem.line, problem.kind), (4, ProblemKind::NoEnd));
        assert_eq!(problem.text, cut.trim_end());
        assert!(!enquiry.final_newline && enquiry.other.is_empty());
    }
}

#[test]
fn two_modules_may_have_the_same_serial_number() {
    let text = ONE_FAILED.replace("3C4D-05E0-D947", "2B3C-05E0-D947");
    let enquiry = Enquiry::parse(text.as_bytes());
    assert_eq!(enquiry.gaps(), []);
    let esns: Vec<_> = enquiry
        .modules
        .iter()
        .filter_map(ModuleSection::esn)
        .collect();
    assert_eq!(esns[1], esns[2]);
}

#[test]
fn garbage_of_megabytes_is_read_in_linear_time_and_bounded() {
    let headers: String = (0..700_000)
        .map(|n| format!("Module #{}:\n", n % 60_000 + 1))
        .collect();
    let enquiry = Enquiry::parse(headers.as_bytes());
    assert_eq!(enquiry.modules.len(), 60_000);
    assert_eq!(enquiry.problems.len(), PROBLEMS_KEPT);
    assert_eq!(enquiry.further_problems, 640_000 - PROBLEMS_KEPT);
}

#[derive(Debug, Clone)]
struct Document {
    modules: BTreeSet<u16>,
    failed: BTreeSet<u16>,
    fields: Vec<(String, String)>,
    blank_lines: bool,
    crlf: bool,
}

fn document() -> impl Strategy<Value = Document> {
    let label = "[a-z][a-zA-Z.()]{0,8}( [a-zA-Z0-9.()]{1,5}){0,2}";
    let value = "([!-~]([ -~]{0,30}[!-~])?)?";
    (
        proptest::collection::btree_set(1_u16..=1_000, 0..200),
        proptest::collection::btree_set(1_u16..=1_000, 0..50),
        proptest::collection::vec((label, value), 0..8),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(modules, failed, fields, blank_lines, crlf)| {
            let fields = fields
                .into_iter()
                .filter(|(label, _)| label.len() <= 20 && label != "mode");
            Document {
                modules,
                failed,
                fields: fields.collect(),
                blank_lines,
                crlf,
            }
        })
}

impl Document {
    fn print(&self) -> String {
        let end = if self.crlf { "\r\n" } else { "\n" };
        let mut text = format!("Server:{end}");
        let section = |text: &mut String, flags: &str| {
            let fixed = [("enquiry reply flags", flags), ("mode", "operational")];
            let free = self
                .fields
                .iter()
                .map(|(label, value)| (label.as_str(), value.as_str()));
            for (label, value) in fixed.into_iter().chain(free) {
                text.push_str(&format!(" {label:<20} {value}{end}"));
            }
        };
        section(&mut text, "none");
        for module in &self.modules {
            if self.blank_lines {
                text.push_str(end);
            }
            text.push_str(&format!("Module #{module}:{end}"));
            section(
                &mut text,
                if self.failed.contains(module) {
                    "Failed"
                } else {
                    "none"
                },
            );
        }
        text
    }
}

proptest! {
    #[test]
    fn takes_any_bytes(output in proptest::collection::vec(any::<u8>(), 0..600)) {
        let enquiry = Enquiry::parse(&output);
        let _ = (enquiry.gaps(), enquiry.unknown().count());
    }

    #[test]
    fn takes_any_lines(lines in proptest::collection::vec("[ \t]?[ -~]{0,40}", 0..60)) {
        let text = format!("Server:\nModule #1:\n{}", lines.join("\n"));
        let enquiry = Enquiry::parse(text.as_bytes());
        for module in &enquiry.modules {
            let _ = (module.condition(), module.esn(), module.connection_info());
        }
    }

    #[test]
    fn loses_nothing_of_what_was_printed(document in document()) {
        let enquiry = Enquiry::parse(document.print().as_bytes());
        prop_assert_eq!(enquiry.gaps(), vec![]);
        prop_assert_eq!(&enquiry.problems, &vec![]);
        let numbers: BTreeSet<u16> = enquiry.modules.iter().map(|m| m.number.get()).collect();
        prop_assert_eq!(&numbers, &document.modules);
        for module in &enquiry.modules {
            let failed = document.failed.contains(&module.number.get());
            let expected = if failed { ModuleState::Failed } else { ModuleState::Operational };
            prop_assert_eq!(module.condition().state, expected);
            let free: Vec<_> = module.fields.iter().skip(2)
                .map(|field| (field.label.clone(), field.value.clone())).collect();
            prop_assert_eq!(&free, &document.fields);
        }
    }
}

/// What the text alone can show: a cut inside a line is always seen, a cut at the end of one only
/// where flags or mode are missing after it; and what it looks whole with is true.
#[test]
fn cut_at_any_byte_it_is_whole_only_at_a_line_end_and_then_tells_no_untruth() {
    for text in [HEALTHY, ONE_FAILED] {
        let whole = states(text);
        for cut in 0..text.len() {
            let part = &text[..cut];
            if !Enquiry::parse(part.as_bytes()).gaps().is_empty() {
                continue;
            }
            assert!(part.ends_with('\n'), "cut at {cut}");
            assert!(part.contains("Server:"), "cut at {cut}");
            let seen = states(part);
            assert_eq!(seen, whole[..seen.len()], "cut at {cut}");
        }
    }
}
