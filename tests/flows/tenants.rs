//! Many tenants side by side: what one may do is what its document says, and nothing of another's.
//!
//! The engine is asked about every pair of tenants; a share of the answers is tried for real, and
//! the spellings of `corpus.rs` are sent to it as they are, with the tenants' own tokens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use strongroom_engine::error::Failure;
use strongroom_engine::{Session, sys};

use crate::corpus::{spellings, walks};
use crate::raw::RawEngine;
use crate::support::{Lab, Team};

const LEVELS: [&str; 4] = ["list", "read", "write", "admin"];
const LEVELS_BY_NAME: [&str; 4] = ["admin", "list", "read", "write"];
const AREAS: [&str; 6] = ["data", "metadata", "subkeys", "delete", "undelete", "destroy"];

/// What design section 3 gives at a path beneath a folder, written down a second time.
fn offered(level: &str, area: &str) -> &'static [&'static str] {
    match (level, area) {
        ("admin", "metadata") => &["delete", "list", "read"],
        (_, "metadata") => &["list", "read"],
        ("read", "data") | ("read" | "write" | "admin", "subkeys") => &["read"],
        ("write", "data") => &["create", "patch", "read", "update"],
        ("admin", "data") => &["create", "delete", "patch", "read", "update"],
        ("admin", "delete" | "undelete" | "destroy") => &["update"],
        _ => &["deny"],
    }
}

/// The same at one exact secret: there is no folder to list.
fn offered_exactly(level: &str, area: &str) -> Vec<&'static str> {
    offered(level, area).iter().copied().filter(|word| *word != "list").collect()
}

struct Tenant {
    slug: String,
    session: Session,
    token: String,
}

fn document(slug: &str) -> Value {
    let mut bindings = Vec::new();
    for level in LEVELS {
        for (name, path) in [("all", format!("prod/{level}/*")), ("one", format!("one/{level}"))] {
            bindings.push(json!({
                "name": format!("{name}-{level}"), "cluster": "prod-eu", "namespace": slug,
                "serviceAccounts": ["app"],
                "access": [{ "mount": "kv", "path": path, "level": level }],
            }));
        }
    }
    json!({
        "apiVersion": "strongroom.dev/v1", "kind": "Team", "metadata": { "name": slug },
        "spec": {
            "displayName": "Tenant", "contact": "tenant@example.com",
            "people": {
                "owners": [{ "group": "payments-leads" }],
                "editors": [{ "group": "payments-dev" }],
            },
            "mounts": [{ "name": "kv", "type": "kv-v2" }],
            "namespaces": [{
                "cluster": "prod-eu", "name": slug, "environment": "development", "tokenTtl": "1h",
            }],
            "bindings": bindings,
            "limits": { "requestsPerSecond": 100_000 },
        },
    })
}

/// Onboards the tenants twenty to a request, puts a value at each path and logs each in.
async fn onboard(lab: &Lab, slugs: &[String]) -> Vec<Tenant> {
    let api = lab.kubernetes();
    for slug in slugs {
        api.create_namespace(slug).await.unwrap();
        api.create_service_account(slug, "app").await.unwrap();
    }
    let bob = lab.person("bob").await;
    for (number, some) in slugs.chunks(20).enumerate() {
        let text: Vec<String> = some.iter().map(|slug| document(slug).to_string()).collect();
        let file = lab.write(&format!("tenants-{number}.yaml"), &text.join("\n---\n"));
        let team = Team { slug: String::new(), file };
        lab.until_seen(&team).await;
        let request = bob.submits(&team.file, "tenants side by side", &[]).await.unwrap();
        lab.decide_within(&request, &["sue"], Duration::from_mins(4)).await;
    }
    let admin = lab.admin().await;
    let mut tenants = Vec::new();
    for slug in slugs {
        for secret in secrets() {
            let path = format!("team/{slug}/kv/data/{secret}");
            let value = json!({ "data": { "password": format!("value-of-{slug}") } });
            admin.write(&path, "{secret}", &value).await.unwrap();
        }
        let jwt = api.token(slug, "app", &["strongroom"], 3600).await.unwrap();
        let login = lab.try_login("prod-eu", slug, jwt).await.unwrap();
        let token = login.token.expose_secret().to_owned();
        let session = Session::with_login(lab.engine(), login);
        tenants.push(Tenant { slug: slug.clone(), session, token });
    }
    tenants
}

