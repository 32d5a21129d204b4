//! Policy text: built from a typed tree, rendered in one canonical spelling, parsed back by an
//! independent HCL parser and compared.
//!
//! Only the safe subset exists here (invariant I2): allow rules, exact or `prefix/*`. There is no
//! way to write a deny, a `+`, a template or a parameter rule, because the tree cannot hold one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use crate::name::{BindingName, NameError, TeamName};
use crate::path::{SecretPath, TeamMount};

/// What may be done at a path, as the engine spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Make a value that is not there.
    Create,
    /// Delete.
    Delete,
    /// List names.
    List,
    /// Change parts of a value.
    Patch,
    /// Read.
    Read,
    /// Change a value that is there.
    Update,
}

impl Capability {
    /// The engine's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Update => "update",
        }
    }
}

/// The parts of a KV version 2 mount that have paths of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Values.
    Data,
    /// Soft deletion of versions.
    Delete,
    /// Removal of versions for good.
    Destroy,
    /// Names, versions, custom metadata.
    Metadata,
    /// The keys inside a value without their values.
    Subkeys,
    /// The way back from soft deletion.
    Undelete,
}

impl Area {
    fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Delete => "delete",
            Self::Destroy => "destroy",
            Self::Metadata => "metadata",
            Self::Subkeys => "subkeys",
            Self::Undelete => "undelete",
        }
    }
}

/// Where a rule applies: one area of one team's mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RulePath {
    /// The mount.
    pub mount: TeamMount,
    /// The area inside the mount.
    pub area: Area,
    /// The secret, or everything beneath a folder.
    pub path: SecretPath,
}

impl fmt::Display for RulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.mount, self.area.as_str(), self.path)
    }
}

impl RulePath {
    fn covers(&self, other: &Self) -> bool {
        self.mount == other.mount && self.area == other.area && self.path.covers(&other.path)
    }

    fn is_folder_of(&self, other: &Self) -> bool {
        self.mount == other.mount && self.area == other.area && self.path.is_folder_of(&other.path)
    }
}

/// The rules of one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(BTreeMap<RulePath, BTreeSet<Capability>>);

impl Rules {
    /// Allows `capabilities` at a path. Rules at the same path add up.
    pub fn allow(&mut self, path: RulePath, capabilities: &[Capability]) {
        self.0.entry(path).or_default().extend(capabilities);
    }

    /// The rules as the engine must see them: in the engine the most specific rule wins and nothing
    /// adds up over different paths, so a narrow rule takes over what wider rules allow there. A
    /// list of the folder `a/` is decided by the exact rule `a` where there is one, before `a/*`: so
    /// the rule of a secret takes over the list of the folder of its name.
    fn effective(&self) -> BTreeMap<&RulePath, BTreeSet<Capability>> {
        let widened = |path: &RulePath| {
            let wider = self.0.iter().filter(|(other, _)| other.covers(path));
            let taken = wider.flat_map(|(_, capabilities)| capabilities.iter().copied());
            let folder = self.0.iter().filter(|(other, _)| other.is_folder_of(path));
            let lists = folder.filter_map(|(_, capabilities)| capabilities.get(&Capability::List));
            taken.chain(lists.copied()).collect()
        };
        self.0.keys().map(|path| (path, widened(path))).collect()
    }

    /// The rules as the engine sees them.
    pub fn parsed(&self) -> ParsedRules {
        let words = |capabilities: BTreeSet<Capability>| {
            capabilities.iter().map(|each| each.as_str().to_owned()).collect()
        };
        self.effective().into_iter().map(|(path, all)| (path.to_string(), words(all))).collect()
    }

    /// The paths, for comparisons.
    pub fn paths(&self) -> impl Iterator<Item = &RulePath> {
        self.0.keys()
    }

    /// The canonical text: ownership lines, then one block per path in order.
    pub fn render(&self, mark: &Mark, name: &PolicyName) -> String {
        let mut text = format!(
            "# {mark}{name}\n# Written by Strongroom: change the team's document, not this text.\n"
        );
        for (path, capabilities) in self.effective() {
            let words: Vec<String> =
                capabilities.iter().map(|each| format!("\"{}\"", each.as_str())).collect();
            // Writing to a String cannot fail.
            let _ =
                write!(text, "\npath \"{path}\" {{\n  capabilities = [{}]\n}}\n", words.join(", "));
        }
        text
    }

    /// Renders, parses the text back and compares. What comes out is what the tree says.
    pub fn render_checked(&self, mark: &Mark, name: &PolicyName) -> Result<String, PolicyError> {
        let text = self.render(mark, name);
        if parse(&text)? == self.parsed() { Ok(text) } else { Err(PolicyError::Unequal) }
    }
}

/// A policy's paths and the capability words there, as a parser sees them.
pub type ParsedRules = BTreeMap<String, BTreeSet<String>>;

/// A policy text is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The text is not HCL.
    #[error("parse policy text")]
    Hcl(#[source] Box<hcl::Error>),
    /// Something outside the safe subset: a deny, a parameter rule, a template, an inner pattern.
    #[error("policy text holds something outside the safe subset: {0}")]
    Unsafe(String),
    /// The text parses to other rules than the tree it was rendered from.
    #[error("policy text does not parse back to the rules it was rendered from")]
    Unequal,
}

