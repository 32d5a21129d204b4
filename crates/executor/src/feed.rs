//! The engine's audit log as a feed of what was touched, and by whom.
//!
//! It only says where to look: what stands there is read from the engine. A gap in it (another
//! file, a shorter one) means that everything is looked at. No value is kept from it.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::Value;
use strongroom_engine::WRITE_ID_HEADER;
use strongroom_vault_model::bootstrap::EXECUTOR_ROLE;

/// The most bytes read at once; the rest waits for the next look.
const MOST: u64 = 32 * 1024 * 1024;

/// How much of it is in memory at once, but for a line that is longer.
const BUFFER: usize = 256 * 1024;

/// What a line says before its operation.
static OPERATION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"operation\":\""));

/// Operations that write, as they end in a line.
const WRITES: [&str; 4] = ["update\"", "create\"", "delete\"", "patch\""];

/// A configuration path that somebody else wrote to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) path: String,
    /// Who, from where and when, to read.
    pub(crate) who: String,
}

/// What the feed tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing can be said: look at everything.
    Gap,
    /// Only this was touched by others.
    Touched(Vec<Touch>),
}

/// Where in which file the reading stands.
#[derive(Debug)]
pub(crate) struct Feed {
    path: PathBuf,
    place: Option<(u64, u64)>,
    rest: Vec<u8>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    auth: Option<Auth>,
    request: Request,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    entity_id: String,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    operation: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    remote_address: String,
    #[serde(default)]
    headers: Value,
}

impl Feed {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, place: None, rest: Vec::new() }
    }

    /// Reads what was added since the last look.
    pub(crate) fn read(&mut self) -> std::io::Result<News> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let (inode, length) = (metadata.ino(), metadata.len());
        let Some((known, offset)) = self.place.filter(|(i, at)| *i == inode && *at <= length)
        else {
            self.place = Some((inode, length));
            self.rest.clear();
            return Ok(News::Gap);
        };
        file.seek(SeekFrom::Start(offset))?;
        match self.lines(file.take(MOST)) {
            Ok((read, touched)) => {
                self.place = Some((known, offset + read));
                Ok(News::Touched(touched))
            }
            Err(error) => {
                // Some of it was read: what it told is lost with it.
                self.place = None;
                Err(error)
            }
        }
    }

    /// Reads to the end, however long, through one small buffer.
    fn lines(&mut self, mut from: impl Read) -> std::io::Result<(u64, Vec<Touch>)> {
        let mut buffer = vec![0; BUFFER];
        let (mut read, mut touched) = (0, Vec::new());
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 {
                return Ok((read, touched));
            }
            read += count as u64;
            for piece in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
                if !piece.ends_with(b"\n") {
                    self.rest.extend_from_slice(piece);
                } else if self.rest.is_empty() {
                    touched.extend(touch(piece));
                } else {
                    self.rest.extend_from_slice(piece);
                    touched.extend(touch(&self.rest));
                    // A line may be megabytes long; the next one is not.
                    self.rest = Vec::new();
                }
            }
        }
    }
}

/// What one line says was written by somebody else to a path that we care for.
fn touch(line: &[u8]) -> Option<Touch> {
    // Most lines are logins and reads: they are not parsed.
    let wrote = OPERATION.find_iter(line).any(|at| {
        let word = &line[at + OPERATION.needle().len()..];
        WRITES.iter().any(|write| word.starts_with(write.as_bytes()))
    });
    if !wrote {
        return None;
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    let request = &line.request;
    let written = WRITES.iter().any(|write| write.trim_end_matches('"') == request.operation);
    if line.kind != "response" || !line.error.is_empty() || !written || !is_ours(&request.path) {
        return None;
    }
    let auth = line.auth.as_ref();
    let role = auth.and_then(|auth| auth.metadata.get("role_name")).and_then(Value::as_str);
    if role == Some(EXECUTOR_ROLE) && request.headers.get(WRITE_ID_HEADER).is_some() {
        return None;
    }
    let name = auth.map_or("nobody", |auth| auth.display_name.as_str());
    let entity = auth.map(|auth| auth.entity_id.as_str()).filter(|id| !id.is_empty());
    let entity = entity.map(|id| format!(", entity {id}")).unwrap_or_default();
    let who = format!("{name}{entity} from {} at {}", request.remote_address, line.time);
    Some(Touch { path: request.path.clone(), who: who.chars().take(500).collect() })
}

/// Whether anything that Strongroom manages hangs on this path.
fn is_ours(path: &str) -> bool {
    let starts = |prefix: &str| path.starts_with(prefix);
    starts("sys/polic")
        || starts("sys/mounts/team/")
        || starts("sys/auth/")
        || starts("sys/quotas/rate-limit/")
        || starts("sys/remount")
        || starts("auth/approle/role/strongroom-")
        || starts("auth/people/config")
        || starts("auth/people/role/")
        || (starts("auth/k8s/") && !is_login(path))
        || starts("identity/group")
        || (starts("identity/entity") && !starts("identity/lookup"))
        || (starts("team/") && path.ends_with("/config"))
}

/// `auth/k8s/CLUSTER/login`, and not the role of a namespace of that name.
fn is_login(path: &str) -> bool {
    path.ends_with("/login") && path.split('/').count() == 4
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn line(operation: &str, path: &str, ours: bool) -> String {
        let headers = if ours { r#"{"x-strongroom-write":["1"]}"# } else { "{}" };
        let role = if ours { r#"{"role_name":"strongroom-executor"}"# } else { "{}" };
        format!(
            r#"{{"type":"response","time":"t","auth":{{"display_name":"mallory","metadata":{role}}},"request":{{"operation":"{operation}","path":"{path}","remote_address":"10.0.0.9","headers":{headers}}}}}"#
        ) + "\n"
    }

    #[test]
    fn only_what_others_wrote_to_managed_paths_is_told_and_gaps_are_gaps() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let mut file = File::create(&path).unwrap();
        let mut feed = Feed::new(path.clone());
        assert_eq!(feed.read().unwrap(), News::Gap);
        file.write_all(line("update", "sys/policies/acl/team.a.owner", false).as_bytes()).unwrap();
        file.write_all(line("update", "sys/policies/acl/team.b.owner", true).as_bytes()).unwrap();
        file.write_all(line("read", "sys/policies/acl/team.c.owner", false).as_bytes()).unwrap();
        file.write_all(line("update", "auth/k8s/prod-eu/login", false).as_bytes()).unwrap();
        file.write_all(b"not json \"operation\":\"update\"\n").unwrap();
        let half = line("delete", "identity/group/name/team.a.owner", false);
        file.write_all(&half.as_bytes()[..20]).unwrap();
        let News::Touched(touched) = feed.read().unwrap() else { panic!("a gap") };
        assert_eq!(touched.len(), 1);
        assert_eq!(touched[0].path, "sys/policies/acl/team.a.owner");
        assert_eq!(touched[0].who, "mallory from 10.0.0.9 at t");
        file.write_all(&half.as_bytes()[20..]).unwrap();
        let News::Touched(touched) = feed.read().unwrap() else { panic!("a gap") };
        assert_eq!(touched[0].path, "identity/group/name/team.a.owner");
        std::fs::write(&path, "").unwrap();
        assert_eq!(feed.read().unwrap(), News::Gap, "a shorter file");
        std::fs::remove_file(&path).unwrap();
        assert!(feed.read().is_err());
    }
}
