//! Documents: the declared wishes of teams and platform, in one schema for every way in.
//!
//! A document is decoded from YAML or JSON by hand into typed values, so that every fault is told
//! at once with a JSON pointer and a line, and so that a value of these types is proof that the
//! rules hold (invariant I1). What a document becomes in the engine is decided in `plan`.

pub mod cluster;
pub mod duration;
pub mod node;
pub mod platform;
pub mod reader;
pub mod schema;
pub mod team;

use serde::Serialize;
use serde_json::Value;
use strongroom_vault_model::canonical::{self, Digest};

pub use cluster::Cluster;
pub use platform::Platform;
pub use team::Team;

use crate::subject::Subject;
use node::Node;
use reader::Reader;

/// The only API version there is.
pub const API_VERSION: &str = "strongroom.dev/v1";

/// The most bytes one document may have.
pub const MAX_BYTES: usize = 256 * 1024;

/// One thing wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the place.
    pub pointer: String,
    /// Line in the YAML text, counted from 1, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{}: ", field_path(&self.pointer))?;
        }
        f.write_str(&self.message)
    }
}

/// A JSON pointer into a document as people write fields: `spec.mounts[0].name`; the number of a
/// document among several in front of it, counted from 1.
pub fn field_path(pointer: &str) -> String {
    let mut path = String::new();
    for (place, segment) in pointer.split('/').skip(1).enumerate() {
        let name = segment.replace("~1", "/").replace("~0", "~");
        match segment.parse::<usize>() {
            Ok(number) if place == 0 => path = format!("document {}", number + 1),
            Ok(number) => path.extend(["[", &number.to_string(), "]"]),
            Err(_) if path.is_empty() => path = name,
            Err(_) if place == 1 && path.starts_with("document ") => {
                path = format!("{path}, {name}");
            }
            Err(_) => path.extend([".", &name]),
        }
    }
    path
}

/// A declared wish about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A tenant.
    Team(Box<Team>),
    /// A Kubernetes cluster.
    Cluster(Box<Cluster>),
    /// The rules of the deployment.
    Platform(Box<Platform>),
}

impl Document {
    /// What the document is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Team(team) => Subject::Team(team.name.clone()),
            Self::Cluster(cluster) => Subject::Cluster(cluster.name.clone()),
            Self::Platform(_) => Subject::Platform,
        }
    }

    /// The document as a JSON value in its normal form; decoding it gives an equal document.
    pub fn to_value(&self) -> Value {
        let (kind, name, spec) = match self {
            Self::Team(team) => ("Team", team.name.as_str(), team.spec_value()),
            Self::Cluster(cluster) => ("Cluster", cluster.name.as_str(), cluster.spec_value()),
            Self::Platform(platform) => ("Platform", "platform", platform.spec_value()),
        };
        serde_json::json!({
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": { "name": name },
            "spec": spec,
        })
    }

    /// The canonical bytes (RFC 8785) of [`Self::to_value`].
    pub fn canonical(&self) -> Vec<u8> {
        canonical::to_bytes(&self.to_value())
            .expect("a document holds only text, integers, booleans, lists and maps with text keys")
    }

    /// SHA-256 of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// Decodes one JSON value.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Fault>> {
        decode(&Node::from_json(value).map_err(|fault| vec![fault])?)
    }

    /// Decodes canonical bytes as they are stored; anything else than the bytes that
    /// [`Self::canonical`] would write is refused.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, Vec<Fault>> {
        let whole = |message: &str| {
            vec![Fault { pointer: String::new(), line: None, message: message.to_owned() }]
        };
        if bytes.len() > MAX_BYTES {
            return Err(whole("the document is larger than 256 KiB"));
        }
        let value: Value =
            serde_json::from_slice(bytes).map_err(|_| whole("the document is not JSON"))?;
        let document = Self::from_value(&value)?;
        if document.canonical() != bytes {
            return Err(whole("the document is not in its canonical form"));
        }
        Ok(document)
    }

    /// Decodes a YAML text of one or several documents (`---` between them).
    ///
    /// All faults of all documents are told; pointers start with the document's number (from 0)
    /// when there are several.
    pub fn from_yaml(text: &str) -> Result<Vec<Self>, Vec<Fault>> {
        let nodes = Node::from_yaml(text).map_err(|fault| vec![fault])?;
        let several = nodes.len() > 1;
        let mut documents = Vec::new();
        let mut faults = Vec::new();
        for (number, node) in nodes.iter().enumerate() {
            match decode(node) {
                Ok(document) => documents.push(document),
                Err(more) => faults.extend(more.into_iter().map(|mut fault| {
                    if several {
                        fault.pointer = format!("/{number}{}", fault.pointer);
                    }
                    fault
                })),
            }
        }
        if faults.is_empty() { Ok(documents) } else { Err(faults) }
    }

    /// The document as YAML that decodes to an equal document.
    pub fn to_yaml(&self) -> String {
        node::to_yaml(&self.to_value())
    }
}

fn decode(node: &Node) -> Result<Document, Vec<Fault>> {
    let reader = Reader::new(node);
    let document = decode_kind(&reader);
    let faults = reader.into_faults();
    match document {
        Some(document) if faults.is_empty() => Ok(document),
        _ => Err(faults),
    }
}

fn decode_kind(reader: &Reader<'_>) -> Option<Document> {
    let root = reader.root().map(&["apiVersion", "kind", "metadata", "spec"])?;
    let version = root.required("apiVersion").and_then(|field| field.text(1, 64));
    if let Some(version) = version
        && version != API_VERSION
    {
        root.required("apiVersion")?.fault(format!("the API version is `{API_VERSION}`"));
    }
    let kind_field = root.required("kind")?;
    let kind = kind_field.text(1, 64)?;
    let name = root
        .required("metadata")
        .and_then(|field| field.map(&["name"]))
        .and_then(|metadata| metadata.required("name"));
    let spec = root.required("spec");
    match kind.as_str() {
        "Team" => Some(Document::Team(Box::new(team::decode(&name?, &spec?)?))),
        "Cluster" => Some(Document::Cluster(Box::new(cluster::decode(&name?, &spec?)?))),
        "Platform" => Some(Document::Platform(Box::new(platform::decode(&name?, &spec?)?))),
        "Vault" => {
            kind_field.fault("documents of kind Vault are reserved and not taken yet");
            None
        }
        _ => {
            kind_field.fault("the kind is Team, Cluster or Platform");
            None
        }
    }
}

#[cfg(test)]
mod tests;
