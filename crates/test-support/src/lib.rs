//! What tests share: the one lab of a test run. A dev-dependency only.
//!
//! `cargo xtask test` starts the lab (`strongroom dev --lab`) and names its file in `STRONGROOM_LAB`.
//! A test without it fails with a sentence: a missing lab is an error, never a skip.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where everything of the shared lab is.
#[derive(Debug, Clone)]
pub struct SharedLab(Value);

impl SharedLab {
    /// Reads the lab's file.
    ///
    /// # Panics
    ///
    /// When there is no lab: tests are run by `cargo xtask test`.
    pub fn get() -> Self {
        let file = std::env::var_os("STRONGROOM_LAB")
            .expect("this test needs the shared lab: run `cargo xtask test`");
        Self::read(Path::new(&file))
    }

    /// Reads the file of a lab.
    ///
    /// # Panics
    ///
    /// When it is not one.
    pub fn read(file: &Path) -> Self {
        let bytes = std::fs::read(file).expect("the lab's file can be read while the lab is up");
        Self(serde_json::from_slice(&bytes).expect("the lab's file is JSON"))
    }

    /// A text of the lab's file, by JSON pointer.
    ///
    /// # Panics
    ///
    /// When the lab does not tell it.
    pub fn text(&self, pointer: &str) -> &str {
        let text = self.0.pointer(pointer).and_then(Value::as_str);
        text.expect("the lab's file names everything that tests ask for")
    }

    /// The lab's data directory.
    pub fn dir(&self) -> &Path {
        Path::new(self.text("/dir"))
    }

    /// The superuser's URL of the lab's Postgres.
    pub fn postgres_admin_url(&self) -> &str {
        self.text("/postgres_admin_url")
    }
}

/// The built program, which `cargo xtask test` names in `STRONGROOM_BIN`.
///
/// # Panics
///
/// When it is not named: tests are run by `cargo xtask test`.
pub fn program() -> PathBuf {
    let program = std::env::var_os("STRONGROOM_BIN");
    PathBuf::from(program.expect("this test runs the built program: run `cargo xtask test`"))
}
