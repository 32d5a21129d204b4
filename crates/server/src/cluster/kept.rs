//! The files of one cluster that the floor file names: tokens, CA, and the entry itself.
//!
//! Mode 0600, and written over only with `--renew-tokens`: another cluster's files may lie there under the
//! same name.

use std::path::{Path, PathBuf};

use anyhow::Result;
use strongroom_config::file;
use strongroom_domain::name::ClusterName;
use strongroom_kubernetes::bootstrap::rights::Account;

use super::told;
use crate::private;

/// Where a cluster is reached, and whether the engine asks it about tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `https://host:port`.
    pub server: String,
    /// The CA, PEM.
    pub ca_pem: String,
    /// Whether there is a reviewer.
    pub with_reviewer: bool,
}

/// The files of one cluster.
#[derive(Debug, Clone)]
pub struct Kept {
    dir: PathBuf,
    name: ClusterName,
}

impl Kept {
    /// Nothing is read or written yet.
    pub fn new(dir: &Path, name: &ClusterName) -> Self {
        // As it is to stand in files of other directories.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Self { dir, name: name.clone() }
    }

    /// The entry of the floor file.
    pub fn floor(&self) -> PathBuf {
        self.dir.join(format!("{}-floor.yaml", self.name))
    }

    /// The CA.
    pub fn ca(&self) -> PathBuf {
        self.dir.join(format!("{}-ca.pem", self.name))
    }

    /// A token.
    pub fn token(&self, account: Account) -> PathBuf {
        self.dir.join(format!("{}-{}", self.name, account.name()))
    }

    /// The entry as a floor file in another directory needs it.
    pub fn entry(&self, place: &Place) -> String {
        told::floor_entry(&self.name, place, Some(&self.dir))
    }

    fn entry_here(&self, place: &Place) -> String {
        format!("clusters:\n{}", told::floor_entry(&self.name, place, None))
    }

    /// Why these cannot be the files of this cluster; `None` when they can, or are not there.
    pub fn another(&self, place: &Place) -> Result<Option<String>> {
        let wanted = [(self.ca(), place.ca_pem.clone()), (self.floor(), self.entry_here(place))];
        for (path, wanted) in wanted {
            if path.exists() && file::read_text(&path)?.trim() != wanted.trim() {
                return Ok(Some(format!(
                    "{} was kept for another server, CA or method than {}: name another --secrets-dir, \
                     or --renew-tokens",
                    path.display(),
                    place.server
                )));
            }
        }
        Ok(None)
    }

    /// Keeps CA and entry, unless they are kept already.
    pub fn write_place(&self, place: &Place, renew: bool) -> Result<()> {
        private::make_dir(&self.dir)?;
        let wanted = [(self.ca(), place.ca_pem.clone()), (self.floor(), self.entry_here(place))];
        for (path, wanted) in wanted {
            if renew || !path.exists() {
                private::write(&path, wanted.as_bytes(), renew)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use strongroom_config::floor::ClusterCredential;

    use super::*;

    #[test]
    fn what_is_kept_is_read_as_the_floor_file_is_and_never_taken_for_another_clusters() {
        let dir = tempfile::tempdir().unwrap();
        // A name that YAML takes for something else.
        let kept = Kept::new(&dir.path().join("kept"), &ClusterName::new("true").unwrap());
        let mut place = Place {
            server: "https://k8s.example.com:6443".into(),
            ca_pem: "CA\n".into(),
            with_reviewer: true,
        };
        assert_eq!(kept.another(&place).unwrap(), None);
        kept.write_place(&place, false).unwrap();
        kept.write_place(&place, false).unwrap();
        for account in [Account::Reader, Account::Reviewer] {
            private::write(&kept.token(account), account.name().as_bytes(), false).unwrap();
        }
        let read = ClusterCredential::read_all(&kept.floor()).unwrap();
        assert_eq!(
            (read[0].name.as_str(), read[0].server.as_str()),
            ("true", place.server.as_str())
        );
        assert_eq!(read[0].ca_pem, place.ca_pem);
        assert!(read[0].reviewer.is_some());
        // The same entry, in a floor file elsewhere.
        let floor = dir.path().join("floor.yaml");
        std::fs::write(&floor, format!("clusters:\n{}", kept.entry(&place))).unwrap();
        assert_eq!(ClusterCredential::read_all(&floor).unwrap()[0].ca_pem, place.ca_pem);

        assert_eq!(kept.another(&place).unwrap(), None);
        place.server = "https://other.example.com:6443".into();
        let why = kept.another(&place).unwrap().unwrap();
        assert!(why.contains("true-floor.yaml") && why.contains("--renew-tokens"), "{why}");
        kept.write_place(&place, true).unwrap();
        assert_eq!(kept.another(&place).unwrap(), None);
        place.ca_pem = "another\n".into();
        assert!(kept.another(&place).unwrap().unwrap().contains("true-ca.pem"));
    }
}
