//! Asks the cluster itself what each token may do, and looks when tokens and CA end.
//!
//! It uses server, CA and tokens exactly as the executor would, and never does what must be refused. What
//! a token has and does not need is red, unless every account of the cluster has it.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use strongroom_config::floor::ClusterCredential;
use strongroom_kubernetes::ClusterAccess;
use strongroom_kubernetes::bootstrap::CallError;
use strongroom_kubernetes::bootstrap::holder::Holder;
use strongroom_kubernetes::bootstrap::rights::{Account, Right, in_words};

use super::ends::{self, Left};
use super::report::Report;

/// The most that is told of what an account may do besides.
const TOLD: usize = 8;

/// Looks at everything about one cluster.
pub async fn look(credential: &ClusterCredential, now: Timestamp) -> Report {
    let mut report = Report::default();
    ca(&mut report, credential, now);
    let reader = holder(&mut report, credential, Account::Reader, &credential.reader, now).await;
    let reviewer = if let Some(token) = &credential.reviewer {
        holder(&mut report, credential, Account::Reviewer, token, now).await
    } else {
        report.green("reviewer", "there is none, as `method: jwt` needs none");
        None
    };
    let mut namespaces = vec!["default".to_owned()];
    if let Some(holder) = &reader {
        // A real read, as the executor makes it.
        match holder.namespaces().await {
            Ok(names) => namespaces = names,
            Err(error) => unknown(&mut report, credential, Account::Reader, &error),
        }
    }
    for (account, holder) in [(Account::Reader, &reader), (Account::Reviewer, &reviewer)] {
        if let Some(holder) = holder {
            let looked =
                rights(&mut report, credential, account, holder, reviewer.as_ref(), &namespaces);
            if let Err(error) = looked.await {
                unknown(&mut report, credential, account, &error);
            }
        }
    }
    report.in_order();
    report
}

fn ca(report: &mut Report, credential: &ClusterCredential, now: Timestamp) {
    let Some(until) = ends::of_certificates(&credential.ca_pem) else {
        return report.green("ca", "it does not say when it ends");
    };
    let text = format!("ends {until}, {}", ends::in_words(until, now));
    let next = "have the cluster's CA renewed, then the floor file's and the Cluster document's";
    match ends::left(None, until, now) {
        Left::Enough => report.green("ca", text),
        Left::Little => report.yellow("ca", text, next),
        Left::Nothing => report.red("ca", text, next),
    }
}

/// Looks when the token ends; gives its holder while it has not ended.
async fn holder(
    report: &mut Report,
    credential: &ClusterCredential,
    account: Account,
    token: &SecretString,
    now: Timestamp,
) -> Option<Holder> {
    let (about, next) = (account.name(), renewal(credential));
    let Some(says) = ends::of_token(token.expose_secret()) else {
        let text = "its file holds no token of a service account";
        report.red(about, text, next);
        return None;
    };
    match says.until {
        None => report.yellow(
            about,
            format!("{}; its token never ends", says.subject),
            format!("delete the Secret that it comes from; {next}"),
        ),
        Some(until) => {
            let in_words = ends::in_words(until, now);
            let text = format!("{}; its token ends {until}, {in_words}", says.subject);
            match ends::left(says.from, until, now) {
                Left::Enough => report.green(about, text),
                Left::Little => report.yellow(about, text, next),
                Left::Nothing => {
                    report.red(about, format!("its token has ended, {in_words}"), next);
                    return None;
                }
            }
        }
    }
    let access = ClusterAccess {
        server: credential.server.clone(),
        ca_pem: credential.ca_pem.clone(),
        token: SecretString::from(token.expose_secret().trim().to_owned()),
    };
    match Holder::connect(&access).await {
        Ok(holder) => Some(holder),
        Err(error) => {
            report.red(about, error.to_string(), "look at server and CA of the floor file's entry");
            None
        }
    }
}

