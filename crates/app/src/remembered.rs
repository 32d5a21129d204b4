//! What was made from the applied documents, kept until its key is another.
//!
//! One process asks often and the documents change seldom. Without a key nothing is kept: then nobody
//! could tell when it is over.

use std::sync::{Arc, PoisonError, RwLock};

/// One value with the key it was made for.
#[derive(Debug)]
pub(crate) struct Remembered<K, T>(RwLock<Option<(K, Arc<T>)>>);

impl<K, T> Default for Remembered<K, T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

impl<K: PartialEq, T> Remembered<K, T> {
    /// What was made for just this key.
    pub(crate) fn of(&self, key: Option<&K>) -> Option<Arc<T>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(of, _)| Some(of) == key).map(|(_, value)| Arc::clone(value))
    }

    /// Keeps what was made for a key instead of what was kept.
    pub(crate) fn keep(&self, key: Option<K>, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *known = key.map(|key| (key, Arc::clone(&value)));
        value
    }
}
