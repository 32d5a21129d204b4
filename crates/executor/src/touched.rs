//! Looking at just what the engine's audit log says somebody else touched.
//!
//! A path that cannot be told to be one object's makes everything be looked at.

use std::collections::BTreeMap;

use strongroom_plan::drift::judge;
use strongroom_storage::finding::DRIFT;
use strongroom_vault_model::object::ObjectKey;
use uuid::Uuid;

use crate::error::ExecutorError;
use crate::feed::Touch;
use crate::finding::{Severity, finding};
use crate::start::Executor;

/// Findings that stand until somebody on the executor's host has looked.
pub(crate) const PEOPLE_LOGIN: &str = "people-login";

impl Executor {
    /// Looks at what was touched.
    pub(crate) async fn touched_look(&mut self, touches: &[Touch]) -> Result<(), ExecutorError> {
        if touches.is_empty() {
            return Ok(());
        }
        let mut keys: BTreeMap<ObjectKey, String> = BTreeMap::new();
        let (mut entities, mut everything) = (None, None);
        for touch in touches {
            tracing::info!(path = %touch.path, who = %touch.who, "touched by somebody else");
            // Whatever it may have changed for the executor itself is asked at once.
            let own = ["sys/polic", "auth/approle/role/"];
            if own.iter().any(|place| touch.path.starts_with(place)) {
                self.selfcheck.soon();
            }
            if touch.path.starts_with("auth/approle/role/") {
                continue;
            }
            if touch.path.starts_with("auth/people/") {
                self.drift.untold.push(touch.clone());
                continue;
            }
            if touch.path.starts_with("identity/entity") {
                entities = Some(touch);
                continue;
            }
            match self.key_of(&touch.path) {
                Some(found) => keys.extend(found.into_iter().map(|key| (key, touch.who.clone()))),
                // It cannot be told which object this was.
                None => everything = Some(touch),
            }
        }
        let mut reading = self.reading();
        for (key, who) in keys {
            let Some((subject, objects)) = self.wanted_of(&key)? else {
                if !self.is_wanted(&key)? {
                    self.stranger_tell(&key, true, &who).await?;
                }
                continue;
            };
            // A group is read with the anchors it names; each of them once in one look.
            if matches!(key, ObjectKey::Group(_)) {
                let anchors = objects.keys().filter(|other| matches!(other, ObjectKey::Anchor(_)));
                self.observe(&mut reading, &anchors.cloned().collect()).await?;
            }
            let (found, _) = self.read_now(&mut reading, &key).await?;
            let mut wanted = objects.get(&key).cloned();
            if let Some(fields) = &mut wanted {
                self.role_follows_yet(&key, fields, found.as_ref());
            }
            let wanted = wanted.as_ref();
            if let Some(drift) = judge(&self.mark, &key, wanted, found.as_ref()) {
                let who = Some(who.as_str());
                self.drift_treat(&mut reading, &subject, &key, wanted, &drift, who).await?;
            } else {
                self.resolved(&format!("{DRIFT} {key}")).await?;
                if wanted.is_none() {
                    self.stranger_tell(&key, found.is_some(), &who).await?;
                }
            }
            // Which accounts are members right now is no part of the comparison.
            if let ObjectKey::Group(name) = &key {
                let name = name.clone();
                self.members_look(&reading, &key, &name, wanted, &who).await?;
            }
        }
        if let Some(touch) = entities {
            self.entities_doubt(Some(touch.who.clone()));
        }
        if let Some(touch) = everything {
            self.attached.doubt_all();
            self.drift.doubt(Some(touch.who.clone()));
        }
        Ok(())
    }

    /// Whoever writes the people's login decides who signs in at the engine as whom. The executor may
    /// not read it: what it holds now is for people to look at. What could not be told is told later.
    pub(crate) async fn people_login_tell(&mut self) -> Result<(), ExecutorError> {
        while let Some(touch) = self.drift.untold.last().cloned() {
            let text = format!("{} was written by hand: it decides who people are", touch.path);
            let next = "compare it with docs/engine-bootstrap.md at once; `strongroom freeze` holds \
                 up everything until that is done, and `strongroom execute acknowledge` on the \
                 executor's host ends the alarm";
            let mut found = finding(PEOPLE_LOGIN, &touch.path, Severity::Alarm, text, next);
            found.object = Some(touch.path);
            found.culprit = Some(touch.who);
            // Nobody but a person can say that it is as it should be.
            self.found(found).await?;
            self.drift.untold.pop();
        }
        Ok(())
    }

    /// The objects that a touched path may be; `None` when that cannot be told.
    fn key_of(&self, path: &str) -> Option<Vec<ObjectKey>> {
        // The log has paths as they were sent; the engine finds most names whatever their case.
        let path = path.trim_end_matches('/').to_ascii_lowercase();
        let path = path.as_str();
        let key = |kind: &str, name: &str| ObjectKey::parse(kind, name).ok().into_iter().collect();
        let found: Vec<ObjectKey> = if let Some(name) = path.strip_prefix("sys/policies/acl/") {
            key("policy", name)
        } else if let Some(name) = path.strip_prefix("sys/policy/") {
            key("policy", name)
        } else if let Some(name) = path.strip_prefix("sys/mounts/") {
            key("mount", name.trim_end_matches("/tune"))
        } else if let Some(name) = path.strip_prefix("sys/quotas/rate-limit/") {
            key("rate-limit", name)
        } else if let Some(name) = path.strip_prefix("sys/auth/") {
            key("auth-mount", &format!("auth/{}", name.trim_end_matches("/tune")))
        } else if let Some(name) = path.strip_prefix("identity/group/name/") {
            let mut keys: Vec<ObjectKey> = key("group", name);
            keys.extend::<Vec<ObjectKey>>(key("anchor", name));
            keys
        } else if let Some(id) = path.strip_prefix("identity/group/id/") {
            vec![self.drift.groups.get(&Uuid::parse_str(id).ok()?)?.clone()]
        } else if path.starts_with("auth/k8s/") && path.ends_with("/config") {
            key("auth-config", path.trim_end_matches("/config"))
        } else if path.starts_with("auth/k8s/") {
            key("role", path)
        } else if path.starts_with("team/") {
            key("mount-config", path.trim_end_matches("/config"))
        } else {
            return None;
        };
        Some(found)
    }
}
