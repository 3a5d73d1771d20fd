//! What came of a critical section.

/// What came of a critical section, once it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionEnd {
    /// Whether what it is about works: the hardserver answers, or the module is operational.
    pub works: bool,
    /// What came of it, for people.
    pub detail: String,
}

impl SectionEnd {
    /// It works.
    pub fn works(detail: impl Into<String>) -> Self {
        Self {
            works: true,
            detail: detail.into(),
        }
    }

    /// It does not, or nobody knows.
    pub fn given_up(detail: impl Into<String>) -> Self {
        Self {
            works: false,
            detail: detail.into(),
        }
    }
}
