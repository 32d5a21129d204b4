//! The summary says everything that changes for somebody, in words.

use std::collections::BTreeMap;

use super::support::{change, cluster, context, first, one, shop};
use crate::summary::{sentences, whole};

/// What is said of the shop with these texts replaced one after the other.
fn said(replaced: &[(&str, &str)]) -> Vec<String> {
    let mut text = shop("");
    for (from, to) in replaced {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    sentences(&[change(&one(&shop("")), &one(&text))])
}

#[test]
fn each_change_has_its_sentence() {
    let table: &[(&str, &str, &[&str])] = &[
        ("displayName: Shop", "displayName: The shop", &["team shop is shown as The shop"]),
        ("shop@example.com", "ops@example.com", &["team shop is reached at ops@example.com"]),
        (
            "maxVersions: 10",
            "maxVersions: 20",
            &["team/shop/kv keeps 20 versions of each secret instead of 10"],
        ),
        (
            "maxVersions: 10",
            "maxVersions: 3",
            &[
                "team/shop/kv keeps 3 versions of each secret instead of 10; older ones are removed \
               for good",
            ],
        ),
        (
            "name: shop-prod, environment: production, tokenTtl: 20m",
            "name: shop-prod, environment: production, tokenTtl: 30m",
            &["tokens in the namespace shop-prod (prod-eu) live longer: 30m instead of 20m"],
        ),
        (
            "name: shop-prod, environment: production, tokenTtl: 20m",
            "name: shop-prod, environment: production, tokenTtl: 90s",
            &["tokens in the namespace shop-prod (prod-eu) live shorter: 90s instead of 20m"],
        ),
        (
            "environment: production",
            "environment: staging",
            &[
                "the namespace shop-prod (prod-eu) counts as staging instead of production",
                "through the namespace shop-prod (prod-eu) nothing is guarded as production any more",
            ],
        ),
        (
            "environment: development",
            "environment: production",
            &["the namespace shop-dev (lab) counts as production instead of development"],
        ),
        (
            "  bindings:",
            "    - { cluster: lab, name: shop-test, environment: staging }\n  bindings:",
            &[
                "the namespace shop-test (lab) becomes the team's, as staging; tokens there live 20m",
            ],
        ),
        (
            "  mounts:",
            "  limits: { requestsPerSecond: 50 }\n  mounts:",
            &["each mount of shop takes at most 50 requests per second"],
        ),
        ("displayName: Shop", "displayName: Shop", &["nobody's access changes"]),
    ];
    for (from, to, wanted) in table {
        assert_eq!(said(&[(from, to)]), *wanted, "{from} to {to}");
    }
}

#[test]
fn what_is_given_up_and_what_is_no_longer_limited_is_said_too() {
    let lines: Vec<String> =
        shop("").lines().filter(|line| !line.contains("shop-dev,")).map(str::to_owned).collect();
    let proposed = one(&lines.join("\n"));
    let said = sentences(&[change(&one(&shop("")), &proposed)]);
    assert_eq!(
        said,
        [
            "the namespace shop-dev (lab) is the team's no longer",
            "binding test ends: service account web in shop-dev (lab) loses its access",
        ]
    );
    let limited = |rate: u32| shop(&format!("  limits: {{ requestsPerSecond: {rate} }}\n"));
    let change = |base: &str, proposed: &str| sentences(&[change(&one(base), &one(proposed))]);
    assert_eq!(
        change(&limited(5), &shop("")),
        ["each mount of shop is no longer limited to 5 requests per second"]
    );
    assert_eq!(
        change(&limited(5), &limited(6)),
        ["each mount of shop takes at most 6 requests per second instead of 5"]
    );
}

#[test]
fn voters_read_what_the_preview_says_with_what_is_trusted_and_lifted() {
    let attest = ["prod-eu/shop-prod".to_owned()];
    let pins = [(attest[0].clone(), "0199".to_owned())].into();
    let mut context = context();
    context.holds.lift = ["team/shop/web".parse().unwrap()].into();
    context.taken_out =
        ["team.shop.binding.live", "team.other.binding.live", "team.shop.binding.no"]
            .map(|name| name.parse().unwrap())
            .into();
    let longer = shop("").replace("maxVersions: 10", "maxVersions: 20");
    let changes = [change(&one(&shop("")), &one(&longer))];
    let said = whole(&context, &changes, &[], &attest, &pins);
    assert_eq!(
        said,
        [
            "team/shop/kv keeps 20 versions of each secret instead of 10",
            "the namespace prod-eu/shop-prod is trusted with the UID that it has now: 0199",
            "team/shop/web goes on again, which was held",
            "accounts come back into the group team.shop.binding.live, which were taken out of it by \
             hand",
        ]
    );
    let same = [change(&one(&shop("")), &one(&shop("")))];
    let quiet = super::support::context();
    let nothing = whole(&quiet, &same, &[], &[], &BTreeMap::default());
    assert_eq!(nothing, ["nobody's access changes"]);
}

#[test]
fn each_rule_and_each_field_of_a_cluster_is_told_as_it_was_and_will_be() {
    let rules = |spec: &str| {
        one(&format!(
            "apiVersion: strongroom.dev/v1\nkind: Platform\nmetadata: {{ name: platform }}\nspec:\n{spec}"
        ))
    };
    let loose = "  approvals: { high: { owners: 0, platform: 1 } }\n  \
                 ceilings: { tokenTtl: 30m }\n  reservedNames: [vault, sre]\n";
    let wanted = [
        "platform: approvals.high.owners is 0 instead of 1",
        "platform: ceilings.tokenTtl is 30m instead of 1h",
        "platform: reservedNames is [vault, sre] instead of []",
    ];
    // The first document is told against the rules that hold without any.
    assert_eq!(sentences(&[first(&rules(loose))]), wanted);
    assert_eq!(sentences(&[change(&rules("  reservedNames: []\n"), &rules(loose))]), wanted);

    let base = cluster("prod-eu");
    let text = base.to_yaml().replace("audience: strongroom", "audience: other");
    let text = text.replace("AAAA", "BBBB");
    let said = sentences(&[change(&base, &one(&text))]);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert_eq!(said[0], "cluster prod-eu: audience is other instead of strongroom");
    assert!(said[1].starts_with("cluster prod-eu: ca is the text with SHA-256 "), "{said:#?}");
}

#[test]
fn a_new_team_is_told_whole() {
    let said = sentences(&[first(&one(&shop("  limits: { requestsPerSecond: 5 }\n")))]);
    for wanted in [
        "a secret engine is mounted at team/shop/spare, which keeps 5 versions of each secret",
        "each mount of shop takes at most 5 requests per second",
        "the namespace shop-prod (prod-eu) becomes the team's, as production; tokens there live 20m",
        "the namespace shop-dev (lab) becomes the team's, as development; tokens there live 20m",
    ] {
        assert!(said.contains(&wanted.to_owned()), "{wanted:?} not in {said:#?}");
    }
}
