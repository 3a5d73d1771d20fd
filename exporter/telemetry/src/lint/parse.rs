//! Reads an exposition in either format, strictly.

/// What stands between two descriptions.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Family<'a> {
    /// As described: in OpenMetrics without `_total` and `_info`.
    pub(crate) name: &'a str,
    pub(crate) help: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) unit: Option<&'a str>,
    pub(crate) samples: Vec<Sample<'a>>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample<'a> {
    pub(crate) name: &'a str,
    /// Unescaped, in the order written.
    pub(crate) labels: Vec<(&'a str, String)>,
    pub(crate) value: f64,
}

impl Sample<'_> {
    /// Returns the value of a label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Returns the families in the order written and the lines that are none of the format.
pub(crate) fn families(text: &str) -> (Vec<Family<'_>>, Vec<String>) {
    let (mut families, mut problems) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line == "# EOF" {
            continue;
        }
        if read_line(line, &mut families).is_none() {
            problems.push(format!("cannot be read: {line}"));
        }
    }
    (families, problems)
}

fn read_line<'a>(line: &'a str, families: &mut Vec<Family<'a>>) -> Option<()> {
    let Some(comment) = line.strip_prefix("# ") else {
        let sample = sample(line)?;
        families.last_mut()?.samples.push(sample);
        return Some(());
    };
    let (word, rest) = comment.split_once(' ')?;
    let (name, said) = rest.split_once(' ')?;
    let known = families.last().is_some_and(|family| family.name == name);
    if !known
        || families
            .last()
            .is_some_and(|family| !family.samples.is_empty())
    {
        families.push(Family {
            name,
            ..Family::default()
        });
    }
    let family = families.last_mut()?;
    let part = match word {
        "HELP" => &mut family.help,
        "TYPE" => &mut family.kind,
        "UNIT" => &mut family.unit,
        _ => return None,
    };
    // Each part is said once.
    part.replace(said).is_none().then_some(())
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = value.strip_prefix(' ')?;
    let value = if value == "+Inf" { "inf" } else { value };
    Some(Sample {
        name,
        labels,
        value: value.parse().ok()?,
    })
}

/// Reads labels and the brace behind them; returns what follows, too.
fn labels(mut text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = quoted(rest)?;
        labels.push((name, value));
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        text = rest.strip_prefix(',')?;
    }
}

/// Reads up to the closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                _ => return None,
            }),
            char => value.push(char),
        }
    }
    None
}
