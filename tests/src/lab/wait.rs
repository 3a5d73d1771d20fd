//! Waiting for conditions, never for times.

use std::time::{Duration, Instant};

use super::LabError;

/// How long to pause between two looks. Everything that is looked at is on this machine.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until `look` finds something, and returns it.
///
/// `look` answers `Ok(None)` while there is nothing yet; its errors end the wait at once.
///
/// # Errors
/// If `patience` is over, naming `what` was awaited; or an error of `look`.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    look: impl AsyncFnMut() -> Result<Option<T>, LabError>,
) -> Result<T, LabError> {
    until_every(PAUSE, what, patience, look).await
}

/// The same, with `pause` between two looks: for looks that cost something, where many wait.
///
/// # Errors
/// As [`until`].
pub async fn until_every<T>(
    pause: Duration,
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, LabError>,
) -> Result<T, LabError> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(LabError::NotYet {
                what: what.to_owned(),
                patience,
            });
        }
        tokio::time::sleep(pause).await;
    }
}

/// Checks that `look` finds nothing for the whole of `span`.
///
/// # Errors
/// If it finds something; or an error of `look`.
pub async fn never<T: std::fmt::Debug>(
    what: &str,
    span: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, LabError>,
) -> Result<(), LabError> {
    let deadline = Instant::now() + span;
    while Instant::now() < deadline {
        if let Some(found) = look().await? {
            let found = format!("{found:?}");
            return Err(LabError::Unwanted {
                what: what.to_owned(),
                found,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn returns_what_it_found_and_names_what_it_missed() {
        let mut left = 3;
        let found = until("the third look", Duration::from_secs(5), async || {
            left -= 1;
            Ok((left == 0).then_some("here"))
        });
        assert_eq!(found.await.unwrap(), "here");

        let missed = until::<()>("a miracle", Duration::from_millis(80), async || Ok(None)).await;
        assert!(missed.unwrap_err().to_string().contains("a miracle"));
    }

    #[tokio::test]
    async fn notices_what_must_never_come() {
        let mut looks = 0;
        let seen = never("the second look", Duration::from_secs(5), async || {
            looks += 1;
            Ok((looks == 2).then_some(looks))
        });
        assert!(seen.await.is_err());
        assert!(
            never::<()>("it", Duration::from_millis(80), async || Ok(None))
                .await
                .is_ok()
        );
    }
}
