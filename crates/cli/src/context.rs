//! The context file: one deployment's pinned trust and one person's session.
//!
//! It is readable by its owner only. The pinned half is what every later answer of the server is
//! measured against; the session half is worth what the person may read in the API, never an act.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::api::types::{PersonView, TrustView};
use crate::args::Globals;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::trust::Trust;

/// The version of the file's shape.
const VERSION: u32 = 1;

/// What the file holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Context {
    version: u32,
    /// The server.
    pub server: Url,
    /// What was pinned at the first sign-in.
    pub trust: TrustView,
    /// The session, while somebody is signed in.
    pub session: Option<SavedSession>,
}

/// A session as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SavedSession {
    /// The token.
    pub token: String,
    /// When it ends at the latest.
    pub expires_at: String,
    /// Who signed in.
    pub person: PersonView,
}

impl Context {
    /// A context for a server.
    pub fn new(server: Url, trust: TrustView, session: Option<SavedSession>) -> Self {
        Self { version: VERSION, server, trust, session }
    }
}

/// Where the context file is: as told, else in the person's state directory.
pub fn path(globals: &Globals) -> Result<PathBuf, Failure> {
    if let Some(path) = &globals.context {
        return Ok(path.clone());
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).map(|dir| dir.join("strongroom/context.json")).ok_or_else(|| {
        Failure::usage("find the context file")
            .because("neither XDG_STATE_HOME nor HOME is set")
            .next("name a file with --context or STRONGROOM_CONTEXT")
    })
}

/// Reads the context; `None` when there is none yet.
pub fn read(path: &Path) -> Result<Option<Context>, Failure> {
    let failed = || Failure::new(Exit::Failed, format!("read the context file {}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed().caused_by(&error)),
    };
    let mode = std::fs::metadata(path).map_err(|error| failed().caused_by(&error))?.permissions();
    if mode.mode() & 0o077 != 0 {
        return Err(failed()
            .because("others may read or change it, and it holds a session and pinned trust")
            .next(format!("run `chmod 600 {}` if you believe its content", path.display())));
    }
    let spoilt =
        || failed().next("move it away and run `strongroom login`; compare the fingerprints then");
    // The parser's own message could quote the token.
    let context: Context = serde_json::from_str(&text)
        .map_err(|error| spoilt().because(format!("it is damaged in line {}", error.line())))?;
    if context.version != VERSION {
        return Err(spoilt().because("it is of another version of this program"));
    }
    Ok(Some(context))
}

/// Writes the context whole or not at all.
pub fn write(path: &Path, context: &Context) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(Exit::Failed, format!("write the context file {}", path.display()))
            .caused_by(error)
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| failed(&error))?;
    }
    let text = serde_json::to_string_pretty(context).map_err(|error| failed(&error))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", uuid::Uuid::new_v4()));
    let beside = path.with_file_name(name);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(&error)
    })
}

/// The pinned trust of this context, checked; `None` before the first sign-in.
pub fn pinned_trust(globals: &Globals) -> Result<Option<Trust>, Failure> {
    let path = path(globals)?;
    read(&path)?.map(|context| check(&path, context.trust)).transpose()
}

/// Checks what a context file holds as trust.
pub fn check(path: &Path, trust: TrustView) -> Result<Trust, Failure> {
    Trust::new(trust).map_err(|error| {
        Failure::new(Exit::Failed, format!("read the context file {}", path.display()))
            .caused_by(&error)
            .next("move it away and run `strongroom login`; compare the fingerprints then")
    })
}

#[cfg(test)]
mod tests {
    use strongroom_acts::SigningKey;

    use super::*;

    #[test]
    fn a_context_is_kept_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/context.json");
        assert!(read(&path).unwrap().is_none());
        let key = SigningKey::generate().unwrap().public();
        let session = SavedSession {
            token: "srs_secret".into(),
            expires_at: "2026-11-24T00:00:00Z".into(),
            person: serde_json::from_str(r#"{"issuer":"i","person":"p","display":"alice"}"#)
                .unwrap(),
        };
        let server: Url = "https://strongroom.example.com".parse().unwrap();
        let context = Context::new(server, crate::trust::tests::view(&[key]), Some(session));
        write(&path, &context).unwrap();
        write(&path, &context).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let back = read(&path).unwrap().unwrap();
        assert_eq!(back.session.unwrap().token, "srs_secret");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).err().unwrap().render().contains("chmod 600"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, r#"{"token": "srs_secret"#).unwrap();
        let spoilt = read(&path).err().unwrap().render();
        assert!(!spoilt.contains("srs_secret"), "{spoilt}");
    }
}
