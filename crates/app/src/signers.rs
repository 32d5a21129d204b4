//! Who could fill a stage, as far as sign-ins tell.
//!
//! Groups are the provider's: who is in one is known only of those who have signed in. So nobody is
//! ever refused because nobody else is known; it is said, with whom to ask.

use jiff::Timestamp;
use strongroom_domain::person::PersonId;
use strongroom_domain::request::Stage;

use crate::context::Ctx;
use crate::error::AppError;

/// A stage, and who has signed in with one of its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// The stage.
    pub stage: Stage,
    /// People, newest sign-in first.
    pub known: Vec<Signer>,
}

/// Somebody who has signed in with a group of the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// A name to read.
    pub display: String,
    /// Their last sign-in: they may have left the group since.
    pub signed_in_at: Timestamp,
    /// Whether it is the submitter, whose own vote does not count.
    pub submitter: bool,
}

/// Looks up who is known for each stage.
pub(crate) async fn signers(
    ctx: &Ctx,
    stages: Vec<Stage>,
    submitter: &PersonId,
) -> Result<Vec<Signers>, AppError> {
    let mut all = Vec::new();
    for stage in stages {
        let people = ctx.app.store.people_in_groups(&stage.groups).await?;
        let known = people
            .into_iter()
            .map(|person| Signer {
                submitter: person.id == *submitter,
                display: person.display,
                signed_in_at: person.signed_in_at,
            })
            .collect();
        all.push(Signers { stage, known });
    }
    Ok(all)
}
