//! What a scrape asks for: the format by `Accept`, the coding by `Accept-Encoding`.
//!
//! Any header gets an answer: who asks for nothing that is here gets the plain text format, because
//! an answer in another format shows more than an error. The work is bounded: what a header holds
//! beyond [`RANGES`] is not read.

/// The most ranges read of one kind of header; Prometheus sends five.
const RANGES: usize = 64;

/// The most parameters read of one range.
const PARAMETERS: usize = 16;

/// A format of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0 text.
    OpenMetrics,
    /// The Prometheus text format 0.0.4.
    Text,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::OpenMetrics, Self::Text];

    /// Returns the exact header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Chooses by the values of the headers `Accept`. OpenMetrics only where it is asked for by
    /// name in version 1.0 and not less than the text format. How names are to be escaped is not
    /// read, because no name needs it.
    #[must_use]
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open_metrics, mut text) = (None, Matched::default());
        for range in ranges(accept) {
            if range.is("application/openmetrics-text") && range.fits("1.0.0") {
                open_metrics = open_metrics.max(Some(range.quality));
            } else if range.is("text/plain") && range.fits("0.0.4") {
                text.take(2, range.quality);
            } else if range.is("text/*") {
                text.take(1, range.quality);
            } else if range.is("*/*") {
                text.take(0, range.quality);
            }
        }
        match open_metrics {
            Some(quality) if quality > 0 && quality >= text.quality => Self::OpenMetrics,
            _ => Self::Text,
        }
    }
}

/// How an answer is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Self; 2] = [Self::Identity, Self::Gzip];

    /// Returns the header `Content-Encoding`, if there is to be one.
    #[must_use]
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
        }
    }

    /// Chooses by the values of the headers `Accept-Encoding`: gzip where it is accepted and
    /// nobody prefers identity.
    #[must_use]
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut gzip, mut identity) = (Matched::default(), Matched::default());
        for range in ranges(accept) {
            if range.is("gzip") || range.is("x-gzip") {
                gzip.take(1, range.quality);
            } else if range.is("identity") {
                identity.take(1, range.quality);
            } else if range.is("*") {
                gzip.take(0, range.quality);
            }
        }
        if gzip.quality > 0 && gzip.quality >= identity.quality {
            Self::Gzip
        } else {
            Self::Identity
        }
    }
}

/// The quality given by the most specific range; the highest where several are.
#[derive(Default)]
struct Matched {
    specific: u8,
    quality: u16,
}

impl Matched {
    fn take(&mut self, specific: u8, quality: u16) {
        if specific > self.specific {
            self.specific = specific;
            self.quality = quality;
        } else if specific == self.specific {
            self.quality = self.quality.max(quality);
        }
    }
}

fn ranges<'a>(values: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Range<'a>> {
    let ranges = values.into_iter().flat_map(|value| value.split(','));
    ranges.take(RANGES).map(Range::read)
}

struct Range<'a> {
    name: &'a str,
    version: Option<&'a str>,
    charset: Option<&'a str>,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Self {
            name: parts.next().unwrap_or_default(),
            version: None,
            charset: None,
            quality: 1000,
        };
        for part in parts.take(PARAMETERS) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim_matches('"');
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value).unwrap_or(0);
            } else if name.eq_ignore_ascii_case("version") {
                range.version = Some(value);
            } else if name.eq_ignore_ascii_case("charset") {
                range.charset = Some(value);
            }
        }
        range
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn fits(&self, version: &str) -> bool {
        let utf_8 = |charset: &str| charset.eq_ignore_ascii_case("utf-8");
        self.version.is_none_or(|asked| asked == version) && self.charset.is_none_or(utf_8)
    }
}

/// Reads a weight of RFC 9110, from 0 to 1 with at most three decimals, as thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !digits {
        return None;
    }
    let thousandths = format!("{whole}{decimals:0<3}").parse().ok()?;
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests;
