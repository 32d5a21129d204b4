//! What stands against a plan, told at the place in the documents where it can be mended.

use strongroom_domain::document::{Document, Team};
use strongroom_plan::Refusal;

use crate::claim::Placed;
use crate::error::FieldFault;

/// One fault per refusal.
pub(super) fn faults(refusals: &[Refusal], documents: &[Placed<'_>]) -> Vec<FieldFault> {
    refusals
        .iter()
        .map(|refusal| {
            let place = place(refusal, documents).unwrap_or_else(|| "/documents".to_owned());
            FieldFault::new(place, refusal.to_string())
        })
        .collect()
}

fn place(refusal: &Refusal, documents: &[Placed<'_>]) -> Option<String> {
    let claim = |wanted: &dyn Fn(&str, &str) -> bool| {
        teams(documents).find_map(|(base, team)| {
            let number = team
                .namespaces
                .iter()
                .position(|claim| wanted(claim.cluster.as_str(), claim.name.as_str()))?;
            Some(format!("{base}/spec/namespaces/{number}"))
        })
    };
    match refusal {
        Refusal::NoNamespace(name)
        | Refusal::UnknownNamespace(name)
        | Refusal::ClaimedTwice(name)
        | Refusal::TokenTtl(name, _) => {
            claim(&|cluster, namespace| *name == format!("{cluster}/{namespace}"))
        }
        Refusal::NoCluster(cluster) => {
            claim(&|each, _| each == cluster.as_str()).map(|base| format!("{base}/cluster"))
        }
        Refusal::ReservedName(name) => teams(documents)
            .find(|(_, team)| team.name == *name)
            .map(|(base, _)| format!("{base}/metadata/name")),
        _ => None,
    }
}

fn teams<'a>(documents: &'a [Placed<'a>]) -> impl Iterator<Item = (&'a str, &'a Team)> {
    documents.iter().filter_map(|(base, document)| match document {
        Document::Team(team) => Some((base.as_str(), &**team)),
        _ => None,
    })
}
