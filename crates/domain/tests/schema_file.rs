//! The published schema file is the one that the program serves.

#[test]
fn the_published_schema_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema.json");
    let schema = strongroom_domain::document::schema::schema();
    let text = format!("{schema:#}\n");
    if std::env::var_os("STRONGROOM_BLESS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let published = std::fs::read_to_string(file).unwrap_or_default();
    assert!(published == text, "docs/schema.json is stale: run with STRONGROOM_BLESS=1");
}