/// The secrets of each tenant.
fn secrets() -> Vec<String> {
    LEVELS
        .iter()
        .flat_map(|level| [format!("prod/{level}/db"), format!("one/{level}")])
        .chain(["other/db".to_owned()])
        .collect()
}

/// Paths of a tenant's estate, with and without a slash at the end.
fn estate(slug: &str) -> Vec<String> {
    let mount = format!("team/{slug}/kv");
    let mut paths = Vec::new();
    for area in AREAS {
        paths.push(format!("{mount}/{area}"));
        paths.push(format!("{mount}/{area}/prod"));
        paths.extend(secrets().iter().map(|secret| format!("{mount}/{area}/{secret}")));
    }
    paths.extend(administration(slug));
    let slashed: Vec<String> = paths.iter().map(|path| format!("{path}/")).collect();
    paths.extend(slashed);
    paths
}

/// What no workload may touch, its own team's included.
fn administration(slug: &str) -> Vec<String> {
    let mount = format!("team/{slug}/kv");
    vec![
        format!("team/{slug}"),
        mount.clone(),
        format!("{mount}/config"),
        format!("sys/mounts/{mount}"),
        format!("sys/mounts/{mount}/tune"),
        format!("sys/policies/acl/team.{slug}.owner"),
        format!("sys/policies/acl/team.{slug}.binding.all-admin"),
        format!("sys/policy/team.{slug}.binding.all-admin"),
        format!("identity/group/name/team.{slug}.binding.all-admin"),
        format!("identity/entity/name/sa.prod-eu.{slug}.app"),
        format!("auth/k8s/prod-eu/role/{slug}"),
        format!("sys/quotas/rate-limit/team.{slug}.kv"),
        format!("strongroom/data/heads/team/{slug}"),
    ]
}

/// A tenant's own paths with what must be allowed there.
fn own_cells(slug: &str) -> BTreeMap<String, Vec<&'static str>> {
    let mount = format!("team/{slug}/kv");
    let mut cells = BTreeMap::new();
    let deny = vec!["deny"];
    for area in AREAS {
        for level in LEVELS {
            let folder = format!("{mount}/{area}/prod/{level}");
            for inside in ["/", "/db", "/a/b/c"] {
                cells.insert(format!("{folder}{inside}"), offered(level, area).to_vec());
            }
            for outside in ["", "x", "x/db", "-x/db"] {
                cells.insert(format!("{folder}{outside}"), deny.clone());
            }
            let exact = format!("{mount}/{area}/one/{level}");
            cells.insert(exact.clone(), offered_exactly(level, area));
            for outside in ["/db", "x", ".", "x/db"] {
                cells.insert(format!("{exact}{outside}"), deny.clone());
            }
        }
        for outside in ["", "/", "/prod/", "/one/", "/other/db"] {
            cells.insert(format!("{mount}/{area}{outside}"), deny.clone());
        }
    }
    cells.extend(administration(slug).into_iter().map(|path| (path, deny.clone())));
    for (path, word) in [
        ("auth/token/lookup-self", "read"),
        ("auth/token/renew-self", "update"),
        ("auth/token/revoke-self", "update"),
        ("sys/capabilities-self", "update"),
        ("sys/leases/renew", "update"),
        ("sys/leases/revoke", "update"),
        ("sys/wrapping/unwrap", "update"),
        ("auth/token/create", "deny"),
        ("auth/token/lookup", "deny"),
        ("cubbyhole/x", "deny"),
        ("sys/wrapping/wrap", "deny"),
        ("identity/entity", "deny"),
        ("sys/mounts", "deny"),
    ] {
        cells.insert(path.to_owned(), vec![word]);
    }
    cells
}

/// Cells that are not as the table says.
async fn unequal(tenant: &Tenant, cells: &BTreeMap<String, Vec<&str>>) -> Vec<String> {
    let paths: Vec<&str> = cells.keys().map(String::as_str).collect();
    let answers = match sys::capabilities_self(&tenant.session, &paths).await {
        Ok(answers) => answers,
        // An account that is not attached yet may not even ask.
        Err(error) if error.failure == Failure::Denied => return vec![error.to_string()],
        Err(error) => panic!("{error}"),
    };
    let wrong = answers.into_iter().filter_map(|(path, mut words)| {
        words.sort();
        (words != cells[&path]).then(|| format!("{path}: {words:?}, not {:?}", cells[&path]))
    });
    wrong.collect()
}

