//! What is kept of what a command printed: visible text, without key hashes, cut.

/// The most that is kept, in characters.
pub(super) const OUTPUT_KEPT: usize = 1_000;

/// This many hexadecimal digits in a row are a key hash, and are not kept.
const HEX_RUN: usize = 32;

/// What stands in place of a hash.
const REDACTED: &str = "<hex>";

/// What stands behind text that was cut.
const CUT: &str = " ...";

/// Redacts before it cuts: a hash that is cut in two would no longer look like one.
pub(super) fn kept(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let visible: String = text.chars().filter(|c| *c == '\n' || visible(*c)).collect();
    let redacted = redacted(visible.trim());
    let mut kept: String = redacted.chars().take(OUTPUT_KEPT).collect();
    if kept.len() < redacted.len() {
        kept.push_str(CUT);
    }
    kept
}

/// Neither a control character nor one that only changes how others are shown.
fn visible(c: char) -> bool {
    let shapes = matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !shapes
}

fn redacted(text: &str) -> String {
    let hex = |c: char| c.is_ascii_hexdigit();
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(hex) {
        let (before, run) = rest.split_at(begin);
        let end = run.find(|c| !hex(c)).unwrap_or(run.len());
        let (run, behind) = run.split_at(end);
        kept.push_str(before);
        kept.push_str(if run.len() >= HEX_RUN { REDACTED } else { run });
        rest = behind;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn keeps_visible_text_without_hashes() {
        let hashed = format!("hash {HASH}, beef");
        let split = format!("{}\x1b{}", &HASH[..20], &HASH[20..]);
        for (printed, expected) in [
            (
                "Module 1, command RetryFailedModule: OK\r\n",
                "Module 1, command RetryFailedModule: OK",
            ),
            ("\x1b[31mred\n\n", "[31mred"),
            ("a\u{202e}b\u{200b}c\u{7}", "abc"),
            (&hashed, "hash <hex>, beef"),
            (&split, "<hex>"),
            ("", ""),
        ] {
            assert_eq!(kept(printed.as_bytes()), expected, "{printed:?}");
        }
        kept(&[0xff, 0xfe, b'a']);
    }

    #[test]
    fn a_hash_that_the_cut_would_go_through_is_redacted_too() {
        for before in OUTPUT_KEPT - HASH.len()..OUTPUT_KEPT {
            let kept = kept(format!("{} {HASH}{HASH} tail", "-".repeat(before)).as_bytes());
            assert!(!kept.contains("0123"), "{before}: {kept}");
        }
        assert_eq!(
            kept(&[b'x'; 100_000]).chars().count(),
            OUTPUT_KEPT + CUT.len()
        );
    }

    proptest! {
        #[test]
        fn never_keeps_a_hash_a_control_character_or_too_much(bytes: Vec<u8>, at in 0_usize..64) {
            let mut printed = bytes;
            let at = at.min(printed.len());
            printed.splice(at..at, HASH.bytes());
            let kept = kept(&printed);
            prop_assert!(!kept.contains(&HASH[4..36]));
            prop_assert!(kept.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert!(kept.chars().count() <= OUTPUT_KEPT + CUT.len());
        }
    }
}
