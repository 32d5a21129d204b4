//! What a managed object has become without us, and what of it may be put back.
//!
//! What narrows is put back by itself; what would widen is told and left to people, because a
//! narrowing by hand may be an emergency. Where both happened at once, what was added is taken away
//! and what was taken away stays away. What cannot be judged is told and left alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strongroom_vault_model::object::{Fields, ObjectKey, ROLE_NARROWS};
use strongroom_vault_model::policy::{self, Mark, ParsedRules};

use crate::steps::{members, same};

/// What is to be done about a difference.
#[derive(Debug, Clone, PartialEq)]
pub enum Correction {
    /// Nothing by itself.
    None,
    /// These fields are written.
    Write(Fields),
    /// The object is deleted.
    Delete,
    /// The object is deleted and made anew with these fields: it holds what cannot be overwritten.
    Recreate(Fields),
}

/// A difference between what the head says and what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Whether somebody may do more than the head says.
    pub wider: bool,
    /// Whether somebody may do less.
    pub narrower: bool,
    /// What may be put back by itself.
    pub correction: Correction,
    /// What differs, in plain words.
    pub text: String,
}

impl Drift {
    fn wider(correction: Correction, text: impl Into<String>) -> Self {
        Self { wider: true, narrower: false, correction, text: text.into() }
    }

    fn narrower(text: impl Into<String>) -> Self {
        Self { wider: false, narrower: true, correction: Correction::None, text: text.into() }
    }

    fn unclear(text: impl Into<String>) -> Self {
        Self { wider: true, narrower: true, correction: Correction::None, text: text.into() }
    }
}

/// Judges one object. `wanted` is what the heads say, `found` what was read.
pub fn judge(
    mark: &Mark,
    key: &ObjectKey,
    wanted: Option<&Fields>,
    found: Option<&Fields>,
) -> Option<Drift> {
    match (wanted, found) {
        (None, None) => None,
        (Some(wanted), None) => Some(match key {
            ObjectKey::RateLimit(_) => {
                Drift::wider(Correction::Write(wanted.clone()), "the limit is gone")
            }
            _ => Drift::narrower("it is not there any more"),
        }),
        (None, Some(found)) => leftover(mark, key, found),
        (Some(wanted), Some(found)) if has_strangers(key, wanted, found) => Some(Drift::wider(
            Correction::Write(wanted.clone()),
            "it has members although it is for people",
        )),
        (Some(wanted), Some(found)) if same(key, wanted, found) => None,
        (Some(wanted), Some(found)) => Some(different(mark, key, wanted, found)),
    }
}

/// A group of people has no service accounts as members. Which accounts of a workload's group are
/// members right now is no difference here.
fn has_strangers(key: &ObjectKey, wanted: &Fields, found: &Fields) -> bool {
    matches!(key, ObjectKey::Group(_))
        && members(wanted, "accounts").is_empty()
        && !members(found, "accounts").is_empty()
        && found.get("owner") == wanted.get("owner")
}

/// Something under our name and with our mark that no head stands for.
fn leftover(mark: &Mark, key: &ObjectKey, found: &Fields) -> Option<Drift> {
    let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
    let ours = match key {
        ObjectKey::Policy(name) => text("policy").starts_with(&format!("# {mark}{name}\n")),
        ObjectKey::Group(_) => text("owner") == mark.as_str(),
        _ => false,
    };
    ours.then(|| Drift::wider(Correction::Delete, "no applied document stands for it"))
}

