//! Accounts of one team reach another team's secrets by both owners' consent, and a team is taken
//! off with its data kept.

use std::path::Path;
use std::time::{Duration, Instant};

use strongroom_lab::Person;

use crate::support::{Lab, Team, document};

/// A team of the orders people with one binding for an account of `host`.
fn guest(slug: &str, host: &Team, shares: bool) -> String {
    let bindings = format!(
        "  bindings:\n    - name: till\n      cluster: prod-eu\n      namespace: {host}\n      \
         team: {host}\n      serviceAccounts: [till, api]\n      \
         access: [{{ mount: kv, path: menu/*, level: read }}]\n",
        host = host.slug
    );
    format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: {slug} }}\nspec:\n  \
         displayName: Guest\n  contact: test@example.com\n  people:\n    \
         owners: [{{ group: orders-leads }}]\n  mounts: [{{ name: kv, type: kv-v2 }}]\n{}",
        if shares { bindings.as_str() } else { "" }
    )
}

#[tokio::test]
async fn sharing_needs_an_owner_of_each_and_ends_with_one_signature() {
    let lab = Lab::get();
    let host = lab.new_team("host").await;
    lab.onboard(&host).await;
    lab.kubernetes().create_service_account(&host.slug, "till").await.unwrap();
    let slug = host.slug.replace("host-", "guest-");
    let shared = lab.write("guest.yaml", &guest(&slug, &host, true));
    let carol = lab.person("carol").await;

    // A namespace that is not that team's is refused with the names that matter.
    let wrong = guest(&slug, &host, true)
        .replace(&format!("namespace: {}", host.slug), "namespace: elsewhere");
    let wrong = lab.write("wrong.yaml", &wrong).display().to_string();
    let printed = carol.run(&["apply", "-f", &wrong, "--dry-run", "--reason", "look"]).await;
    let printed = printed.unwrap();
    assert_ne!(printed.code, 0);
    assert!(printed.err.contains("does not claim the namespace"), "{}", printed.err);

    let request = carol.submits(&shared, "the till reads our menu", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    let shown = lab.request(&request).await;
    assert_eq!(shown["risk"], "critical", "{shown:#}");
    // The host's owner sees a request of a team that he is not in, and signs it.
    lab.person("bob").await.approves(&request).await.unwrap();
    for name in ["sam", "kim"] {
        assert_eq!(lab.request(&request).await["state"], "in_review");
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    let secret = format!("{slug}/kv/menu/today");
    carol.must(&["kv", "put", &secret, "dish=-"], Some("soup"), 0).await.unwrap();

    let path = format!("team/{slug}/kv/data/menu/today");
    let till = lab.workload(&host.slug, "till").await;
    till.reads_soon(&path).await;
    // One account in two teams' bindings has both, and a neighbour in the namespace neither.
    let api = lab.workload(&host.slug, "api").await;
    api.reads_soon(&path).await;
    let own = format!("team/{}/kv/data/prod/api/db", host.slug);
    api.reads_soon(&own).await;
    assert!(till.is_refused(&own).await, "the till reads its own team's secrets");
    assert!(lab.workload(&host.slug, "batch").await.is_refused(&path).await);

    // The host cannot give the namespace up under its guest.
    let text = document(&host.slug, true);
    let given_up = text.split("  namespaces:").next().unwrap().to_owned();
    let given_up = lab.write("given-up.yaml", &given_up).display().to_string();
    let bob = lab.person("bob").await;
    let printed = bob.run(&["apply", "-f", &given_up, "--dry-run", "--reason", "look"]).await;
    assert!(printed.unwrap().err.contains("is shared with the team"));

    // The guest's owner alone takes it back.
    let alone = lab.write("alone.yaml", &guest(&slug, &host, false));
    let request = carol.submits(&alone, "no more", &[]).await.unwrap();
    lab.until(&request, "applied").await;
    let took = till.refused_soon(&path).await;
    api.refused_soon(&path).await;
    assert!(!api.is_refused(&own).await, "its own team's secrets went with it");
    println!(
        "sharing: an owner of each and two of the platform; taken back, refused after {took:?}"
    );
}

/// A shared namespace is made anew. Its own team trusts it again; what the guest still trusts takes
/// nothing away from it. Made anew once more, one request of both teams trusts it for both.
#[tokio::test]
async fn a_guests_old_trust_leaves_the_hosts_new_accounts_alone() {
    let lab = Lab::get();
    let host = lab.new_team("host").await;
    lab.onboard(&host).await;
    lab.kubernetes().create_service_account(&host.slug, "till").await.unwrap();
    let slug = host.slug.replace("host-", "guest-");
    let text = guest(&slug, &host, true);
    let file = lab.write("guest.yaml", &text);
    let (bob, carol) = (lab.person("bob").await, lab.person("carol").await);
    let request = carol.submits(&file, "the till reads our menu", &[]).await.unwrap();
    lab.decide(&request, &["bob", "sam", "kim"]).await;
    let secret = format!("{slug}/kv/menu/today");
    carol.must(&["kv", "put", &secret, "dish=-"], Some("soup"), 0).await.unwrap();
    let shared = format!("team/{slug}/kv/data/menu/today");
    let own = format!("team/{}/kv/data/prod/api/db", host.slug);
    let before = lab.workload(&host.slug, "api").await;
    before.reads_soon(&shared).await;

    anew(&lab, &host.slug).await;
    before.refused_soon(&own).await;
    let place = format!("prod-eu/{}", host.slug);
    let request = submits_soon(&bob, &host.file, &place).await;
    lab.decide(&request, &["sue"]).await;
    let live = lab.workload(&host.slug, "api").await;
    live.reads_soon(&own).await;
    // Longer than it takes until every binding is looked at again, and something to look for.
    let start = Instant::now();
    for number in 0.. {
        if start.elapsed() > Duration::from_secs(25) {
            break;
        }
        let name = format!("late-{number}");
        lab.kubernetes().create_service_account(&host.slug, &name).await.unwrap();
        assert!(!live.is_refused(&own).await, "the guest's old trust took the host's account away");
        assert!(live.is_refused(&shared).await, "the guest trusts what it did not vote on");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    anew(&lab, &host.slug).await;
    live.refused_soon(&own).await;
    let both = format!("{}---\n{text}", document(&host.slug, true));
    let both = lab.write("both.yaml", &both);
    let sue = lab.person("sue").await;
    let request = submits_soon(&sue, &both, &place).await;
    lab.decide(&request, &["bob", "carol", "sam", "kim"]).await;
    let again = lab.workload(&host.slug, "api").await;
    again.reads_soon(&own).await;
    again.reads_soon(&shared).await;
    assert!(live.is_refused(&own).await, "a token of the deleted namespace reads");
}

/// Previews follow the cluster within a second or so: until then the namespace may be gone.
async fn submits_soon(person: &Person, file: &Path, place: &str) -> String {
    let start = Instant::now();
    loop {
        match person.submits(file, "rebuilt", &["--reattest", place]).await {
            Ok(request) => return request,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(30), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Deletes a namespace and makes it anew with the same accounts.
async fn anew(lab: &Lab, namespace: &str) {
    let api = lab.kubernetes();
    api.delete_namespace(namespace).await.unwrap();
    api.create_namespace(namespace).await.unwrap();
    for account in ["api", "batch", "till"] {
        api.create_service_account(namespace, account).await.unwrap();
    }
}

#[tokio::test]
async fn a_removed_team_reaches_nothing_and_loses_nothing() {
    let lab = Lab::get();
    let team = lab.new_team("gone").await;
    lab.onboard(&team).await;
    let path = format!("team/{}/kv/data/prod/api/db", team.slug);
    let live = lab.workload(&team.slug, "api").await;
    live.reads_soon(&path).await;
    let bob = lab.person("bob").await;
    let text = document(&team.slug, true);
    let kept = text.split("  namespaces:").next().unwrap();
    let removed = lab.write("removed.yaml", &format!("{kept}  removed: true\n"));
    let request = bob.submits(&removed, "the product is no more", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    assert_eq!(lab.request(&request).await["risk"], "critical");
    for name in ["sam", "kim"] {
        lab.person(name).await.approves(&request).await.unwrap();
    }
    lab.until(&request, "applied").await;
    let took = live.refused_soon(&path).await;
    let put = format!("{}/kv/prod/api/db", team.slug);
    let printed = bob.must(&["kv", "put", &put, "password=-"], Some("x"), 5).await;
    assert!(printed.is_ok(), "an owner still sets values: {printed:?}");

    let admin = lab.admin().await;
    let mount = admin.read(&format!("sys/mounts/team/{}/kv", team.slug), "{mount}").await;
    let mount = mount.unwrap().unwrap();
    assert!(mount["description"].as_str().unwrap().ends_with("(quarantined)"), "{mount:#}");
    let value = admin.read(&path, "{secret}").await.unwrap().unwrap();
    assert_eq!(value["data"]["password"], "s3cr3t", "the data is not what it was");

    // Its name is never anybody else's, and its namespace is free.
    let other = lab.write("other.yaml", &document(&team.slug, true).replace("payments", "orders"));
    let other = other.display().to_string();
    let carol = lab.person("carol").await;
    let printed = carol.run(&["apply", "-f", &other, "--dry-run", "--reason", "mine"]).await;
    assert!(printed.unwrap().err.contains("is taken"));
    let back = bob.submits(&team.file, "it comes back", &[]).await.unwrap();
    lab.until(&back, "in_review").await;
    lab.person("sue").await.approves(&back).await.unwrap();
    lab.until(&back, "applied").await;
    lab.workload(&team.slug, "api").await.reads_soon(&path).await;
    println!("removal: a live token is refused {took:?} after; the data is kept and comes back");
}
