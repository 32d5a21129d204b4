//! The difference between wanted and found, as steps in an order whose every prefix is safe.
//!
//! Members leave groups first, then objects change in the order mount, policy, role, anchor, then
//! members come in, then what nobody needs any more is deleted. So at no point does anybody hold
//! what neither the old nor the new documents give them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy::Mark;
use strongroom_vault_model::wire::REVIEWER_SET;

use crate::build::Refusal;
use crate::desired::Objects;
use crate::model::{Action, Step};
use crate::ownership::is_ours;

/// What was read from the engine. An object that was not read is unknown, not absent.
#[derive(Debug, Clone, Default)]
pub struct Observed(BTreeMap<ObjectKey, Option<Fields>>);

impl Observed {
    /// Records that an object was read: its fields, or that it is not there.
    pub fn insert(&mut self, key: ObjectKey, found: Option<Fields>) {
        self.0.insert(key, found);
    }

    /// `None`: not read. `Some(None)`: read and not there.
    pub fn get(&self, key: &ObjectKey) -> Option<Option<&Fields>> {
        self.0.get(key).map(Option::as_ref)
    }
}

impl FromIterator<(ObjectKey, Option<Fields>)> for Observed {
    fn from_iter<T: IntoIterator<Item = (ObjectKey, Option<Fields>)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// Where in the order a step belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Members leave.
    Leave,
    /// Objects appear and change; groups last, so members come in when all else stands.
    Change,
    /// Nobody's objects go.
    Remove,
}

const MEMBERS: [&str; 2] = ["anchors", "accounts"];

/// A step before it has its place.
type Phased = (Phase, Action, ObjectKey, Option<Fields>, Option<Fields>);

/// The steps from what is observed to what is wanted.
///
/// `base` are the objects of the applied documents: only what they stand for can be deleted.
pub fn steps(
    mark: &Mark,
    base: &Objects,
    wanted: &Objects,
    observed: &Observed,
) -> Result<Vec<Step>, Vec<Refusal>> {
    let mut phased: Vec<Phased> = Vec::new();
    let mut refusals = Vec::new();
    let keys: BTreeSet<&ObjectKey> = base.keys().chain(wanted.keys()).collect();
    for key in keys {
        let Some(found) = observed.get(key) else {
            refusals.push(Refusal::Unknown(key.clone()));
            continue;
        };
        let found = found.map(|fields| comparable(key, fields, base));
        let want = wanted.get(key);
        match (want, found) {
            (None, None) => {}
            (Some(want), None) => {
                phased.push((Phase::Change, Action::Create, key.clone(), None, Some(want.clone())));
            }
            (want, Some(found)) if !is_ours(mark, key, &found, base, observed) => {
                if want.is_some() {
                    refusals.push(Refusal::Foreign(key.clone()));
                }
            }
            (None, Some(found)) => {
                if let Some(step) = removal(mark, key, &found) {
                    phased.push(step);
                }
            }
            (Some(want), Some(found)) => {
                if found == *want {
                    continue;
                }
                if matches!(key, ObjectKey::Mount(_) | ObjectKey::AuthMount(_))
                    && (found.get("type") != want.get("type")
                        || found.get("version") != want.get("version"))
                {
                    refusals.push(Refusal::OtherType(key.clone()));
                    continue;
                }
                phased.extend(update(key, found, want));
            }
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    phased.sort_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
    let step = |(number, (_, action, object, before, after))| Step {
        ordinal: u32::try_from(number + 1_usize).unwrap_or(u32::MAX),
        action,
        object,
        before,
        after,
    };
    Ok(phased.into_iter().enumerate().map(step).collect())
}

/// Whether what was found is what a step's fields say, as far as a read can tell: who is a member
/// right now is no part of it, nor which credential a reviewer token came from.
pub fn same(key: &ObjectKey, wanted: &Fields, found: &Fields) -> bool {
    let known: Objects = [(key.clone(), wanted.clone())].into();
    comparable(key, found, &known) == *wanted
}

/// What reads cannot or need not tell is taken from the applied document: which credential a
/// reviewer token came from, and who may be a member. A group's accounts are attached one by one as
/// they appear, so which of them are members right now is no difference.
fn comparable(key: &ObjectKey, found: &Fields, base: &Objects) -> Fields {
    let mut fields = found.clone();
    let applied = |name: &str| base.get(key).and_then(|fields| fields.get(name)).cloned();
    match key {
        ObjectKey::Group(_) => {
            let accounts = applied("accounts").unwrap_or_else(|| Value::Array(Vec::new()));
            fields.insert("accounts".to_owned(), accounts);
        }
        ObjectKey::AuthConfig(_) => {
            let field = "token_reviewer".to_owned();
            if fields.get(&field).and_then(Value::as_str) == Some(REVIEWER_SET)
                && let Some(credential) = applied(&field)
            {
                fields.insert(field, credential);
            }
        }
        _ => {}
    }
    fields
}

fn removal(mark: &Mark, key: &ObjectKey, found: &Fields) -> Option<Phased> {
    let delete = |phase| (phase, Action::Delete, key.clone(), Some(found.clone()), None);
    match key {
        ObjectKey::Group(_) => Some(delete(Phase::Leave)),
        ObjectKey::Policy(_) | ObjectKey::Role(..) | ObjectKey::RateLimit(_) => {
            Some(delete(Phase::Remove))
        }
        // Access is off by then; the data stays, and the mount says so.
        ObjectKey::Mount(at) => {
            let after = strongroom_vault_model::object::mount(mark, at, true);
            (*found != after).then(|| {
                (Phase::Change, Action::Update, key.clone(), Some(found.clone()), Some(after))
            })
        }
        // Anchors are shared and carry no rights; settings go with their mount; a cluster's auth
        // mount is never taken away by a document.
        ObjectKey::MountConfig(_)
        | ObjectKey::Anchor(_)
        | ObjectKey::AnchorAlias(_)
        | ObjectKey::AuthMount(_)
        | ObjectKey::AuthConfig(_) => None,
    }
}

/// One step, or two where a group loses some members and gets others.
fn update(key: &ObjectKey, found: Fields, want: &Fields) -> Vec<Phased> {
    let one = |phase, before: Fields, after: Fields| {
        (phase, Action::Update, key.clone(), Some(before), Some(after))
    };
    if !matches!(key, ObjectKey::Group(_)) {
        return vec![one(Phase::Change, found, want.clone())];
    }
    let mut between = want.clone();
    let (mut leaves, mut comes) = (false, false);
    for field in MEMBERS {
        let (had, will) = (members(&found, field), members(want, field));
        leaves |= !had.is_subset(&will);
        comes |= !will.is_subset(&had);
        let stay = had.intersection(&will).cloned().map(Value::String).collect();
        between.insert(field.to_owned(), stay);
    }
    match (leaves, comes) {
        (true, true) => vec![
            one(Phase::Leave, found, between.clone()),
            one(Phase::Change, between, want.clone()),
        ],
        (true, false) => vec![one(Phase::Leave, found, want.clone())],
        (false, _) => vec![one(Phase::Change, found, want.clone())],
    }
}

/// A list field as a set; what is not there is empty.
pub(crate) fn members(fields: &Fields, name: &str) -> BTreeSet<String> {
    let items = fields.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