fn different(mark: &Mark, key: &ObjectKey, wanted: &Fields, found: &Fields) -> Drift {
    match key {
        ObjectKey::Policy(name) => {
            let head = format!("# {mark}{name}\n");
            policy_difference(&head, wanted, found)
        }
        ObjectKey::Group(_) => group_difference(wanted, found),
        ObjectKey::Role(..) => role_difference(wanted, found),
        ObjectKey::RateLimit(_) => {
            let rate = |fields: &Fields| fields.get("rate").and_then(Value::as_i64).unwrap_or(0);
            let lower = rate(found) < rate(wanted) && found.get("path") == wanted.get("path");
            if lower {
                Drift::narrower(format!("the limit is {} instead of {}", rate(found), rate(wanted)))
            } else {
                let text = format!("the limit is {} instead of {}", rate(found), rate(wanted));
                Drift::wider(Correction::Write(wanted.clone()), text)
            }
        }
        // Whoever changes this decides which API server is believed about every login.
        ObjectKey::AuthConfig(_) => Drift::wider(
            Correction::Write(wanted.clone()),
            format!("logins are checked otherwise: {}", names(wanted, found)),
        ),
        ObjectKey::Mount(_)
        | ObjectKey::MountConfig(_)
        | ObjectKey::AuthMount(_)
        | ObjectKey::Anchor(_)
        | ObjectKey::AnchorAlias(_) => {
            Drift::unclear(format!("differs in {}", names(wanted, found)))
        }
    }
}

