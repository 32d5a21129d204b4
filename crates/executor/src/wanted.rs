//! What each subject should be now, by its head: what drift is measured against.
//!
//! What is being applied, or not believed, is nobody's measure: nothing follows from it.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_domain::pins::Pins;
use strongroom_domain::subject::Subject;
use strongroom_kubernetes::InventoryState;
use strongroom_plan::Context;
use strongroom_plan::desired::{Objects, desired};
use strongroom_plan::sharing::shared;
use strongroom_vault_model::name::{ClusterName, NamespaceName, TeamName};
use strongroom_vault_model::object::ObjectKey;

use crate::error::ExecutorError;
use crate::start::Executor;

/// Namespaces, and the team that claims each.
pub(crate) type Claims = BTreeMap<(ClusterName, NamespaceName), TeamName>;

impl Executor {
    /// What a subject should be now. What is being applied, or not believed, is left out.
    pub(crate) fn wanted_by(
        &self,
        subject: &Subject,
        context: &Context,
        begun: &BTreeSet<TeamName>,
    ) -> Result<Option<Objects>, ExecutorError> {
        let Some(head) = self.heads.get(subject) else { return Ok(None) };
        if head.head.applying.is_some() || self.unbelieved.contains_key(subject) {
            return Ok(None);
        }
        let Ok(Some(document)) = head.document() else { return Ok(None) };
        // While another team's plan about accounts of this one is half done, its role is too.
        if matches!(subject, Subject::Team(name) if begun.contains(name)) {
            return Ok(None);
        }
        let pins = head.head.applied.as_ref().map(|applied| &applied.pins);
        let suspended = pins
            .into_iter()
            .flat_map(Pins::iter)
            .filter(|(place, pin)| self.is_other_namespace(place, pin))
            .map(|(place, _)| place.to_owned())
            .collect();
        let objects = desired(context, &document, &suspended)
            .map_err(|error| ExecutorError::Stopped(error.to_string()))?;
        Ok(Some(objects))
    }

    /// Teams whose namespaces a plan that has begun and not ended is about.
    pub(crate) fn hosts_of_begun(&self) -> BTreeSet<TeamName> {
        let begun = self.heads.values().filter_map(|head| head.head.applying.as_ref());
        let guests = begun.filter_map(|begun| begun.target.team());
        guests
            .flat_map(|guest| shared(&guest).map(|each| each.host.clone()).collect::<Vec<_>>())
            .collect()
    }

    /// Whether the cluster is known to have another namespace there than the pinned one, or none.
    fn is_other_namespace(&self, place: &str, pin: &str) -> bool {
        let Some((cluster, namespace)) = place.split_once('/') else { return false };
        let watched = ClusterName::new(cluster).ok().and_then(|name| self.clusters.get(&name));
        let Some(watched) = watched else { return false };
        match &*watched.inventory.borrow() {
            InventoryState::Known(known) => {
                known.namespaces.get(namespace).map(String::as_str) != Some(pin)
            }
            InventoryState::Unknown { .. } => false,
        }
    }

    /// What the subject of one object should be; `None` where it is nobody's or must be left alone.
    pub(crate) fn wanted_of(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<(Subject, Objects)>, ExecutorError> {
        let (context, begun) = (self.context(&[], &[])?, self.hosts_of_begun());
        let subject = match key {
            ObjectKey::AuthMount(cluster) | ObjectKey::AuthConfig(cluster) => {
                Subject::Cluster(cluster.clone())
            }
            ObjectKey::Mount(at) | ObjectKey::MountConfig(at) | ObjectKey::RateLimit(at) => {
                Subject::Team(at.team.clone())
            }
            ObjectKey::Policy(name) | ObjectKey::Group(name) => Subject::Team(name.team().clone()),
            ObjectKey::Role(cluster, namespace) => {
                match self.drift.claims.get(&(cluster.clone(), namespace.clone())) {
                    Some(team) => Subject::Team(team.clone()),
                    None => return Ok(None),
                }
            }
            // Shared: any team that names the group stands for it.
            ObjectKey::Anchor(_) | ObjectKey::AnchorAlias(_) => {
                for subject in self.heads.keys() {
                    if let Some(objects) = self.wanted_by(subject, &context, &begun)?
                        && objects.contains_key(key)
                    {
                        return Ok(Some((subject.clone(), objects)));
                    }
                }
                return Ok(None);
            }
        };
        // Of a team that is not applied, whatever bears our mark is a leftover.
        match (self.has_head(&subject), self.wanted_by(&subject, &context, &begun)?) {
            (_, Some(objects)) => Ok(Some((subject, objects))),
            (true, None) => Ok(None),
            (false, None) => Ok(Some((subject, Objects::new()))),
        }
    }

    /// Whether some head stands for an object, or may: one that is being applied or not believed.
    pub(crate) fn is_wanted(&self, key: &ObjectKey) -> Result<bool, ExecutorError> {
        if let ObjectKey::Role(cluster, namespace) = key
            && !self.drift.claims.contains_key(&(cluster.clone(), namespace.clone()))
        {
            return Ok(false);
        }
        Ok(self.wanted_of(key)?.is_none_or(|(_, objects)| objects.contains_key(key)))
    }
}
