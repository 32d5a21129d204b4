//! Checks that a Job makes once in the cluster, as the account of a binding, and what it says then.
//!
//! What it says is the word of whoever held its ticket, for people to see. Nothing is decided by it,
//! and no secret's value is in it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
pub use strongroom_domain::check::{Read, Report};
use strongroom_domain::event::EventKind;
use strongroom_domain::name::{BindingName, TeamName};
use strongroom_domain::person::SignedPerson;
use strongroom_domain::subject::Subject;
use strongroom_kit::{Reporting, Sheet, check_sheet};
use strongroom_storage::StorageError;
pub use strongroom_storage::check::CheckRow;
use strongroom_storage::check::{CheckPlace, NewCheck, OpenCheck};

use crate::context::{App, Ctx};
use crate::error::{AppError, FieldFault};
use crate::kit::{Wish, kit_get};

/// How long a check may wait until it reports.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// How many of a team may be waiting.
const MOST: u32 = 200;

/// A check that was made.
#[derive(Debug, Clone)]
pub struct CheckMade {
    /// The Job.
    pub sheet: Sheet,
    /// Until when it may report.
    pub expires_at: Timestamp,
}

/// A ticket, for the Job and for the database.
#[derive(Debug)]
pub struct Ticket<'t> {
    /// In clear; it goes into the Job and nowhere else.
    pub clear: &'t str,
    /// What is stored.
    pub hash: Vec<u8>,
}

/// Makes a Job that checks an account of a binding and reports once to this address.
pub async fn check_create(
    ctx: &Ctx,
    team: &TeamName,
    binding: &BindingName,
    wish: &Wish,
    ticket: Ticket<'_>,
    address: &str,
) -> Result<CheckMade, AppError> {
    let kit = kit_get(ctx, team, binding, wish).await?.kit;
    let now = ctx.app.now();
    let expires_at = now + LIFETIME;
    let new = NewCheck {
        hash: ticket.hash,
        place: CheckPlace {
            team: kit.team.to_string(),
            binding: kit.binding.to_string(),
            cluster: kit.cluster.to_string(),
            namespace: kit.namespace.to_string(),
            account: kit.account.to_string(),
        },
        creator: ctx.person.id.clone(),
        display: ctx.person.display.clone(),
        at: now,
        expires_at,
    };
    ctx.app.store.check_create(&new, MOST).await?;
    let reporting = Reporting { ticket: ticket.clear.to_owned(), address: address.to_owned() };
    Ok(CheckMade { sheet: check_sheet(&kit, &reporting), expires_at })
}

/// Takes what a check says, once.
pub async fn check_report(app: &Arc<App>, hash: &[u8], report: &Report) -> Result<(), AppError> {
    let faults = report.faults();
    if !faults.is_empty() {
        let faults = faults.into_iter().map(|(place, message)| FieldFault::new(place, message));
        return Err(AppError::Invalid(faults.collect()));
    }
    let event = |open: OpenCheck| {
        let OpenCheck { place, creator, display } = open;
        let reads = report.reads.iter().map(|read| format!("{} {}", read.secret, read.status));
        let reads: Vec<String> = reads.collect();
        let detail = json!({
            "binding": place.binding,
            "account": format!("{}/{}/{}", place.cluster, place.namespace, place.account),
            "result": if report.is_green() { "green" } else { "red" },
            "reason": report.faulty().join("; "),
            "login": report.login,
            "reads": reads,
        });
        // The name was a team's when the ticket was made.
        let subject = TeamName::new(place.team).ok().map(Subject::Team);
        let maker = SignedPerson { id: creator, display, groups: BTreeSet::new() };
        app.event(EventKind::BindingChecked, &maker, None, subject, detail)
    };
    match app.store.check_report(hash, app.now(), report, event).await {
        Err(StorageError::NotFound) => Err(AppError::conflict(
            "no check waits for this report: it was told already, or its hour is over",
            "make the Job again: `strongroom kit TEAM/BINDING --format check`",
        )),
        result => Ok(result?),
    }
}
