//! `apply`: proposes the documents of files.

use strongroom_domain::hold::Target;

use super::propose::{Proposal, propose};
use crate::args::ApplyArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Loaded};

/// Proposes documents. Everything that the person gave is looked at before anybody has to be
/// signed in.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &ApplyArgs,
) -> Result<Exit, Failure> {
    let Loaded { documents, places } = files::load(&args.files.filename)?;
    let attest = attested(&args.reattest)?;
    let lift = lifted(&args.lift)?;
    let proposal = Proposal { places, attest, lift, ..Proposal::of(documents) };
    propose(&client()?, proposal, &args.propose).await
}

/// What is to go on again, as it is signed.
pub fn lifted(given: &[String]) -> Result<Vec<Target>, Failure> {
    let mut lift = Vec::new();
    for each in given {
        let target = each.parse().map_err(|error| {
            Failure::usage(format!("lift {each:?}"))
                .caused_by(&error)
                .next("for example team/payments/api, team/payments, cluster/prod-eu or platform")
        })?;
        lift.push(target);
    }
    lift.sort();
    lift.dedup();
    Ok(lift)
}

fn attested(given: &[String]) -> Result<Vec<String>, Failure> {
    for each in given {
        let parts: Vec<&str> = each.split('/').collect();
        if !matches!(parts.as_slice(), [cluster, name] if !cluster.is_empty() && !name.is_empty()) {
            return Err(Failure::usage(format!("re-attest {each:?}"))
                .next("name it as CLUSTER/NAMESPACE, for example prod-eu/payments-prod"));
        }
    }
    let mut attest = given.to_vec();
    attest.sort();
    attest.dedup();
    Ok(attest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_to_trust_anew_are_named_whole() {
        let given = |text: &str| attested(&[text.to_owned()]);
        assert_eq!(given("prod-eu/payments-prod").unwrap(), ["prod-eu/payments-prod"]);
        for bad in ["payments-prod", "/x", "a/b/c", ""] {
            assert_eq!(given(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }
}
