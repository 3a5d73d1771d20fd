//! A load hook whose calls are counted: what `serve` hands to the engine.

use std::sync::Arc;

use super::Metrics;
use crate::load::{HookCall, HttpFailure, LoadHook, LoadHookError, LoadRequest};
use crate::outward::CallError;

/// Its name as a channel of notifications.
pub(super) const CHANNEL: &str = "load_hook";

/// Every word of [`reason`].
pub(super) const REASONS: [&str; 9] = [
    "broken",
    "connect",
    "credentials",
    "exit_status",
    "output_limit",
    "request",
    "spawn",
    "status",
    "timeout",
];

/// Counts each call of the hook behind it, and each that failed.
#[derive(Debug)]
pub struct CountedHook {
    hook: Arc<dyn LoadHook>,
    metrics: Arc<Metrics>,
}

impl CountedHook {
    /// Counts the calls of `hook`.
    #[must_use]
    pub fn new(hook: Arc<dyn LoadHook>, metrics: Arc<Metrics>) -> Self {
        Self { hook, metrics }
    }
}

impl LoadHook for CountedHook {
    fn call<'a>(&'a self, request: &'a LoadRequest) -> HookCall<'a> {
        let counts = &self.metrics.counts;
        Box::pin(async move {
            counts.notifications.add([CHANNEL], 1);
            let answer = self.hook.call(request).await;
            if let Err(error) = &answer {
                counts.notifications_failed.add([CHANNEL, reason(error)], 1);
            }
            answer
        })
    }
}

/// Why a call failed, as the label `reason` has it.
const fn reason(error: &LoadHookError) -> &'static str {
    match error {
        LoadHookError::Http { source, .. } => match source {
            HttpFailure::Status { .. } => "status",
            HttpFailure::NoAnswer(CallError::Credentials(_)) => "credentials",
            HttpFailure::NoAnswer(CallError::Connect(_)) => "connect",
            HttpFailure::NoAnswer(CallError::Broken(_)) => "broken",
            HttpFailure::NoAnswer(CallError::Timeout(_)) => "timeout",
            HttpFailure::NoAnswer(CallError::Request(_)) => "request",
        },
        LoadHookError::Start(_) => "spawn",
        LoadHookError::Failed { .. } => "exit_status",
        LoadHookError::TimedOut { .. } => "timeout",
        LoadHookError::PrintedTooMuch { .. } => "output_limit",
    }
}
