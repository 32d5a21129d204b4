//! One kind's list as the watch builds it: pure, so that its rules can be tested without a cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use strongroom_domain::name::{KubernetesUid, NamespaceName, ServiceAccountName};

/// The most objects of one kind that are kept. A cluster that tells of more is not believed.
const MAX_OBJECTS: usize = 200_000;

/// What an event did to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that anyone has to know.
    Nothing,
    /// The list is now another one, or is now complete.
    Changed,
    /// The list is not to be used; list again.
    Again,
}

/// UIDs by name, and whether they are the cluster's.
#[derive(Debug)]
pub(crate) struct List<K> {
    key: fn(&ObjectMeta) -> Option<K>,
    items: BTreeMap<K, String>,
    fresh: BTreeMap<K, String>,
    told: usize,
    known: Result<(), String>,
}

/// A namespace's name, unless it can be no tenant's.
pub(crate) fn namespace_key(object: &ObjectMeta) -> Option<String> {
    Some(NamespaceName::new(object.name.as_deref()?).ok()?.to_string())
}

/// Namespace and name of an account, unless it can be no tenant's.
pub(crate) fn account_key(object: &ObjectMeta) -> Option<(String, String)> {
    let namespace = NamespaceName::new(object.namespace.as_deref()?).ok()?;
    let name = ServiceAccountName::new(object.name.as_deref()?).ok()?;
    Some((namespace.to_string(), name.to_string()))
}

impl<K: Ord> List<K> {
    pub(crate) fn new(key: fn(&ObjectMeta) -> Option<K>) -> Self {
        Self {
            key,
            items: BTreeMap::new(),
            fresh: BTreeMap::new(),
            told: 0,
            known: Err("the cluster was not read yet".to_owned()),
        }
    }

    /// The items, or why they are not known.
    pub(crate) fn known(&self) -> Result<&BTreeMap<K, String>, &str> {
        self.known.as_ref().map(|()| &self.items).map_err(String::as_str)
    }

    /// Nothing is known any more until the next complete list.
    pub(crate) fn lose(&mut self, reason: String) {
        self.known = Err(reason);
    }

    pub(crate) fn take<T>(&mut self, event: &Event<PartialObjectMeta<T>>) -> Step {
        match event {
            Event::Init => {
                self.fresh.clear();
                self.told = 0;
                Step::Nothing
            }
            Event::InitApply(object) => {
                self.told += 1;
                if self.told > MAX_OBJECTS {
                    self.lose(format!("the API server lists more than {MAX_OBJECTS} objects"));
                    return Step::Again;
                }
                if let (Some(key), Some(uid)) =
                    ((self.key)(&object.metadata), uid(&object.metadata))
                {
                    self.fresh.insert(key, uid);
                }
                Step::Nothing
            }
            Event::InitDone if self.told == 0 => {
                // Every cluster has namespaces and accounts of its own: an empty list is a failure
                // of something between us, never news.
                self.lose("the API server answered with an empty list".to_owned());
                Step::Again
            }
            Event::InitDone => {
                self.items = std::mem::take(&mut self.fresh);
                self.known = Ok(());
                Step::Changed
            }
            Event::Apply(object) => match ((self.key)(&object.metadata), uid(&object.metadata)) {
                (Some(key), Some(uid)) => {
                    let old = self.items.insert(key, uid.clone());
                    if self.items.len() > MAX_OBJECTS {
                        self.lose(format!("the API server tells more than {MAX_OBJECTS} objects"));
                        return Step::Again;
                    }
                    if old.as_deref() == Some(uid.as_str()) { Step::Nothing } else { Step::Changed }
                }
                (Some(key), None) => self.remove(&key),
                (None, _) => Step::Nothing,
            },
            Event::Delete(object) => {
                (self.key)(&object.metadata).map_or(Step::Nothing, |key| self.remove(&key))
            }
        }
    }

    fn remove(&mut self, key: &K) -> Step {
        if self.items.remove(key).is_some() { Step::Changed } else { Step::Nothing }
    }
}

