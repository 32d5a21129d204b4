//! Teams as the executor would have left them: documents, engine objects, heads and rows.
//!
//! Objects are rendered by the product's own `desired`, so what is prepared is what is managed.
//! Preparing is never measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde_json::{Value, json};
use strongroom_config::Floor;
use strongroom_domain::document::{Cluster, Document, Platform};
use strongroom_domain::head::Head;
use strongroom_engine::error::Failure;
use strongroom_engine::{EngineError, Session, kv, sys};
use strongroom_plan::desired::{Objects, desired};
use strongroom_plan::sharing::Sharing;
use strongroom_plan::stages::FloorVotes;
use strongroom_plan::{Context, Holds};
use strongroom_vault_model::name::ClusterName;
use strongroom_vault_model::object::{AnchorName, Fields, HEADS_MOUNT, ObjectKey, PEOPLE_MOUNT};
use strongroom_vault_model::policy::Mark;
use strongroom_vault_model::wire::{self, Ids};

use crate::lab::Lab;

/// How many calls go on side by side where nothing is measured.
const SIDE_BY_SIDE: usize = 16;

/// A team's document: one mount, owners and editors, one binding of one account.
pub fn document(slug: &str) -> String {
    let (owners, editors) = groups(slug);
    format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: {slug} }}\nspec:\n  \
         displayName: Bench\n  contact: bench@example.com\n  people:\n    \
         owners: [{{ group: {owners} }}]\n    editors: [{{ group: {editors} }}]\n  \
         mounts: [{{ name: kv, type: kv-v2 }}]\n  namespaces:\n    \
         - {{ cluster: prod-eu, name: {slug}, environment: production, tokenTtl: 20m }}\n  \
         bindings:\n    - name: api\n      cluster: prod-eu\n      namespace: {slug}\n      \
         serviceAccounts: [api]\n      access: [{{ mount: kv, path: prod/api/*, level: read }}]\n  \
         limits: {{ requestsPerSecond: 500 }}\n"
    )
}

/// The groups of its owners and editors: people of this lab, who change it; of most prepared teams two
/// that ten teams share. The engine keeps at a group all groups that it is in, so one pair for
/// thousands would measure that.
fn groups(slug: &str) -> (String, String) {
    let number: Option<usize> = slug.strip_prefix("estate-").and_then(|text| text.parse().ok());
    match number {
        Some(number) if number >= 10 && !number.is_multiple_of(50) => {
            let block = number / 10;
            (format!("estate-leads-{block:04}"), format!("estate-dev-{block:04}"))
        }
        _ => ("payments-leads".into(), "payments-dev".into()),
    }
}

/// The document, decoded.
pub fn decoded(slug: &str) -> Result<Document> {
    let documents = Document::from_yaml(&document(slug));
    let documents = documents.map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    documents.into_iter().next().context("no document")
}

/// A context without an engine, for what is measured in this process.
pub fn context(mark: Mark, ttl: u32, clusters: BTreeMap<ClusterName, Cluster>) -> Context {
    Context {
        mark,
        platform: Platform::default(),
        platform_groups: "platform-sre".parse().into_iter().collect(),
        floor_votes: FloorVotes { high_platform: 1, critical_people: 2 },
        floor_token_ttl: ttl,
        today: jiff::civil::date(2026, 1, 1),
        policies_expire: true,
        clusters,
        holds: Holds::default(),
        sharing: Sharing::default(),
        taken_out: BTreeSet::new(),
    }
}

/// What is prepared, and what is needed to prepare more.
pub struct Estate {
    /// Renders objects as the executor of this lab does.
    pub context: Context,
    /// The engine's ids, and which shared objects stand.
    pub known: Known,
    floor: Floor,
    engine: uuid::Uuid,
    managed_by: String,
    /// How many teams are prepared.
    pub teams: usize,
}

/// The name of a prepared team.
pub fn slug(number: usize) -> String {
    format!("estate-{number:05}")
}

impl Estate {
    /// An empty one on this lab.
    pub async fn new(lab: &Lab) -> Result<Self> {
        let floor = Floor::read(&lab.dir.join("floor.yaml"))?;
        let head = kv::read(&lab.admin, HEADS_MOUNT, "heads/cluster/prod-eu").await?;
        let head = head.context("the lab's cluster is not applied")?;
        let applied = Head::from_stored(head.data)?.applied.context("an empty head")?;
        let Ok(Document::Cluster(cluster)) = applied.document() else {
            bail!("the head of the cluster holds no cluster");
        };
        let clusters = [(cluster.name.clone(), *cluster)].into();
        let mark = Mark::new(floor.deployment.as_uuid());
        let context = context(mark, floor.token_ttl_ceiling, clusters);
        let people_accessor =
            sys::auth_accessor(&lab.admin, PEOPLE_MOUNT).await?.context("no people's mount")?;
        let (managed_by,): (String,) = sqlx::query_as("SELECT managed_by FROM subjects LIMIT 1")
            .fetch_one(&lab.database)
            .await?;
        let engine = std::fs::read_to_string(lab.dir.join("engine-id"))?.trim().parse()?;
        let ids = Ids { people_accessor, ..Ids::default() };
        let known = Known { ids, aliases: BTreeSet::new() };
        Ok(Self { context, known, floor, engine, managed_by, teams: 0 })
    }

    /// The objects of a team.
    pub fn objects(&self, document: &Document) -> Result<Objects> {
        Ok(desired(&self.context, document, &BTreeSet::new())?)
    }

    /// Namespaces with their account, for teams with these names.
    pub async fn namespaces(
        &self,
        lab: &Lab,
        slugs: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let make = |slug: String| async move {
            let uid = lab.kubernetes.create_namespace(&slug).await?;
            lab.kubernetes.create_service_account(&slug, "api").await?;
            anyhow::Ok((slug, uid))
        };
        stream::iter(slugs.iter().cloned())
            .map(make)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await
    }

    /// Grows to so many teams. No executor may run meanwhile.
    pub async fn grow(&mut self, lab: &Lab, to: usize) -> Result<Duration> {
        let begun = Instant::now();
        while self.teams < to {
            // Bounded, so that the objects of ten thousand teams are never held at once.
            let until = to.min(self.teams + 500);
            let slugs: Vec<String> = (self.teams..until).map(slug).collect();
            let pins = self.namespaces(lab, &slugs).await?;
            let documents: Vec<Document> =
                slugs.iter().map(|slug| decoded(slug)).collect::<Result<_>>()?;
            let mut objects = Objects::new();
            for document in &documents {
                objects.extend(self.objects(document)?);
            }
            write_all(&lab.admin, &objects, &mut self.known, SIDE_BY_SIDE, str::to_owned).await?;
            self.remember(lab, &documents, &pins).await?;
            self.teams = until;
        }
        Ok(begun.elapsed())
    }

    /// Heads and rows.
    async fn remember(
        &self,
        lab: &Lab,
        documents: &[Document],
        pins: &BTreeMap<String, String>,
    ) -> Result<()> {
        let request = uuid::Uuid::new_v4();
        let put = |document: &Document| {
            let subject = document.subject();
            let name = subject.name().to_owned();
            let applied = json!({
                "revision": 1,
                "document": document.to_value(),
                "documentHash": document.digest(),
                "request": request,
                "planHash": document.digest(),
                "pins": { format!("prod-eu/{name}"): pins.get(&name) },
            });
            let mut head = Head::new(self.floor.deployment, subject);
            head.applied = serde_json::from_value(applied).ok();
            (name, head)
        };
        let heads: Vec<(String, Head)> = documents.iter().map(put).collect();
        stream::iter(heads)
            .map(|(name, head)| async move {
                anyhow::ensure!(head.applied.is_some(), "a head has another shape now");
                let (value, _) = head.to_stored()?;
                let path = format!("heads/team/{name}");
                kv::write_cas(&lab.admin, HEADS_MOUNT, &path, &value, 0).await?;
                anyhow::Ok(())
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect::<()>()
            .await?;
        self.rows(lab, documents, request).await
    }

    async fn rows(&self, lab: &Lab, documents: &[Document], request: uuid::Uuid) -> Result<()> {
        let mut tx = lab.database.begin().await?;
        sqlx::query(
            "INSERT INTO change_requests (request_id, state, reason, attest, submission, \
             submission_hash, submitted_issuer, submitted_person, submitted_display, created_at, \
             updated_at, expires_at) VALUES ($1, 'applied', 'prepared', '{}', '\\x7b7d', $2, \
             'bench', 'bench', 'bench', now(), now(), now())",
        )
        .bind(request)
        .bind(vec![0_u8; 32])
        .execute(&mut *tx)
        .await?;
        let names: Vec<String> = documents.iter().map(|d| d.subject().name().to_owned()).collect();
        let texts: Vec<Vec<u8>> = documents.iter().map(Document::canonical).collect();
        let hashes: Vec<Vec<u8>> =
            documents.iter().map(|d| d.digest().as_bytes().to_vec()).collect();
        sqlx::query(
            "INSERT INTO subjects (kind, name, managed_by) \
             SELECT 'team', name, $2 FROM unnest($1::text[]) AS each (name)",
        )
        .bind(&names)
        .bind(&self.managed_by)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO revisions (kind, name, number, canonical, hash, author, request_id) \
             SELECT 'team', name, 1, canonical, hash, 'bench', $4 \
             FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS each (name, canonical, hash)",
        )
        .bind(&names)
        .bind(&texts)
        .bind(&hashes)
        .bind(request)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO change_request_documents (request_id, position, kind, name, revision, \
             base_revision, seen_by) SELECT $2, place, 'team', name, 1, 0, '{}' \
             FROM unnest($1::text[]) WITH ORDINALITY AS each (name, place)",
        )
        .bind(&names)
        .bind(request)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO subject_states (kind, name, engine_id, applied_revision, applied_hash, \
             applied_document, pins, state, request_id, updated_at) \
             SELECT 'team', name, $4, 1, hash, canonical, '{}', 'applied', $5, now() \
             FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS each (name, canonical, hash)",
        )
        .bind(&names)
        .bind(&texts)
        .bind(&hashes)
        .bind(self.engine)
        .bind(request)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

/// The engine's ids, and the shared objects that need not be written again.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The engine's ids.
    pub ids: Ids,
    aliases: BTreeSet<AnchorName>,
}

/// Writes objects kind after kind, each kind with so many calls side by side, under names that
/// `named` may change. This is also the bare loop that converging is measured against.
pub async fn write_all(
    session: &Session,
    objects: &Objects,
    known: &mut Known,
    side_by_side: usize,
    named: fn(&str) -> String,
) -> Result<u64> {
    let mut count = 0;
    let mut phase: Vec<(&ObjectKey, &Fields)> = Vec::new();
    let mut objects = objects.iter().peekable();
    while let Some((key, fields)) = objects.next() {
        let stands = match key {
            ObjectKey::Anchor(anchor) => known.ids.anchors.contains_key(anchor),
            ObjectKey::AnchorAlias(anchor) => known.aliases.contains(anchor),
            _ => false,
        };
        if !stands {
            phase.push((key, fields));
        }
        if objects.peek().is_some_and(|(next, _)| next.kind() == key.kind()) {
            continue;
        }
        let sent = std::mem::take(&mut phase);
        count += sent.len() as u64;
        let ids = &known.ids;
        stream::iter(&sent)
            .map(|(key, fields)| write_one(session, key, fields, ids, named))
            .buffer_unordered(side_by_side)
            .try_collect::<()>()
            .await?;
        for (key, _) in sent {
            match key {
                ObjectKey::Anchor(anchor) => {
                    let read = session.read(&wire::read_path(key), "{anchor}").await?;
                    let id = read.as_ref().and_then(|data| data.get("id")?.as_str());
                    let id = id.context("no id of an anchor")?.to_owned();
                    known.ids.anchors.insert(anchor.clone(), id);
                }
                ObjectKey::AnchorAlias(anchor) => {
                    known.aliases.insert(anchor.clone());
                }
                _ => {}
            }
        }
    }
    Ok(count)
}

async fn write_one(
    session: &Session,
    key: &ObjectKey,
    fields: &Fields,
    ids: &Ids,
    named: fn(&str) -> String,
) -> Result<()> {
    let (path, body) = wire::write(key, fields, false, ids, &[])?;
    let path = named(&path);
    let body: Value = serde_json::from_str(&named(&body.to_string()))?;
    loop {
        match session.write(&path, wire::template(key), &body).await {
            // A new KV mount takes up to two seconds until it serves; nothing was written.
            Err(EngineError { failure: Failure::Invalid(errors), .. })
                if errors.iter().any(|error| error.contains("Upgrading from")) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            // An alias that stands is as good.
            Err(EngineError { failure: Failure::Invalid(_), .. })
                if matches!(key, ObjectKey::AnchorAlias(_)) =>
            {
                return Ok(());
            }
            done => {
                done.with_context(|| format!("write {key}"))?;
                return Ok(());
            }
        }
    }
}

/// Another name for everything of a team, which the executor takes for none of its own.
pub fn bare(text: &str) -> String {
    text.replace("team/", "bare/").replace("team.", "bare.").replace("role/", "role/bare-")
}

/// Reads objects, each by its own call; gives how many calls that were.
pub async fn read_all(session: &Session, keys: &[ObjectKey], side_by_side: usize) -> Result<u64> {
    stream::iter(keys)
        .map(|key| async move {
            session.read(&wire::read_path(key), wire::template(key)).await?;
            anyhow::Ok(())
        })
        .buffer_unordered(side_by_side)
        .try_collect::<()>()
        .await?;
    Ok(keys.len() as u64)
}

/// Now, for what is compared with the engine's clock on the same machine.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "what is measured here is time itself")]
    Timestamp::now()
}
