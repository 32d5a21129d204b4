//! Calls as the engine itself counted them: its audit log, one line per answer.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The executor's own token.
    Executor,
    /// The auditor that asks what the executor may do.
    Auditor,
    /// Anybody else.
    Other,
}

/// One answered call.
#[derive(Debug, Clone)]
pub struct Line {
    /// When it was answered.
    pub at: Timestamp,
    /// Who called.
    pub who: Who,
    /// `read`, `list`, `update`, `create` or `delete`.
    pub operation: String,
    /// Where.
    pub path: String,
    /// Whether it was refused.
    pub failed: bool,
}

impl Line {
    /// Whether it changes something.
    pub fn writes(&self) -> bool {
        !matches!(self.operation.as_str(), "read" | "list")
            && self.path != "identity/lookup/entity"
            && !self.path.starts_with("sys/capabilities")
    }

    /// Whether it is about a token and not about any object.
    pub fn is_token(&self) -> bool {
        self.path.starts_with("auth/token/") || self.path.starts_with("auth/approle/")
    }
}

/// The log and a place in it.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
}

impl Audit {
    /// The log at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its length now.
    pub fn end(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Its bytes from a place on.
    pub fn bytes_since(&self, from: u64) -> Result<Vec<u8>> {
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Every answered call from a place on. A call that a new KV mount refuses for a moment is left
    /// out: nothing was done, and it is tried again.
    pub fn since(&self, from: u64) -> Result<Vec<Line>> {
        let bytes = self.bytes_since(from)?;
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(line);
        Ok(lines.filter(|line| !line.failed).collect())
    }

    /// Bytes of request and answer lines of one caller from a place on.
    pub fn bytes_of(&self, from: u64, who: Who) -> Result<u64> {
        let bytes = self.bytes_since(from)?;
        let of = |line: &&[u8]| {
            serde_json::from_slice::<Value>(line).is_ok_and(|value| caller(&value) == who)
        };
        let lines = bytes.split(|byte| *byte == b'\n').filter(of);
        Ok(lines.map(|line| line.len() as u64 + 1).sum())
    }
}

fn caller(value: &Value) -> Who {
    match value["auth"]["metadata"]["role_name"].as_str() {
        Some("strongroom-executor") => Who::Executor,
        Some("strongroom-auditor") => Who::Auditor,
        _ => Who::Other,
    }
}

fn line(bytes: &[u8]) -> Option<Line> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    if value["type"] != "response" {
        return None;
    }
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Some(Line {
        at: text("/time").parse().ok()?,
        who: caller(&value),
        operation: text("/request/operation").to_owned(),
        path: text("/request/path").to_owned(),
        failed: value["error"].as_str().is_some_and(|error| !error.is_empty()),
    })
}

/// Reads and writes of the executor on objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// By kind: reads, writes.
    pub kinds: BTreeMap<&'static str, (u64, u64)>,
}

impl Calls {
    /// Counts the executor's calls.
    pub fn of(lines: &[Line]) -> Self {
        let mut calls = Self::default();
        for line in lines.iter().filter(|line| line.who == Who::Executor && !line.is_token()) {
            let (reads, writes) = calls.kinds.entry(kind(&line.path)).or_default();
            if line.writes() {
                *writes += 1;
            } else {
                *reads += 1;
            }
        }
        calls
    }

    /// All reads.
    pub fn reads(&self) -> u64 {
        self.kinds.values().map(|(reads, _)| reads).sum()
    }

    /// All writes.
    pub fn writes(&self) -> u64 {
        self.kinds.values().map(|(_, writes)| writes).sum()
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = self.kinds.iter().map(|(kind, (r, w))| format!("{kind} {r}r+{w}w"));
        f.write_str(&each.collect::<Vec<_>>().join(", "))
    }
}

fn kind(path: &str) -> &'static str {
    match path {
        _ if path.starts_with("sys/mounts/team/") => "mount",
        _ if path.starts_with("team/") && path.ends_with("/config") => "mount-config",
        _ if path.starts_with("sys/quotas/rate-limit/") => "rate-limit",
        _ if path.starts_with("sys/policies/acl/team.") => "policy",
        _ if path.contains("/role/") => "role",
        _ if path.starts_with("identity/group/name/team.") => "group",
        _ if path.starts_with("identity/group") => "anchor",
        _ if path.starts_with("identity/") => "entity",
        _ if path.starts_with("strongroom/data/heads/") => "head",
        _ => "other",
    }
}
