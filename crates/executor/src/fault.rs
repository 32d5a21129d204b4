//! Places where tests break the executor off, in debug builds only: a release build has none.
//!
//! `STRONGROOM_FAULT=kill:17` ends the process at the seventeenth place it comes to,
//! `fail:17` makes that place fail, and `twice:17` does the next write twice. The places are
//! numbered in the order in which they are reached, so that a test can walk all of them.

use crate::error::ExecutorError;

/// Comes to a place.
#[cfg(not(debug_assertions))]
#[expect(clippy::unnecessary_wraps, reason = "a debug build can fail here")]
#[inline]
pub(crate) fn point(_name: &str) -> Result<(), ExecutorError> {
    Ok(())
}

/// Whether the next write is to be done twice.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn twice() -> bool {
    false
}

#[cfg(debug_assertions)]
pub(crate) use debug::{point, twice};

#[cfg(debug_assertions)]
mod debug {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::ExecutorError;

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("STRONGROOM_FAULT").ok()?;
        let (what, number) = text.split_once(':')?;
        Some((what.to_owned(), number.parse().ok()?))
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);
    static TWICE: AtomicBool = AtomicBool::new(false);

    /// Comes to a place.
    pub(crate) fn point(name: &str) -> Result<(), ExecutorError> {
        let Some((what, number)) = &*WANTED else {
            return Ok(());
        };
        let reached = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        if reached != *number {
            return Ok(());
        }
        tracing::warn!(place = name, number, what, "fault");
        match what.as_str() {
            "kill" => {
                // Nothing is cleaned up, as with `kill -9`.
                let own = rustix::process::getpid();
                let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
                std::process::abort()
            }
            "twice" => {
                TWICE.store(true, Ordering::SeqCst);
                Ok(())
            }
            _ => Err(ExecutorError::Wait(format!("fault at {name} ({number})"))),
        }
    }

    /// Whether the next write is to be done twice.
    pub(crate) fn twice() -> bool {
        TWICE.swap(false, Ordering::SeqCst)
    }
}
