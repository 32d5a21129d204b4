//! Files for their owner alone, written whole or not at all.

use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};

/// Makes the directory if it is not there; one that is there stays as it is.
pub fn make_dir(dir: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("make {}", dir.display()))
}

/// Writes the file; one that is there is an error, unless it is to be replaced.
pub fn write(file: &Path, bytes: &[u8], replace: bool) -> Result<()> {
    let draft = file.with_extension(format!("draft-{}", std::process::id()));
    let drafted = File::options().write(true).create_new(true).mode(0o600).open(&draft).and_then(
        |mut open| {
            open.write_all(bytes)?;
            open.sync_all()
        },
    );
    let written = drafted.and_then(|()| {
        if replace { std::fs::rename(&draft, file) } else { std::fs::hard_link(&draft, file) }
    });
    let _ = std::fs::remove_file(&draft);
    written.with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_its_owners_and_is_replaced_only_on_request() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        make_dir(&dir).unwrap();
        make_dir(&dir).unwrap();
        let file = dir.join("prod-eu-ca.pem");
        write(&file, b"one", false).unwrap();
        assert!(write(&file, b"two", false).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        write(&file, b"two", true).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "a draft is left");
    }
}
