//! Until when a session may send what changes something.
//!
//! Whoever writes under a lease closes the window in time. A process that was stopped between its
//! last look at the lease and the send then sends nothing when it goes on, however long ago that was.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Open without an end until somebody says when it closes. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Window(Arc<Mutex<Option<Instant>>>);

impl Window {
    /// Nothing is sent any more that could still be under way at this moment.
    pub fn closes_at(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// Whether what is sent now and takes this long at most is over in time.
    pub(crate) fn is_open_for(&self, longest: Duration) -> bool {
        let closes = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        closes.is_none_or(|at| Instant::now() + longest <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_closes_for_what_takes_too_long() {
        let window = Window::default();
        assert!(window.is_open_for(Duration::from_hours(1)));
        window.clone().closes_at(Instant::now() + Duration::from_mins(1));
        assert!(window.is_open_for(Duration::from_secs(50)));
        assert!(!window.is_open_for(Duration::from_secs(70)));
        window.closes_at(Instant::now());
        assert!(!window.is_open_for(Duration::ZERO));
    }
}
