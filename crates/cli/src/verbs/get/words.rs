//! The words that filters of `get` take. An unknown one is refused with the known ones: an empty list
//! would read as "there is none".

use crate::api::types::FindingView;
use crate::args::Kind;
use crate::failure::Failure;

/// States of teams and clusters.
const SUBJECTS: &[&str] = &["applying", "applied", "frozen", "suspended", "removed"];

/// States of bindings.
const BINDINGS: &[&str] = &["waiting", "attached", "suspended", "ended"];

/// States of findings: as the table has them.
const FINDINGS: &[&str] = &["stands", "over"];

/// Kinds of findings. A newer server may know more of them.
const KINDS: &[&str] = &[
    "auditor",
    "brake",
    "capabilities",
    "clock-skew",
    "drift",
    "entity",
    "foreign",
    "forgotten",
    "held",
    "members",
    "members-out",
    "namespace-changed",
    "people-login",
    "records-differ",
];

/// Refuses a state that nothing of this kind is ever in. Those of requests are read elsewhere.
pub(super) fn check_state(kind: Kind, given: Option<&str>) -> Result<(), Failure> {
    let Some(given) = given else { return Ok(()) };
    let (what, known) = match kind {
        Kind::Requests => return super::super::request::state(given).map(drop),
        Kind::Teams => ("teams", SUBJECTS),
        Kind::Clusters => ("clusters", SUBJECTS),
        Kind::Bindings => ("bindings", BINDINGS),
        Kind::Findings => ("findings", FINDINGS),
        Kind::Events | Kind::Sessions | Kind::Machines | Kind::People | Kind::Documents => {
            return Err(Failure::usage(format!("list by the state {given:?}"))
                .because("what is listed here has no states")
                .next("leave --state out"));
        }
    };
    if known.contains(&given) {
        return Ok(());
    }
    let one = what.trim_end_matches('s');
    Err(Failure::usage(format!("list {what} in the state {given:?}"))
        .because(format!("a {one} is one of: {}", known.join(", "))))
}

/// Refuses a kind of finding that neither this client nor the server's answer knows.
pub(super) fn check_finding(given: &str, answered: &[FindingView]) -> Result<(), Failure> {
    // A whole key is the kind, a blank, and what it is about.
    let kind = given.split(' ').next().unwrap_or_default();
    if KINDS.contains(&kind) || answered.iter().any(|each| each.kind == kind || each.key == given) {
        return Ok(());
    }
    Err(Failure::usage(format!("list findings of the kind {kind:?}"))
        .because(format!("a finding is one of: {}", KINDS.join(", ")))
        .next("`strongroom get findings` lists all that stand"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    /// The words of the newest constraint with this name in the migrations.
    fn in_schema(constraint: &str) -> Vec<&'static str> {
        let migrations = [
            include_str!("../../../../../migrations/20261123190000_create_schema.sql"),
            include_str!("../../../../../migrations/20261123220000_add_holds_findings.sql"),
        ];
        let of = |text: &'static str| {
            let rest = &text[text.rfind(&format!("CONSTRAINT {constraint}"))?..];
            let list = &rest[rest.find("IN (")? + 4..];
            let list = &list[..list.find(')')?];
            Some(list.split(',').map(|word| word.trim().trim_matches('\'')).collect())
        };
        migrations.into_iter().rev().find_map(of).unwrap()
    }

    #[test]
    fn the_states_are_those_that_are_stored_and_two_that_are_told() {
        assert_eq!(in_schema("binding_states_state"), BINDINGS);
        let stored = in_schema("subject_states_state");
        assert_eq!([stored, vec!["suspended", "removed"]].concat(), SUBJECTS);
    }

    #[test]
    fn an_unknown_state_is_answered_with_the_known_ones() {
        for (kind, known, told) in [
            (
                Kind::Bindings,
                "attached",
                "a binding is one of: waiting, attached, suspended, ended",
            ),
            (
                Kind::Teams,
                "frozen",
                "a team is one of: applying, applied, frozen, suspended, removed",
            ),
            (Kind::Clusters, "applied", "a cluster is one of: applying, applied"),
            (Kind::Findings, "over", "a finding is one of: stands, over"),
            (Kind::Requests, "in_review", "a request is one of: submitted, in_review"),
        ] {
            check_state(kind, None).unwrap();
            check_state(kind, Some(known)).unwrap();
            let refused = check_state(kind, Some("bogus")).unwrap_err();
            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.render().contains(told), "{}", refused.render());
        }
        for kind in [Kind::Events, Kind::Sessions, Kind::Machines, Kind::Documents] {
            assert_eq!(check_state(kind, Some("applied")).unwrap_err().exit, Exit::Usage);
        }
    }

    #[test]
    fn a_kind_of_finding_is_known_here_or_by_the_server() {
        let answered: FindingView = serde_json::from_value(serde_json::json!({
            "key": "novel x", "kind": "novel", "severity": "info", "text": "t",
            "nextStep": "n", "firstSeen": "2026-11-23T18:00:00Z",
        }))
        .unwrap();
        let answered = [answered];
        for good in ["drift", "drift policy team.payments.owner", "novel", "novel x"] {
            check_finding(good, &answered).unwrap();
        }
        let refused = check_finding("drfit", &answered).unwrap_err();
        assert_eq!(refused.exit, Exit::Usage);
        assert!(refused.render().contains("clock-skew, drift, entity"), "{}", refused.render());
    }
}
