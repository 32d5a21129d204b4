//! What a plan depends on, gathered from floor, heads and clusters: never from rows.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::document::{Cluster as ClusterDocument, Document, Platform};
use strongroom_domain::hold::Target;
use strongroom_domain::subject::Subject;
use strongroom_kubernetes::{Cluster, ClusterAccess, Lookup};
use strongroom_plan::build::{LiveNamespaces, claimed_namespaces, claims, named_namespaces};
use strongroom_plan::sharing::{Host, Sharing, hosts_of};
use strongroom_plan::stages::FloorVotes;
use strongroom_plan::{Change, Context, Holds};
use strongroom_vault_model::name::{ClusterName, NamespaceName};

use crate::error::ExecutorError;
use crate::heads::VersionedHead;
use crate::start::{Executor, Watched};

impl Executor {
    /// The heads of clusters. They come before those of teams, of which there may be thousands.
    fn cluster_heads(&self) -> impl Iterator<Item = &VersionedHead> {
        self.heads
            .iter()
            .take_while(|(subject, _)| !matches!(subject, Subject::Team(_)))
            .filter(|(subject, _)| matches!(subject, Subject::Cluster(_)))
            .map(|(_, head)| &**head)
    }

    /// The rules in force and the clusters that the changes may name.
    pub(crate) fn context(
        &self,
        changes: &[Change],
        lift: &[Target],
    ) -> Result<Context, ExecutorError> {
        let platform = match self.heads.get(&Subject::Platform).map(|head| head.document()) {
            Some(document) => match document? {
                Some(Document::Platform(platform)) => *platform,
                _ => Platform::default(),
            },
            None => Platform::default(),
        };
        let mut clusters: BTreeMap<ClusterName, ClusterDocument> = BTreeMap::new();
        for head in self.cluster_heads() {
            // One that is not believed is as if it were not there, and holds up nobody else.
            if let Ok(Some(Document::Cluster(cluster))) = head.document() {
                clusters.insert(cluster.name.clone(), *cluster);
            }
        }
        for change in changes {
            if let Document::Cluster(cluster) = &change.proposed {
                clusters.insert(cluster.name.clone(), (**cluster).clone());
            }
        }
        Ok(Context {
            mark: self.mark.clone(),
            platform,
            platform_groups: self.floor.platform_groups.clone(),
            floor_votes: FloorVotes {
                high_platform: self.floor.high_platform_votes,
                critical_people: self.floor.critical_votes,
            },
            floor_token_ttl: self.floor.token_ttl_ceiling,
            today: self.today(),
            policies_expire: self.policies_expire,
            clusters,
            holds: Holds {
                now: self.held.clone(),
                differing: self.differing.clone(),
                lift: lift.iter().cloned().collect(),
            },
            sharing: self.sharing(changes)?,
            taken_out: self.attached.taken_out(changes),
        })
    }

    /// What other teams have to do with the changes, by their heads.
    fn sharing(&self, changes: &[Change]) -> Result<Sharing, ExecutorError> {
        let mut hosts = BTreeMap::new();
        for name in hosts_of(changes) {
            let Some(head) = self.heads.get(&Subject::Team(name.clone())) else { continue };
            if head.head.applying.is_some() {
                let why = format!("another request is being applied to the team {name}");
                return Err(ExecutorError::Wait(why));
            }
            if let (Some(Document::Team(team)), Some(applied)) =
                (head.document()?, &head.head.applied)
            {
                hosts.insert(name, Host { team: *team, pins: applied.pins.to_map() });
            }
        }
        Ok(Sharing { hosts, guests: self.guests.clone() })
    }

    /// Now, by our clock or the database's, whichever is ahead: nothing lasts longer because one of
    /// them is behind.
    pub(crate) fn latest_now(&self) -> jiff::Timestamp {
        let ahead = self.database_ahead.max(jiff::SignedDuration::ZERO);
        let now = self.clock.now();
        now.checked_add(ahead).unwrap_or(now)
    }

    /// Whether our clock is so far behind the database's that what is signed now seems to come from
    /// the future.
    pub(crate) fn is_behind(&self) -> bool {
        self.database_ahead > jiff::SignedDuration::from_mins(1)
    }