fn policy_difference(head: &str, wanted: &Fields, found: &Fields) -> Drift {
    let text = |fields: &Fields| -> String {
        fields.get("policy").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let (Ok(want), Ok(have)) = (policy::parse(&text(wanted)), policy::parse(&text(found))) else {
        return Drift::unclear("its text holds what Strongroom never writes, and cannot be judged");
    };
    let added: Vec<&String> =
        have.keys().filter(|path| !covered(&want, path, &have[*path])).collect();
    let lost: Vec<&String> =
        want.keys().filter(|path| !covered(&have, path, &want[*path])).collect();
    let end = |fields: &Fields| fields.get("expiration").and_then(Value::as_str).map(str::to_owned);
    let (want_end, have_end) = (end(wanted), end(found));
    let later =
        want_end.as_ref().is_some_and(|want| have_end.as_ref().is_none_or(|have| have > want));
    let earlier =
        have_end.as_ref().is_some_and(|have| want_end.as_ref().is_none_or(|want| have < want));
    let mut said = Vec::new();
    if !added.is_empty() {
        said.push(format!("allows more at {}", list(&added)));
    }
    if !lost.is_empty() {
        said.push(format!("allows less at {}", list(&lost)));
    }
    if later {
        said.push("ends later".to_owned());
    }
    if earlier {
        said.push("ends earlier".to_owned());
    }
    if said.is_empty() {
        said.push("its text is another, and allows the same".to_owned());
    }
    let wider = !added.is_empty() || later || said.len() == 1 && said[0].starts_with("its text");
    let narrower = !lost.is_empty() || earlier;
    let correction = match (wider, narrower) {
        (false, _) => Correction::None,
        (true, false) => Correction::Write(wanted.clone()),
        (true, true) => {
            let both = intersection(&want, &have);
            let mut fields = wanted.clone();
            fields.insert("policy".to_owned(), json!(policy::render_parsed(head, &both)));
            // Of two ends the earlier one.
            let end = [want_end, have_end].into_iter().flatten().min();
            match end {
                Some(end) => fields.insert("expiration".to_owned(), json!(end)),
                None => fields.remove("expiration"),
            };
            Correction::Write(fields)
        }
    };
    Drift { wider, narrower, correction, text: said.join("; ") }
}

fn covers(wider: &str, path: &str) -> bool {
    wider == path || wider.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
}

fn covered(by: &ParsedRules, path: &str, words: &BTreeSet<String>) -> bool {
    let given: BTreeSet<&String> =
        by.iter().filter(|(wider, _)| covers(wider, path)).flat_map(|(_, words)| words).collect();
    words.iter().all(|word| given.contains(word))
}

/// What both allow, at the narrower of each two paths.
fn intersection(a: &ParsedRules, b: &ParsedRules) -> ParsedRules {
    let mut both = ParsedRules::new();
    for (one, one_words) in a {
        for (other, other_words) in b {
            let path = match (covers(one, other), covers(other, one)) {
                (true, _) => other,
                (false, true) => one,
                (false, false) => continue,
            };
            let words: BTreeSet<String> = one_words.intersection(other_words).cloned().collect();
            if !words.is_empty() {
                both.entry(path.clone()).or_default().extend(words);
            }
        }
    }
    both
}

fn group_difference(wanted: &Fields, found: &Fields) -> Drift {
    if found.get("owner") != wanted.get("owner") || found.get("type") != wanted.get("type") {
        return Drift::unclear("it is not marked as Strongroom's any more");
    }
    let (mut wider, mut narrower) = (Vec::new(), Vec::new());
    let mut fields = wanted.clone();
    for field in ["policies", "anchors"] {
        let (want, have) = (members(wanted, field), members(found, field));
        wider.extend(have.difference(&want).cloned());
        narrower.extend(want.difference(&have).cloned());
        fields.insert(field.to_owned(), json!(want.intersection(&have).collect::<Vec<_>>()));
    }
    let mut said = Vec::new();
    if !wider.is_empty() {
        said.push(format!("has too much: {}", list(&wider.iter().collect::<Vec<_>>())));
    }
    if !narrower.is_empty() {
        said.push(format!("misses: {}", list(&narrower.iter().collect::<Vec<_>>())));
    }
    Drift {
        wider: !wider.is_empty(),
        narrower: !narrower.is_empty(),
        correction: if wider.is_empty() { Correction::None } else { Correction::Write(fields) },
        text: said.join("; "),
    }
}

fn role_difference(wanted: &Fields, found: &Fields) -> Drift {
    let number =
        |fields: &Fields, name: &str| fields.get(name).and_then(Value::as_i64).unwrap_or(0);
    let mut fields = wanted.clone();
    let (mut wider, mut narrower) = (false, false);
    for (name, want) in wanted {
        let have = found.get(name);
        if have == Some(want) {
            continue;
        }
        match name.as_str() {
            "bound_service_account_names" => {
                let (want, have) = (members(wanted, name), members(found, name));
                wider |= !have.is_subset(&want);
                // The engine takes these for patterns: one may stand for every wanted name.
                let pattern = have.iter().any(|name| name.contains(['*', '?', '[', ',']));
                narrower |= !pattern && !want.is_subset(&have);
                let both: Vec<&String> =
                    want.iter().filter(|name| pattern || have.contains(*name)).collect();
                fields.insert(name.clone(), json!(both));
            }
            "token_ttl" | "token_max_ttl" => {
                let (want, have) = (number(wanted, name), number(found, name));
                // No bound at all is the longest.
                if have == 0 || have > want {
                    wider = true;
                } else {
                    narrower = true;
                    fields.insert(name.clone(), json!(have));
                }
            }
            _ => wider = true,
        }
    }
    let mut beside = false;
    for (name, have) in found.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        if ROLE_NARROWS.contains(&name.as_str()) {
            narrower = true;
            fields.insert(name.clone(), have.clone());
        } else {
            beside = true;
        }
    }
    wider |= beside;
    if members(&fields, "bound_service_account_names").is_empty()
        && fields.contains_key("bound_service_account_names")
    {
        // A role without names cannot be written; one that names strangers only is of no use.
        return Drift {
            wider,
            narrower,
            correction: Correction::Delete,
            text: names(wanted, found),
        };
    }
    // The executor's own token may not even send a role's policies, and a write leaves what it does
    // not name.
    let carries = beside || !members(found, "token_policies").is_empty();
    let correction = match (wider, carries) {
        (false, _) => Correction::None,
        (true, false) => Correction::Write(fields),
        (true, true) => Correction::Recreate(fields),
    };
    Drift { wider, narrower, correction, text: format!("differs in {}", names(wanted, found)) }
}

fn names(wanted: &Fields, found: &Fields) -> String {
    let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let differing = keys.into_iter().filter(|key| wanted.get(*key) != found.get(*key));
    differing.cloned().collect::<Vec<_>>().join(", ")
}

fn list(items: &[&String]) -> String {
    let shown: Vec<&str> = items.iter().take(5).map(|item| item.as_str()).collect();
    let more = if items.len() > 5 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
