//! Builders and launchers for tests; a dev-dependency only.