/// The UID, unless the object is being deleted: then it is gone for us.
fn uid(object: &ObjectMeta) -> Option<String> {
    if object.deletion_timestamp.is_some() {
        return None;
    }
    Some(KubernetesUid::new(object.uid.as_deref()?).ok()?.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::core::PartialObjectMetaExt as _;

    use super::*;

    const ONE: &str = "0199b5d0-0000-4000-8000-000000000001";
    const TWO: &str = "0199b5d0-0000-4000-8000-000000000002";

    fn object(name: &str, uid: &str) -> PartialObjectMeta<Namespace> {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            uid: Some(uid.to_owned()),
            ..ObjectMeta::default()
        };
        metadata.into_response_partial()
    }

    fn listed(objects: &[(&str, &str)]) -> List<String> {
        let mut list = List::new(namespace_key);
        list_again(&mut list, objects);
        list
    }

    fn list_again(list: &mut List<String>, objects: &[(&str, &str)]) -> Step {
        list.take(&Event::<PartialObjectMeta<Namespace>>::Init);
        for (name, uid) in objects {
            assert_eq!(list.take(&Event::InitApply(object(name, uid))), Step::Nothing);
        }
        list.take(&Event::<PartialObjectMeta<Namespace>>::InitDone)
    }

    fn names(list: &List<String>) -> Vec<(&str, &str)> {
        list.known().unwrap().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
    }

    #[test]
    fn nothing_is_known_before_the_list_is_complete() {
        let mut list = List::new(namespace_key);
        assert!(list.known().is_err());
        list.take(&Event::<PartialObjectMeta<Namespace>>::Init);
        list.take(&Event::InitApply(object("payments", ONE)));
        assert!(list.known().is_err());
        assert_eq!(list.take(&Event::<PartialObjectMeta<Namespace>>::InitDone), Step::Changed);
        assert_eq!(names(&list), [("payments", ONE)]);
    }

    #[test]
    fn an_empty_list_is_unknown_first_and_later() {
        let mut list = listed(&[]);
        assert!(list.known().unwrap_err().contains("empty list"));
        list_again(&mut list, &[("payments", ONE)]);
        assert_eq!(list_again(&mut list, &[]), Step::Again);
        assert!(list.known().unwrap_err().contains("empty list"));
        // What the watch tells after that makes no complete list of it.
        list.take(&Event::Apply(object("orders", TWO)));
        assert!(list.known().is_err());
        assert_eq!(list_again(&mut list, &[("payments", TWO)]), Step::Changed);
        assert_eq!(names(&list), [("payments", TWO)]);
    }

    #[test]
    fn a_list_that_breaks_off_leaves_no_half_list_behind() {
        let mut list = listed(&[("payments", ONE)]);
        list.take(&Event::<PartialObjectMeta<Namespace>>::Init);
        list.take(&Event::InitApply(object("orders", TWO)));
        list.lose("the API server went away".to_owned());
        assert_eq!(list_again(&mut list, &[("payments", ONE)]), Step::Changed);
        assert_eq!(names(&list), [("payments", ONE)]);
    }

    #[test]
    fn events_change_add_and_remove() {
        let mut list = listed(&[("payments", ONE)]);
        assert_eq!(list.take(&Event::Apply(object("payments", ONE))), Step::Nothing);
        assert_eq!(list.take(&Event::Apply(object("payments", TWO))), Step::Changed);
        assert_eq!(list.take(&Event::Apply(object("orders", ONE))), Step::Changed);
        assert_eq!(names(&list), [("orders", ONE), ("payments", TWO)]);
        assert_eq!(list.take(&Event::Delete(object("orders", ONE))), Step::Changed);
        assert_eq!(list.take(&Event::Delete(object("orders", ONE))), Step::Nothing);
        let mut going = object("payments", TWO);
        going.metadata.deletion_timestamp =
            Some(serde_json::from_str("\"2026-11-23T00:00:00Z\"").unwrap());
        assert_eq!(list.take(&Event::Apply(going)), Step::Changed);
        assert!(names(&list).is_empty(), "known and, of tenants' namespaces, empty");
    }

    #[test]
    fn names_and_uids_that_are_none_do_not_come_in() {
        let list = listed(&[
            ("kube-system", ONE),
            ("Payments", ONE),
            ("pay*", ONE),
            ("a.b", ONE),
            ("orders", "not-a-uid"),
            ("payments", ONE),
        ]);
        assert_eq!(names(&list), [("payments", ONE)]);
        let account = |namespace: Option<&str>, name: &str| {
            account_key(&ObjectMeta {
                namespace: namespace.map(str::to_owned),
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            })
        };
        assert!(account(Some("payments"), "api.v2").is_some());
        for (namespace, name) in
            [(None, "api"), (Some("kube-system"), "api"), (Some("payments"), "a/b")]
        {
            assert!(account(namespace, name).is_none(), "{namespace:?} {name}");
        }
    }
}
