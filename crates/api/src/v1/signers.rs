//! Who must sign, and who of them is known.

use jiff::Timestamp;
use serde::Serialize;
use strongroom_app::signers::{Signer, Signers};
use utoipa::ToSchema;

/// One stage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stage {
    name: String,
    groups: Vec<String>,
    votes: u32,
    known: Vec<Known>,
}

/// Somebody who has signed in with a group of the stage.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Known {
    display: String,
    signed_in_at: Timestamp,
    submitter: bool,
}

impl From<Signers> for Stage {
    fn from(view: Signers) -> Self {
        let known = |each: Signer| Known {
            display: each.display,
            signed_in_at: each.signed_in_at,
            submitter: each.submitter,
        };
        Self {
            name: view.stage.name,
            groups: view.stage.groups.into_iter().collect(),
            votes: view.stage.votes,
            known: view.known.into_iter().map(known).collect(),
        }
    }
}
