//! What the engine would refuse for its size is refused before anybody signs.

use strongroom_vault_model::object::ObjectKey;

use super::engine::Engine;
use super::support::{first, one, plan};
use crate::Refusal;

fn with_accounts(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|number| format!("sa-{number}")).collect();
    format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: shop }}\nspec:\n  \
         displayName: Shop\n  contact: shop@example.com\n  people: {{ owners: [{{ group: leads }}] }}\n  \
         mounts: [{{ name: kv, type: kv-v2 }}]\n  namespaces:\n    - {{ cluster: lab, name: shop, \
         environment: development, tokenTtl: 20m }}\n  bindings:\n    - name: all\n      cluster: lab\n      \
         namespace: shop\n      serviceAccounts: [{}]\n      access: [{{ mount: kv, path: dev/*, \
         level: read }}]\n",
        names.join(", ")
    )
}

#[test]
fn more_accounts_than_the_engine_takes_in_one_request_are_refused_with_the_way_out() {
    let build = |count| plan(&Engine::default(), &[first(&one(&with_accounts(count)))]);
    assert!(build(850).is_ok());
    let refusals = build(900).expect_err("the engine would refuse it half way");
    let mut kinds = Vec::new();
    for refusal in &refusals {
        let Refusal::TooLarge(key, _) = refusal else { panic!("{refusal}") };
        kinds.push(match key {
            ObjectKey::Group(_) => "group",
            ObjectKey::Role(..) => "role",
            _ => "other",
        });
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["group", "role"]);
    assert!(refusals.iter().any(|each| each.to_string().contains("split the binding")));
}