    /// The day on which ends of bindings are judged (UTC).
    pub(crate) fn today(&self) -> jiff::civil::Date {
        self.latest_now().to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    /// No other team has, or is being given, a namespace that is claimed here.
    ///
    /// The heads say so. The API's rows are checked there and may be late or hide it, and a claim
    /// that no binding uses leaves no role in the engine that would show it. Whose it is stays
    /// unsaid: the reason is read by people who may not see that team.
    pub(crate) fn claims_are_free(&self, changes: &[Change]) -> Result<(), ExecutorError> {
        let ours: BTreeSet<Subject> = changes.iter().map(|each| each.proposed.subject()).collect();
        let claimed = claimed_namespaces(changes);
        if let Some(name) = claimed.intersection(&self.claims_said).next() {
            return Err(ExecutorError::Wait(format!(
                "the namespace {name} may be claimed by a team whose head cannot be read now; an SRE \
                 looks at `strongroom get findings`"
            )));
        }
        for (_, head) in self.heads.iter().filter(|(subject, _)| !ours.contains(*subject)) {
            let applied = head.head.applied.iter().map(|applied| (applied, true));
            let targets = head.head.applying.iter().map(|applying| (&applying.target, false));
            for (each, is_applied) in applied.chain(targets) {
                // Most heads pin none of them; of the others the document tells claims from what is
                // another team's.
                if !claimed.iter().any(|name| each.pins.contains(name)) {
                    continue;
                }
                let theirs: BTreeSet<String> = match each.document() {
                    Ok(Document::Team(team)) => claims(&team).collect(),
                    _ => each.pins.places().map(str::to_owned).collect(),
                };
                if let Some(name) = claimed.intersection(&theirs).next() {
                    let why = format!(
                        "the namespace {name} is claimed by another team; a namespace has one team"
                    );
                    // What is only begun may still go back.
                    return Err(if is_applied {
                        ExecutorError::Superseded(why)
                    } else {
                        ExecutorError::Wait(why)
                    });
                }
            }
        }
        Ok(())
    }

    /// Namespace UIDs read live from the clusters. One that cannot be read stops the pass.
    pub(crate) async fn live_namespaces(
        &self,
        changes: &[Change],
    ) -> Result<LiveNamespaces, ExecutorError> {
        let mut live = LiveNamespaces::new();
        for name in named_namespaces(changes) {
            let (cluster, namespace) = split(&name)?;
            let Some(watched) = self.clusters.get(&cluster) else {
                return Err(ExecutorError::Wait(format!(
                    "the cluster {cluster} is not applied yet, or its credentials are missing"
                )));
            };
            match watched.cluster.namespace(&namespace).await {
                Lookup::Found { uid } => live.insert(name, Some(uid)),
                Lookup::Absent => live.insert(name, None),
                Lookup::Unknown { reason } => {
                    return Err(ExecutorError::Wait(format!(
                        "the cluster {cluster} cannot be read ({reason})"
                    )));
                }
            };
        }
        Ok(live)
    }

    /// Connects to every applied cluster whose credentials are in the floor file, and watches it.
    pub(crate) async fn clusters_refresh(&mut self) -> Result<(), ExecutorError> {
        let mut wanted = Vec::new();
        for head in self.cluster_heads() {
            if let Ok(Some(Document::Cluster(cluster))) = head.document() {
                wanted.push(*cluster);
            }
        }
        for document in wanted {
            // UIDs are read from where logins are checked: another server or CA is another watch.
            let place =
                [document.server.clone(), document.ca.clone(), document.credentials.to_string()];
            match self.clusters.get(&document.name) {
                Some(watched) if watched.place == place => continue,
                Some(_) => drop(self.clusters.remove(&document.name)),
                None => {}
            }
            match self.cluster_connect(&document).await {
                Ok(cluster) => {
                    let inventory = strongroom_kubernetes::watch(&cluster);
                    let watched = Watched { cluster, inventory, stored: None, place };
                    self.clusters.insert(document.name.clone(), watched);
                }
                Err(error) => tracing::error!(cluster = %document.name, %error, "no watch"),
            }
        }
        Ok(())
    }

    /// A credential is used for the server and CA it was given for, and for no other.
    pub(crate) async fn cluster_connect(
        &self,
        document: &ClusterDocument,
    ) -> Result<Cluster, ExecutorError> {
        let credential = self.cluster_credential(document)?;
        let access = ClusterAccess {
            server: credential.server.clone(),
            ca_pem: credential.ca_pem.clone(),
            token: credential.reader.clone(),
        };
        Cluster::connect(&access).await.map_err(|error| ExecutorError::Wait(error.to_string()))
    }

    /// The credentials a Cluster document names, if they are for the same server and CA.
    pub(crate) fn cluster_credential(
        &self,
        document: &ClusterDocument,
    ) -> Result<&strongroom_config::floor::ClusterCredential, ExecutorError> {
        let name = &document.credentials;
        let known = self.floor.clusters.iter().find(|credential| credential.name == *name);
        let Some(known) = known else {
            return Err(ExecutorError::Wait(format!(
                "the floor file has no credentials called {name}; an SRE adds them on the \
                 executor's host"
            )));
        };
        if known.server != document.server || known.ca_pem.trim() != document.ca.trim() {
            return Err(ExecutorError::Wait(format!(
                "the credentials {name} are for another server or CA than the document names"
            )));
        }
        Ok(known)
    }
}

/// `cluster/namespace`, parsed.
pub(crate) fn split(name: &str) -> Result<(ClusterName, NamespaceName), ExecutorError> {
    let wrong = || ExecutorError::Hostile(format!("{name:?} names no namespace"));
    let (cluster, namespace) = name.split_once('/').ok_or_else(wrong)?;
    Ok((
        ClusterName::new(cluster).map_err(|_| wrong())?,
        NamespaceName::new(namespace).map_err(|_| wrong())?,
    ))
}
