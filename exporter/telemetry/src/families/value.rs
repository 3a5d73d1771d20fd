//! Label values, borrowed from what is observed and written without being copied first.

use std::fmt::{self, Display, Write as _};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelSetEncoder};
use prometheus_client::encoding::{LabelValueEncoder, NoLabelSet};

use crate::metric::Family;

/// The value of one label of one sample. An empty text leaves the label out, which is the same to
/// Prometheus.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A text; escaped while it is written.
    Text(&'a str),
    /// A number, such as that of a module.
    Number(u64),
    /// What something shows itself as, never empty.
    Shown(&'a dyn Display),
}

impl Value<'_> {
    /// The label is left out.
    pub const ABSENT: Self = Self::Text("");

    fn is_absent(&self) -> bool {
        matches!(self, Self::Text(""))
    }
}

impl<'a> Value<'a> {
    /// Shows `value`; the label is left out where there is none.
    #[must_use]
    pub fn shown<D: Display>(value: Option<&'a D>) -> Self {
        value.map_or(Self::ABSENT, |value| Self::Shown(value))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Shown(shown) => write!(f, "{shown}"),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Value<'_> {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::ABSENT, Into::into)
    }
}

impl EncodeLabelValue for Value<'_> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => encoder.write_str(text),
            Self::Number(number) => EncodeLabelValue::encode(number, encoder),
            Self::Shown(shown) => write!(encoder, "{shown}"),
        }
    }
}

/// The labels of one sample.
pub(super) struct LabelSet<'a> {
    names: &'static [&'static str],
    values: &'a [Value<'a>],
    /// The label `state`, of a family of states.
    state: Option<&'static str>,
}

impl<'a> LabelSet<'a> {
    pub(super) fn new<const N: usize>(
        family: &Family<N>,
        values: &'a [Value<'a>; N],
        state: Option<&'static str>,
    ) -> Self {
        Self {
            names: family.labels,
            values,
            state,
        }
    }

    /// Whether nothing would be written, which prometheus-client would put into braces.
    pub(super) fn is_empty(&self) -> bool {
        self.state.is_none() && self.values.iter().all(Value::is_absent)
    }
}

impl EncodeLabelSet for LabelSet<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let labels = self.names.iter().zip(self.values);
        let labels = labels.filter(|(_, value)| !value.is_absent());
        for (name, value) in labels {
            write_label(encoder, name, value)?;
        }
        let state = self.state.map(Value::Text);
        state.map_or(Ok(()), |state| write_label(encoder, "state", &state))
    }
}

fn write_label(encoder: &mut LabelSetEncoder<'_>, name: &str, value: &Value<'_>) -> fmt::Result {
    let mut label = encoder.encode_label();
    let mut key = label.encode_label_key()?;
    key.write_str(name)?;
    let mut written = key.encode_label_value()?;
    value.encode(&mut written)?;
    written.finish()
}

/// The type of exemplars that are never there.
pub(super) type NoExemplar = prometheus_client::metrics::exemplar::Exemplar<NoLabelSet, f64>;
