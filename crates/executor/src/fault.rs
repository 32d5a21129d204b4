//! Places where tests break the executor off, in debug builds only: a release build has none.
//!
//! `STRONGROOM_FAULT=kill:17` ends the process at the seventeenth place it comes to,
//! `fail:17` makes that place fail, and `twice:17` does the next write twice. The places are
//! numbered in the order in which they are reached, so that a test can walk all of them.
//! `stop:step` stops the process (SIGSTOP) when it first comes to the place of that name.

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

    /// What is to happen, and at which place: its number or its name.
    static WANTED: LazyLock<Option<(String, String)>> = LazyLock::new(|| {
        let text = std::env::var("STRONGROOM_FAULT").ok()?;
        let (what, place) = text.split_once(':')?;
        Some((what.to_owned(), place.to_owned()))
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);
    static STOPPED: AtomicBool = AtomicBool::new(false);
    static TWICE: AtomicBool = AtomicBool::new(false);

    /// Comes to a place.
    pub(crate) fn point(name: &str) -> Result<(), ExecutorError> {
        let Some((what, wanted)) = &*WANTED else {
            return Ok(());
        };
        let number = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        let named = wanted == name && !STOPPED.swap(true, Ordering::SeqCst);
        if !named && wanted.parse() != Ok(number) {
            return Ok(());
        }
        tracing::warn!(place = name, number, what, "fault");
        let signal = |signal| {
            let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        };
        match what.as_str() {
            "kill" => {
                // Nothing is cleaned up, as with `kill -9`.
                signal(rustix::process::Signal::KILL);
                std::process::abort()
            }
            "stop" => {
                signal(rustix::process::Signal::STOP);
                Ok(())
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