/// Parses a policy text with an independent HCL parser and refuses all but the safe subset.
pub fn parse(text: &str) -> Result<ParsedRules, PolicyError> {
    let body = hcl::parse(text).map_err(|error| PolicyError::Hcl(Box::new(error)))?;
    let unsafe_part = |what: &str| PolicyError::Unsafe(what.chars().take(200).collect());
    let mut rules = ParsedRules::new();
    for structure in body {
        let hcl::Structure::Block(block) = structure else {
            return Err(unsafe_part("an attribute beside the path blocks"));
        };
        if block.identifier.as_str() != "path" || block.labels.len() != 1 {
            return Err(unsafe_part(block.identifier.as_str()));
        }
        let path = block.labels[0].as_str().to_owned();
        let inner = path.strip_suffix("/*").unwrap_or(&path);
        if inner.contains(['*', '+', '{', '}', '$', '%', '"', '\\']) {
            return Err(unsafe_part(&path));
        }
        let mut words = BTreeSet::new();
        for structure in block.body {
            let hcl::Structure::Attribute(attribute) = structure else {
                return Err(unsafe_part("a block inside a path block"));
            };
            if attribute.key.as_str() != "capabilities" {
                return Err(unsafe_part(attribute.key.as_str()));
            }
            let hcl::Expression::Array(items) = attribute.expr else {
                return Err(unsafe_part("capabilities that are not a list"));
            };
            for item in items {
                match item {
                    hcl::Expression::String(word) if word != "deny" && word != "sudo" => {
                        words.insert(word);
                    }
                    other => return Err(unsafe_part(&other.to_string())),
                }
            }
        }
        if rules.insert(path.clone(), words).is_some() {
            return Err(unsafe_part(&format!("{path} twice")));
        }
    }
    Ok(rules)
}

/// The one rule of all of a token's policies that decides about a path, and what it holds: the exact
/// one, then that of the secret where a folder of its name is listed, then the longest prefix.
pub fn winner<'r, T>(rules: &'r BTreeMap<String, T>, path: &str) -> Option<(&'r str, &'r T)> {
    let get = |key: &str| rules.get_key_value(key).map(|(rule, held)| (rule.as_str(), held));
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    if let Some(found) = get(path).or_else(|| get(trimmed)) {
        return Some(found);
    }
    // Prefixes end in `/*` only: the folders of the path, from the innermost out.
    let mut key = String::with_capacity(path.len() + 1);
    path.rmatch_indices('/').find_map(|(at, _)| {
        key.clear();
        key.push_str(&path[..=at]);
        key.push('*');
        get(&key)
    })
}

/// Writes parsed rules as a policy text again, beneath a head of comment lines.
pub fn render_parsed(head: &str, rules: &ParsedRules) -> String {
    let mut text = head.to_owned();
    for (path, words) in rules {
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        text.push_str("path \"");
        text.push_str(path);
        text.push_str("\" {\n  capabilities = [");
        text.push_str(&words.join(", "));
        text.push_str("]\n}\n");
    }
    text
}

/// What a member of a team's people may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TeamRole {
    /// Decides; also soft-deletes and undeletes.
    Owner,
    /// Also sets values without reading them.
    Editor,
    /// Lists.
    Viewer,
}

impl TeamRole {
    /// The three roles.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Editor, Self::Viewer];

    /// The word in engine names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }
}

/// The name of a policy, and of the group that carries it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyName {
    /// `team.<team>.binding.<binding>`
    Binding(TeamName, BindingName),
    /// `team.<team>.owner|editor|viewer`
    People(TeamName, TeamRole),
}

/// The shared policy of what a token may do with itself; made by bootstrap, never by a plan.
pub const SELF_POLICY: &str = "strongroom.self";

impl PolicyName {
    /// The team that owns it.
    pub fn team(&self) -> &TeamName {
        match self {
            Self::Binding(team, _) | Self::People(team, _) => team,
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding(team, binding) => write!(f, "team.{team}.binding.{binding}"),
            Self::People(team, role) => write!(f, "team.{team}.{}", role.as_str()),
        }
    }
}

impl std::str::FromStr for PolicyName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = text.split('.').collect();
        match parts.as_slice() {
            ["team", team, "binding", binding] => {
                Ok(Self::Binding(TeamName::new(*team)?, BindingName::new(*binding)?))
            }
            ["team", team, role] => {
                let role = TeamRole::ALL.into_iter().find(|each| each.as_str() == *role);
                let role =
                    role.ok_or_else(|| NameError::new("policy name", text, "no such role"))?;
                Ok(Self::People(TeamName::new(*team)?, role))
            }
            _ => Err(NameError::new("policy name", text, "not one of ours")),
        }
    }
}

/// The ownership mark of one deployment, put on every engine object that can carry text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// The mark of the deployment with this id.
    pub fn new(deployment: uuid::Uuid) -> Self {
        Self(format!("strongroom:{deployment}:"))
    }

    /// The mark as text; an object's name follows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
