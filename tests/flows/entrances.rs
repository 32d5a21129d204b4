//! Spellings that no name may have, where a name stands in an address: in every path and every
//! query of the API, escaped byte by byte and as they stand.
//!
//! In documents and in the bodies beside them `spelling` tries the same. Nothing is stored here: what
//! is refused as an address never comes as far as that.

use crate::api::segment;
use crate::corpus::{Kind, spellings};
use crate::support::Lab;
use crate::wire::Wire;

/// Paths with a name in them, for who sees everything: a name that cannot be is not there.
const PATHS: [(&str, &str, Kind); 19] = [
    ("GET", "documents/team/{}", Kind::Team),
    ("GET", "documents/cluster/{}", Kind::Cluster),
    ("GET", "documents/{}/prod-eu", Kind::Team),
    ("GET", "teams/{}/bindings", Kind::Team),
    ("GET", "teams/{}/bindings/api/kit", Kind::Team),
    ("GET", "teams/{team}/bindings/{}/kit", Kind::Binding),
    ("POST", "teams/{}/machines", Kind::Team),
    ("DELETE", "teams/{}/machines/none", Kind::Team),
    ("DELETE", "teams/{team}/machines/{}", Kind::Binding),
    ("DELETE", "machines/{}", Kind::Binding),
    ("GET", "clusters/{}/inventory", Kind::Cluster),
    ("GET", "requests/{}", Kind::Team),
    ("GET", "requests/{}/plan", Kind::Team),
    ("GET", "requests/{}/acts", Kind::Team),
    ("GET", "requests/{}/submission", Kind::Team),
    ("POST", "requests/{}/acts", Kind::Team),
    ("GET", "suspensions/{}", Kind::Team),
    ("DELETE", "sessions/{}", Kind::Team),
    ("POST", "sign-ins/{}/complete", Kind::Team),
];

/// Queries with a name in them.
const QUERIES: [(&str, Kind); 19] = [
    ("requests?subject=team/{}", Kind::Team),
    ("requests?subject=cluster/{}", Kind::Cluster),
    ("requests?state={}", Kind::Team),
    ("requests?cursor={}", Kind::Team),
    ("requests?limit={}", Kind::Team),
    ("requests?{}=1", Kind::Team),
    ("events?subject=team/{}", Kind::Team),
    ("events?subject=cluster/{}", Kind::Cluster),
    ("events?request={}", Kind::Team),
    ("events?after={}", Kind::Team),
    ("findings?all={}", Kind::Team),
    ("documents/platform/platform?revision={}", Kind::Team),
    ("who-can?path={}/kv/prod", Kind::Team),
    ("who-can?path={team}/{}/prod", Kind::Mount),
    ("who-can?path={team}/kv/{}", Kind::Path),
    ("what-can?account={}/default/api", Kind::Cluster),
    ("what-can?account=prod-eu/{}/api", Kind::Namespace),
    ("what-can?account=prod-eu/default/{}", Kind::Account),
    ("what-can?group={}", Kind::Group),
];

/// The text as an address can hold it at all: what ends or divides a request line is escaped.
fn as_it_stands(text: &str) -> Vec<u8> {
    let ends = |byte: u8| byte <= b' ' || byte == 0x7f || b"?#&+".contains(&byte);
    let spelled =
        |byte: u8| if ends(byte) { format!("%{byte:02x}").into_bytes() } else { vec![byte] };
    text.bytes().flat_map(spelled).collect()
}

/// The target with the spelling in it.
fn target(place: &str, team: &str, spelling: &[u8]) -> Vec<u8> {
    let place = format!("/api/v1/{}", place.replace("{team}", team));
    let (before, after) = place.split_once("{}").unwrap();
    [before.as_bytes(), spelling, after.as_bytes()].concat()
}

#[tokio::test]
async fn iso_03_odd_spellings_are_refused_in_every_address() {
    let lab = Lab::get();
    let team = lab.new_team("spell-a").await;
    lab.onboard(&team).await;
    let wire = Wire::of(&lab, "sue").await;
    let (mut paths, mut queries) = (0, 0);
    for spelling in spellings("spell-a0") {
        for form in [segment(&spelling.text).into_bytes(), as_it_stands(&spelling.text)] {
            for (method, place, kind) in PATHS {
                // A name that may be is somebody's, or nobody's: other tests ask for those.
                if spelling.fine_for.contains(&kind) {
                    continue;
                }
                let target = target(place, &team.slug, &form);
                let what =
                    format!("{method} {} ({})", String::from_utf8_lossy(&target), spelling.what);
                let heard = match method {
                    "POST" => {
                        let place = String::from_utf8_lossy(&target);
                        // Bytes that are no text are sent by another test.
                        let body = wire.with_body(method, &place, "content-length: 2\r\n", b"{}");
                        wire.say(&body).await
                    }
                    _ => wire.ask(method, &target).await,
                };
                heard.is_clear(&what);
                // As it stands it may be another address: of no route, or of one that takes no such
                // method. A body is looked at before an id.
                let refused: &[u16] = match method {
                    "POST" => &[400, 404, 405, 422],
                    _ => &[400, 404, 405],
                };
                assert!(refused.contains(&heard.status()), "{what}: {}", heard.text);
                paths += 1;
            }
        }
        let form = segment(&spelling.text).into_bytes();
        for (place, kind) in QUERIES {
            let target = target(place, &team.slug, &form);
            let what = format!("{} ({})", String::from_utf8_lossy(&target), spelling.what);
            let heard = wire.ask("GET", &target).await;
            heard.is_clear(&what);
            // With a slash in it, it names another place, which may be a good one.
            let moved = place.starts_with("who-can") && spelling.text.contains('/');
            if !spelling.fine_for.contains(&kind) && !moved {
                assert!([400, 404, 422].contains(&heard.status()), "{what}: {}", heard.text);
                queries += 1;
            }
        }
    }
    println!(
        "ISO-03: 0 accepted and 0 server errors of {paths} odd spellings in paths and {queries} in \
         queries"
    );
}
