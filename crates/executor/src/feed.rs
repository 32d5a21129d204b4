//! The engine's audit log as a feed of what was touched, and by whom.
//!
//! It only says where to look: what stands there is read from the engine. A gap in it (another
//! file, a shorter one) means that everything is looked at. No value is kept from it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use strongroom_engine::WRITE_ID_HEADER;
use strongroom_vault_model::bootstrap::EXECUTOR_ROLE;

/// The most bytes read at once; the rest waits for the next look.
const MOST: u64 = 32 * 1024 * 1024;

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
        let read = file.take(MOST).read_to_end(&mut self.rest)?;
        self.place = Some((known, offset + read as u64));
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(News::Touched(Vec::new()));
        };
        let rest = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, rest);
        let touched = whole.split(|byte| *byte == b'\n').filter_map(touch).collect();
        Ok(News::Touched(touched))
    }
}

/// What one line says was written by somebody else to a path that we care for.
fn touch(line: &[u8]) -> Option<Touch> {
    // Most lines are logins and reads: they are not parsed.
    let says = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
    if !(says(b"\"operation\":\"update\"")
        || says(b"\"operation\":\"create\"")
        || says(b"\"operation\":\"delete\"")
        || says(b"\"operation\":\"patch\""))
    {
        return None;
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    let request = &line.request;
    let written = matches!(request.operation.as_str(), "update" | "create" | "delete" | "patch");
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
        || (starts("auth/k8s/") && !path.ends_with("/login"))
        || starts("identity/group")
        || (starts("identity/entity") && !starts("identity/lookup"))
        || (starts("team/") && path.ends_with("/config"))
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
