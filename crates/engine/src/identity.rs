//! Entities and their aliases. The engine overwrites by name without asking, so callers look first.

use serde_json::{Value, json};

use crate::answer::Envelope;
use crate::error::{EngineError, Failure};
use crate::session::Session;

/// An entity as the engine tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// The engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether logins and tokens of it are refused.
    pub disabled: bool,
    /// Policies on the entity itself; ours carry none.
    pub policies: Vec<String>,
    /// Groups it is directly in.
    pub groups: Vec<String>,
    /// Its aliases.
    pub aliases: Vec<Alias>,
    /// Its metadata.
    pub metadata: Value,
}

/// One alias of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The engine's id.
    pub id: String,
    /// The name at the auth mount; for Kubernetes the UID.
    pub name: String,
    /// The auth mount.
    pub mount_accessor: String,
}

fn parse(data: &Value) -> Option<Entity> {
    let text = |value: &Value, name: &str| value.get(name)?.as_str().map(str::to_owned);
    let texts = |name: &str| -> Vec<String> {
        let items = data.get(name).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let alias = |value: &Value| {
        Some(Alias {
            id: text(value, "id")?,
            name: text(value, "name")?,
            mount_accessor: text(value, "mount_accessor")?,
        })
    };
    let aliases = data.get("aliases").and_then(Value::as_array);
    Some(Entity {
        id: text(data, "id")?,
        name: text(data, "name")?,
        disabled: data.get("disabled").and_then(Value::as_bool).unwrap_or(false),
        policies: texts("policies"),
        groups: texts("direct_group_ids"),
        aliases: aliases.into_iter().flatten().map(alias).collect::<Option<_>>()?,
        metadata: data.get("metadata").cloned().unwrap_or_default(),
    })
}

fn parsed(data: &Value, template: &'static str) -> Result<Entity, EngineError> {
    parse(data).ok_or_else(|| {
        EngineError::new(Failure::Malformed("not the shape of an entity".into()), template)
    })
}

/// The entity that holds an alias.
pub async fn entity_by_alias(
    session: &Session,
    alias: &str,
    mount_accessor: &str,
) -> Result<Option<Entity>, EngineError> {
    let template = "identity/lookup/entity";
    let body = json!({ "alias_name": alias, "alias_mount_accessor": mount_accessor });
    // Nothing found is 204 without a body.
    let envelope = session.write(template, template, &body).await?;
    if envelope.data.is_null() { Ok(None) } else { parsed(&envelope.data, template).map(Some) }
}

/// The entity of this name.
pub async fn entity_by_name(session: &Session, name: &str) -> Result<Option<Entity>, EngineError> {
    let template = "identity/entity/name/{name}";
    match session.read(&format!("identity/entity/name/{name}"), template).await? {
        Some(data) => parsed(&data, template).map(Some),
        None => Ok(None),
    }
}

/// Gives an entity another name and metadata.
pub async fn entity_rename(
    session: &Session,
    id: &str,
    name: &str,
    metadata: &Value,
) -> Result<Envelope, EngineError> {
    let template = "identity/entity/id/{id}";
    let body = json!({ "name": name, "metadata": metadata });
    session.write(&format!("identity/entity/id/{id}"), template, &body).await
}

/// Deletes an entity and with it everything its tokens may do, for good.
pub async fn entity_delete(session: &Session, id: &str) -> Result<Envelope, EngineError> {
    let template = "identity/entity/id/{id}";
    session.delete(&format!("identity/entity/id/{id}"), template).await
}

/// Makes an alias and an entity with nothing but it; gives that entity's id. `None`: the alias was
/// there already, and stays with its entity.
///
/// Without an entity's id an alias is never moved, also when a login makes it in the same moment.
pub async fn alias_create(
    session: &Session,
    alias: &str,
    mount_accessor: &str,
) -> Result<(Option<String>, Envelope), EngineError> {
    let template = "identity/entity-alias";
    let body = json!({ "name": alias, "mount_accessor": mount_accessor });
    let envelope = session.write(template, template, &body).await?;
    let id = envelope.data.get("canonical_id").and_then(Value::as_str).map(str::to_owned);
    Ok((id, envelope))
}