fn renewal(credential: &ClusterCredential) -> String {
    let name = &credential.name;
    format!("strongroom cluster bootstrap {name} --apply --renew-tokens --secrets-dir …")
}

/// What could not be asked is never green.
fn unknown(
    report: &mut Report,
    credential: &ClusterCredential,
    account: Account,
    error: &CallError,
) {
    let next = match error.code {
        Some(401) => format!(
            "the cluster does not take this token: is it another cluster's, or was its account made anew? \
             {}",
            renewal(credential)
        ),
        Some(403) => {
            format!("strongroom cluster bootstrap {} --apply --secrets-dir …", credential.name)
        }
        _ => {
            format!("see whether {} answers from here, with the CA that is kept", credential.server)
        }
    };
    report.red(account.name(), error.to_string(), next);
}

/// What one token may do.
async fn rights(
    report: &mut Report,
    credential: &ClusterCredential,
    account: Account,
    holder: &Holder,
    reviewer: Option<&Holder>,
    namespaces: &[String],
) -> Result<(), CallError> {
    let about = account.name();
    let needed = account.needed();
    let has = holder.may_of(&needed).await?;
    let lacks: Vec<Right> = needed.iter().filter(|right| !has.contains(right)).cloned().collect();
    if lacks.is_empty() {
        report.green(about, format!("may {}", words(&needed).join(", and ")));
    } else {
        let next =
            format!("strongroom cluster bootstrap {} --apply --secrets-dir …", credential.name);
        report.red(about, format!("may not {}", words(&lacks).join(", nor ")), next);
    }

    let tried = account.refused();
    let granted = holder.may_of(&tried).await?;
    let rules = holder.rules(namespaces).await?;
    let places = |right: &Right| rules.rights.get(right).cloned().unwrap_or_default();
    let beyond = account.beyond(&rules.rights.keys().cloned().collect());
    // What must be refused is too much whoever else has it, and is told first.
    let grave = tried.iter().filter(|right| granted.contains(right) || beyond.contains(right));
    let mut too_much: Vec<_> = grave.map(|right| (right.clone(), places(right))).collect();
    let mut everybodys = Vec::new();
    for right in beyond.into_iter().filter(|right| !tried.contains(right)) {
        let holds = places(&right);
        let everybody = match (reviewer, holds.first()) {
            (Some(reviewer), Some(place)) => {
                reviewer.anybody_may(&right, place).await.unwrap_or(false)
            }
            _ => false,
        };
        if everybody { &mut everybodys } else { &mut too_much }.push((right, holds));
    }
    if too_much.is_empty() {
        let (tried, asked) = (tried.len(), namespaces.len());
        let text = format!(
            "is refused {tried} other things, and no rule in {asked} {} gives it more",
            if asked == 1 { "namespace" } else { "namespaces" }
        );
        report.green(about, text);
    } else {
        let next = format!(
            "take it away: `kubectl get rolebindings,clusterrolebindings -A -o wide | grep {about}` \
             shows who gives it"
        );
        report.red(about, format!("may {}", bounded(&too_much, namespaces.len())), next);
    }
    if !everybodys.is_empty() {
        let text = format!(
            "may {}, as every account of this cluster",
            bounded(&everybodys, namespaces.len())
        );
        report.yellow(about, text, "see whether the cluster's own people want that");
    }
    if let Some(why) = rules.incomplete {
        let text =
            format!("the cluster does not list all rules ({why}): only what was tried is known");
        report.yellow(about, text, "ask whoever runs that authorizer what it gives this account");
    }
    Ok(())
}

fn words(rights: &[Right]) -> Vec<String> {
    let rights: Vec<_> = rights.iter().map(|right| (right.clone(), Vec::new())).collect();
    in_words(&rights, 0)
}

fn bounded(rights: &[(Right, Vec<String>)], all: usize) -> String {
    let words = in_words(rights, all);
    let more = words.len().saturating_sub(TOLD);
    let told = words[..words.len() - more].join("; ");
    if more == 0 { told } else { format!("{told}; and {more} things more") }
}
