//! What a single value may be. The messages never repeat the value.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::Scalar;

/// Takes text.
///
/// # Errors
///
/// If it is a number or a boolean, which are text only in quotes.
pub fn text(scalar: &Scalar) -> Result<String, String> {
    as_text(scalar).map(str::to_owned)
}

/// Takes text and makes something of it; `parse` says what is wrong without repeating the value.
pub fn text_as<T>(
    parse: impl Fn(&str) -> Result<T, String>,
) -> impl Fn(&Scalar) -> Result<T, String> {
    move |scalar| parse(as_text(scalar)?)
}

/// Takes text that is a `T`; `what` completes "is not ...".
pub fn parsed<T: FromStr>(what: &str) -> impl Fn(&Scalar) -> Result<T, String> {
    move |scalar| {
        let text = as_text(scalar)?;
        text.parse().map_err(|_| format!("is not {what}"))
    }
}

/// Takes `true` or `false` and no other spelling.
///
/// # Errors
///
/// If it is anything else.
pub fn boolean(scalar: &Scalar) -> Result<bool, String> {
    match scalar {
        Scalar::Boolean(value) => Ok(*value),
        Scalar::Integer(_) | Scalar::Float(_) | Scalar::Text(_) => {
            Err("is not true or false".to_owned())
        }
    }
}

/// Takes a whole number of a range.
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&Scalar) -> Result<T, String>
where
    T: TryFrom<i128> + PartialOrd + Display,
{
    move |scalar| {
        let number = match scalar {
            Scalar::Integer(number) => T::try_from(*number).ok(),
            Scalar::Boolean(_) | Scalar::Float(_) | Scalar::Text(_) => None,
        };
        let usable = number.filter(|number| range.contains(number));
        usable.ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            format!("is not a whole number from {from} to {to}")
        })
    }
}

/// Takes a duration of a range, written such as `30s`.
pub fn duration_in(
    range: RangeInclusive<Duration>,
) -> impl Fn(&Scalar) -> Result<Duration, String> {
    move |scalar| {
        let text = match scalar {
            Scalar::Text(text) => text,
            Scalar::Integer(_) | Scalar::Float(_) => {
                return Err("has no unit: write a duration such as 30s".to_owned());
            }
            Scalar::Boolean(_) => return Err("is not a duration such as 30s".to_owned()),
        };
        let duration = humantime::parse_duration(text)
            .map_err(|_| "is not a duration such as 30s".to_owned())?;
        let usable = range.contains(&duration).then_some(duration);
        usable.ok_or_else(|| {
            let [from, to] =
                [range.start(), range.end()].map(|end| humantime::format_duration(*end));
            format!("is not from {from} to {to}")
        })
    }
}

fn as_text(scalar: &Scalar) -> Result<&str, String> {
    match scalar {
        Scalar::Text(text) => Ok(text),
        Scalar::Boolean(_) => Err("is a boolean; write text in quotes".to_owned()),
        Scalar::Integer(_) | Scalar::Float(_) => {
            Err("is a number; write text in quotes".to_owned())
        }
    }
}
