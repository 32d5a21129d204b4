//! Shapes of the domain's values in the API's description: what they look like as JSON.
//!
//! The domain knows nothing of descriptions. Words come from the domain, so that none is missing
//! here; a test holds examples against what the domain really writes.

use strongroom_domain::machine::Scope;
use strongroom_domain::request::State;
use strongroom_domain::risk::Risk;
use utoipa::openapi::schema::{ArrayBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{KnownFormat, ObjectBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Makes one shape: its name in the description, and its schema.
macro_rules! shapes {
    ($($name:ident = $schema:expr;)*) => {$(
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema: Schema = $schema.into();
                schema.into()
            }
        }

        impl ToSchema for $name {}
    )*};
}

shapes! {
    StateWord = words("The state of a change request.", State::words().split(", "));
    RiskWord = words(
        "How much can go wrong.",
        [Risk::Low, Risk::Normal, Risk::High, Risk::Critical].map(Risk::as_str),
    );
    ScopeWord = words("What a machine may do.", [Scope::Read, Scope::Propose].map(Scope::as_str));
    SubjectText = text("`team/<name>`, `cluster/<name>` or `platform`.", "^(platform|(team|cluster)/.+)$")
        .examples(["team/payments"]);
    TargetText = text(
        "What stands still: a subject, or `team/<name>/<binding>`.",
        "^(platform|cluster/.+|team/.+)$",
    )
    .examples(["team/payments/api"]);
    HashText = text("A SHA-256, in hexadecimal.", "^[0-9a-f]{64}$");
    RiskReasonShape = object("One reason for a risk.")
        .property("risk", RiskWord::schema())
        .required("risk")
        .property("text", plain())
        .required("text");
    SubmissionShape = object("What is proposed: its canonical bytes are what a person signs.")
        .property("request", uuid())
        .required("request")
        .property("documents", ArrayBuilder::new().items(SubmittedDocumentShape::schema()))
        .required("documents")
        .property("attest", ArrayBuilder::new().items(plain()))
        .required("attest")
        .property("lift", ArrayBuilder::new().items(TargetText::schema()))
        .property("reason", plain())
        .required("reason");
    SubmittedDocumentShape = object("A document and the applied revision it is based on.")
        .property("subject", SubjectText::schema())
        .required("subject")
        .property("baseRevision", whole())
        .required("baseRevision")
        .property("document", object("As `/api/v1/schema` says."))
        .required("document");
    StatementShape = object("Everything the nonce of an act is made of.")
        .property("deployment", uuid())
        .required("deployment")
        .property("issuer", plain())
        .required("issuer")
        .property("audience", plain())
        .required("audience")
        .property("act", plain())
        .required("act")
        .property("items", ArrayBuilder::new().items(object("What is acted on.")))
        .required("items")
        .property("comment", HashText::schema())
        .required("comment")
        .property("salt", plain())
        .required("salt");
}

fn plain() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

fn whole() -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).format(Some(format))
}

fn uuid() -> ObjectBuilder {
    plain().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}

fn object(description: &str) -> ObjectBuilder {
    let object = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object));
    object.description(Some(description))
}

fn text(description: &str, pattern: &str) -> ObjectBuilder {
    plain().description(Some(description)).pattern(Some(pattern))
}

fn words<'a>(description: &str, words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    plain().description(Some(description)).enum_values(Some(words.into_iter().map(str::to_owned)))
}
