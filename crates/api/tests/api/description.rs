//! The description says what the API does, and the committed file is it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use strongroom_api::{description, routes};

use crate::support::TestApp;

/// `STRONGROOM_BLESS=1` writes the file anew.
#[test]
fn the_committed_file_is_the_description() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = serde_json::to_string_pretty(description()).unwrap() + "\n";
    if std::env::var_os("STRONGROOM_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == text,
        "docs/openapi.json is not what the API is: look at what changes for callers, then \
         STRONGROOM_BLESS=1 cargo test -p strongroom-api --test api description"
    );
}

#[test]
fn every_route_is_described_under_a_name_of_its_own() {
    let value = serde_json::to_value(description()).unwrap();
    let mut names = BTreeSet::new();
    let mut count = 0;
    for route in routes() {
        let method = route.method.as_str().to_lowercase();
        let operation = &value["paths"][&route.path][&method];
        let at = format!("{method} {}", route.path);
        assert!(operation["summary"].is_string(), "{at}");
        assert_eq!(operation["security"].is_array(), !route.is_open(), "{at}");
        let problem = "/responses/default/content/application~1problem+json/schema/$ref";
        assert!(operation.pointer(problem).is_some(), "{at}");
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(names.insert(name), "{at} has no name of its own");
        // Each part of the path is a parameter.
        for part in route.path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let part = part.trim_end_matches('}');
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let said = parameters.filter(|each| each["name"] == part && each["in"] == "path");
            assert_eq!(said.count(), 1, "{at}: {part}");
        }
        count += 1;
    }
    let described: usize = value["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|path| path.as_object().unwrap().len())
        .sum();
    assert_eq!(described, count);
}

/// Shapes that are named and not there would break every client that is made from the file.
#[test]
fn every_shape_that_is_named_is_there() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|each| references(each, found));
            }
            Value::Array(list) => list.iter().for_each(|each| references(each, found)),
            _ => {}
        }
    }
    let value = serde_json::to_value(description()).unwrap();
    let mut found = BTreeSet::new();
    references(&value, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        assert!(value.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let nobody = app.nobody();
    assert_eq!(nobody.get("/api/v1/openapi.json").await.body["info"]["title"], "Strongroom");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (file, kind) in [
        ("", "text/html"),
        ("swagger-initializer.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
    ] {
        let answer = client.get(format!("{}/api/docs/{file}", app.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{file}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-type").starts_with(kind), "{file}: {}", header("content-type"));
        let policy = header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && !policy.contains("http"), "{policy}");
        let text = answer.text().await.unwrap();
        assert!(!file.is_empty() || !text.contains("//"), "the page names another place: {text}");
        assert!(file != "swagger-initializer.js" || text.contains("/api/v1/openapi.json"));
    }
}
