//! Opens a store for `replay`, `report` and `audit history`, and says when its chain is broken: what is read from it
//! then is worth no more than the records it was made of.

use std::path::Path;

use vcm_telemetry::logging::chain;

use crate::store::audit;
use crate::store::open::OpenError;
use crate::store::reader::Reader;

/// A store that is read, also one that is broken.
pub(super) struct Opened {
    pub(super) reader: Reader,
    /// The first record that is not as it was written.
    pub(super) broken_at: Option<i64>,
}

/// Opens the store at `path`; says on standard error that its chain is broken, or that this cannot
/// be told.
#[expect(clippy::print_stderr, reason = "a person reads this at the terminal")]
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let reader = Reader::open(path)?;
    let broken = match audit::verify(path, &[]) {
        Ok(report) => report.broken,
        Err(error) => {
            let why = chain(&error);
            eprintln!("vcm-remediator: whether the chain is whole cannot be told: {why}");
            None
        }
    };
    if let Some(broken) = &broken {
        let (seq, fault) = (broken.seq, chain(&broken.fault));
        eprintln!("vcm-remediator: the chain is broken at record {seq}: {fault}");
        eprintln!("vcm-remediator: what follows rests on records that may have been changed");
    }
    Ok(Opened {
        reader,
        broken_at: broken.map(|broken| broken.seq),
    })
}
