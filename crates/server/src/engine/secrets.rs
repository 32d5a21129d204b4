//! The `RoleIDs` and first `SecretIDs`, as files that `execute.yaml` names: mode 0600, never printed, never
//! written over.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use secrecy::ExposeSecret as _;
use strongroom_config::file;
use strongroom_vault_model::bootstrap::{AUDITOR_ROLE, EXECUTOR_ROLE};
use uuid::Uuid;

use crate::private;

/// One value and its file.
pub struct Place {
    file: PathBuf,
    /// The value, from the file or made now.
    pub value: String,
    is_kept: bool,
}

impl Place {
    fn read(dir: &Path, name: &str) -> Result<Self> {
        let file = dir.join(name);
        if file.is_file() {
            let value = file::read_secret(&file)?.expose_secret().to_owned();
            let path = file.display();
            ensure!(!value.trim().is_empty(), "{path} is empty: remove it, and it is made anew");
            return Ok(Self { file, value, is_kept: true });
        }
        Ok(Self { file, value: Uuid::new_v4().to_string(), is_kept: false })
    }

    /// The value that the engine has, unless the file says another one.
    pub fn take(&mut self, value: &str) {
        if !self.is_kept {
            value.clone_into(&mut self.value);
        }
    }

    /// Writes the file whole or not at all, before the engine is told the value.
    fn write(&self) -> Result<()> {
        if self.is_kept {
            return Ok(());
        }
        private::write(&self.file, self.value.as_bytes(), false)
    }
}

/// All of them.
pub struct Secrets {
    dir: PathBuf,
    /// Of the executor.
    pub executor_role_id: Place,
    /// Its first.
    pub executor_secret_id: Place,
    /// Of the auditor.
    pub auditor_role_id: Place,
    /// Its own.
    pub auditor_secret_id: Place,
}

impl Secrets {
    /// Reads those that are there, and makes the others up; nothing is written yet.
    pub fn read(dir: &Path) -> Result<Self> {
        Ok(Self {
            executor_role_id: Place::read(dir, "role-id")?,
            executor_secret_id: Place::read(dir, "secret-id")?,
            auditor_role_id: Place::read(dir, "auditor-role-id")?,
            auditor_secret_id: Place::read(dir, "auditor-secret-id")?,
            dir: dir.to_owned(),
        })
    }

    /// The `RoleIDs` by the role they are of.
    pub fn role_ids(&mut self) -> [(&'static str, &mut Place); 2] {
        [(EXECUTOR_ROLE, &mut self.executor_role_id), (AUDITOR_ROLE, &mut self.auditor_role_id)]
    }

    /// Writes the files that are not there: of the `SecretIDs` only those that the engine is told now,
    /// by the names of the requests.
    pub fn write(&self, due: &[&str]) -> Result<()> {
        private::make_dir(&self.dir)?;
        self.executor_role_id.write()?;
        self.auditor_role_id.write()?;
        if due.contains(&"executor-secret-id") {
            self.executor_secret_id.write()?;
        }
        if due.contains(&"auditor-secret-id") {
            self.auditor_secret_id.write()?;
        }
        Ok(())
    }
}