/// A call for each kind of operation.
const VERBS: [&str; 4] = ["GET", "LIST", "PUT", "DELETE"];

fn body(verb: &str) -> Option<Value> {
    let value = json!({ "data": { "password": "overwritten" }, "versions": [1], "policy": "" });
    (verb == "PUT").then_some(value)
}

#[tokio::test]
async fn iso_01_a_tenant_reaches_its_own_paths_only() {
    let lab = Lab::get();
    let count = if std::env::var_os("STRONGROOM_FULL").is_some() { 100 } else { 12 };
    let word = uuid::Uuid::new_v4().simple().to_string();
    // Each slug is the beginning of others.
    let slugs: Vec<String> =
        (0..count).map(|number| format!("iso-s{}-{number}", &word[..8])).collect();
    let tenants = onboard(&lab, &slugs).await;

    // Own paths: exactly the table, once the accounts are attached.
    let mut own = 0;
    for tenant in &tenants {
        let cells = own_cells(&tenant.slug);
        let start = Instant::now();
        loop {
            let wrong = unequal(tenant, &cells).await;
            if wrong.is_empty() {
                break;
            }
            let late = start.elapsed() > Duration::from_mins(1);
            assert!(!late, "{} cells: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        own += cells.len();
    }

    // Others' paths: the engine's own answer about each.
    let mut asked: Vec<(usize, String)> = Vec::new();
    for (number, tenant) in tenants.iter().enumerate() {
        let others = slugs.iter().filter(|slug| **slug != tenant.slug);
        let paths: Vec<String> = others.flat_map(|slug| estate(slug)).collect();
        // The engine takes so many texts at once.
        for some in paths.chunks(400) {
            let some: Vec<&str> = some.iter().map(String::as_str).collect();
            for (path, words) in sys::capabilities_self(&tenant.session, &some).await.unwrap() {
                assert_eq!(words, ["deny"], "{} at {path}", tenant.slug);
                asked.push((number, path));
            }
        }
    }

    // One answer in a hundred, tried.
    let raw = RawEngine::of(&lab);
    let step = 97_usize.min(asked.len() / 50);
    let mut tried = 0;
    for (turn, (number, path)) in asked.iter().step_by(step).enumerate() {
        let verb = VERBS[turn % VERBS.len()];
        let answer = raw.call(verb, path, &tenants[*number].token, body(verb).as_ref());
        // No path that ends in a slash can be written to, whoever asks.
        let refused = if verb == "PUT" && path.ends_with('/') { 400 } else { 403 };
        assert_eq!(answer.status, refused, "{verb} {path}: {}", answer.body);
        tried += 1;
    }
    let own_tried = try_own(&raw, &tenants[0]);
    let spelled = try_spellings(&raw, &tenants);
    for tenant in &tenants {
        is_untouched(&lab, tenant).await;
    }
    println!(
        "ISO-01: {count} tenants, 0 foreign capabilities of {} asked; {own} of {own} own cells \
         equal; 0 mismatches of {} tried ({own_tried} own); 0 of {spelled} odd spellings let through",
        asked.len(),
        tried + own_tried
    );
}

/// The first tenant's own cells, tried: what is said to be allowed is, what is denied is refused.
fn try_own(raw: &RawEngine, tenant: &Tenant) -> usize {
    let mount = format!("team/{}/kv", tenant.slug);
    let mut tried = 0;
    for level in LEVELS {
        let secret = format!("prod/{level}/tried");
        for (verb, area, path, word) in [
            ("LIST", "metadata", format!("prod/{level}"), "list"),
            ("GET", "metadata", format!("prod/{level}/db"), "read"),
            ("GET", "data", format!("prod/{level}/db"), "read"),
            ("GET", "subkeys", format!("prod/{level}/db"), "read"),
            ("PUT", "data", secret.clone(), "create"),
            ("PUT", "data", secret.clone(), "update"),
            ("DELETE", "data", secret.clone(), "delete"),
            ("PUT", "undelete", secret.clone(), "update"),
            ("PUT", "delete", secret.clone(), "update"),
            ("PUT", "destroy", secret.clone(), "update"),
            ("DELETE", "metadata", secret.clone(), "delete"),
        ] {
            let path = format!("{mount}/{area}/{path}");
            let answer = raw.call(verb, &path, &tenant.token, body(verb).as_ref());
            let allowed = offered(level, area).contains(&word);
            let as_said = if allowed { answer.is_success() } else { answer.status == 403 };
            assert!(as_said, "{verb} {path}: {} {}", answer.status, answer.body);
            tried += 1;
        }
    }
    tried
}

/// Tenants try their neighbour's paths in every spelling, with every verb; ten of them with
/// `--full`, two otherwise, because each call is a connection of its own.
fn try_spellings(raw: &RawEngine, tenants: &[Tenant]) -> usize {
    let some = if std::env::var_os("STRONGROOM_FULL").is_some() { 10 } else { 2 };
    let mut tried = 0;
    for (number, tenant) in tenants.iter().enumerate().take(some) {
        let neighbour = &tenants[(number + 1) % tenants.len()].slug;
        // Every token may ask which mounts there are; it is told of its own.
        let path = "sys/internal/ui/mounts";
        let told = raw.call("GET", path, &tenant.token, None);
        let names = |slug: &str| told.body.contains(&format!("team/{slug}/"));
        assert!(names(&tenant.slug), "{}", told.body);
        assert!(tenants.iter().all(|other| other.slug == tenant.slug || !names(&other.slug)));
        let one = raw.call("GET", &format!("{path}/team/{neighbour}/kv"), &tenant.token, None);
        assert_eq!(one.status, 403, "{}", one.body);
        tried += 2;
        let mut paths = Vec::new();
        for spelling in spellings(neighbour) {
            for rest in ["kv/data/prod/read/db", "kv/metadata/prod/list"] {
                paths.push(format!("team/{}/{rest}", spelling.text));
            }
        }
        for (area, level) in [("data", "read"), ("data", "admin"), ("metadata", "list")] {
            let from = format!("team/{}/kv/{area}/prod/{level}", tenant.slug);
            let secret = if area == "data" { "/db" } else { "" };
            let to = format!("team/{neighbour}/kv/{area}/prod/{level}{secret}");
            paths.extend(walks(&from, &to));
            let head = format!("strongroom/data/heads/team/{neighbour}");
            paths.extend(walks(&from, &head));
        }
        for path in paths {
            for verb in VERBS {
                let answer = raw.call(verb, &path, &tenant.token, body(verb).as_ref());
                let leaks = answer.body.contains(&format!("value-of-{neighbour}"));
                let through = answer.is_success() && !stays_at_home(&path, &tenant.slug);
                assert!(!leaks && !through, "{verb} {path}: {} {}", answer.status, answer.body);
                tried += 1;
            }
        }
    }
    tried
}

/// Where a tenant may write, the engine takes any name for a secret, also one that would be a walk
/// if it were decoded once more: it stays in the tenant's own folder, and that is no way out.
fn stays_at_home(path: &str, slug: &str) -> bool {
    let bytes: Vec<u8> = path.bytes().collect();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let escaped = hex.filter(|_| bytes[at] == b'%');
        decoded.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    let decoded = String::from_utf8_lossy(&decoded).into_owned();
    let mut walked: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                walked.pop();
            }
            other => walked.push(other),
        }
    }
    walked.starts_with(&["team", slug, "kv"])
}

/// What the tenant's own administrator put there is there, in its first version, and nothing else.
async fn is_untouched(lab: &Lab, tenant: &Tenant) {
    let admin = lab.admin().await;
    let slug = &tenant.slug;
    for secret in secrets() {
        let path = format!("team/{slug}/kv/data/{secret}");
        let found = admin.read(&path, "{secret}").await.unwrap().unwrap();
        assert_eq!(found["data"]["password"], format!("value-of-{slug}"), "{path}");
        assert_eq!(found["metadata"]["version"], 1, "{path} was written again");
    }
    for (folder, names) in [
        ("", &["one/", "other/", "prod/"][..]),
        ("prod", &["admin/", "list/", "read/", "write/"][..]),
        ("prod/list", &["db"][..]),
        ("prod/read", &["db"][..]),
        ("one", &LEVELS_BY_NAME[..]),
        ("other", &["db"][..]),
    ] {
        let path = format!("team/{slug}/kv/metadata/{folder}");
        assert_eq!(admin.list(&path, "{folder}").await.unwrap(), names, "{path}");
    }
}
