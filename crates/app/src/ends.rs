//! Last days of bindings that are over before they begin: a slip in a date, which would take access away
//! at once. A binding that has ended keeps its day.

use jiff::tz::TimeZone;
use strongroom_domain::document::Document;

use crate::claim::Placed;
use crate::context::Ctx;
use crate::error::{AppError, FieldFault};

/// A fault for each new last day that is over.
pub(crate) async fn over(ctx: &Ctx, documents: &[Placed<'_>]) -> Result<Vec<FieldFault>, AppError> {
    let today = ctx.app.now().to_zoned(TimeZone::UTC).date();
    let mut faults = Vec::new();
    for (base, document) in documents {
        let Document::Team(team) = document else { continue };
        let ended: Vec<_> = team
            .bindings
            .iter()
            .enumerate()
            .filter_map(|(number, binding)| {
                let until = binding.until.filter(|until| *until < today)?;
                Some((number, binding, until))
            })
            .collect();
        if ended.is_empty() {
            continue;
        }
        let state = ctx.app.store.subject_state_get(&document.subject()).await?;
        let bytes = state.and_then(|state| state.applied_document);
        let applied = bytes.as_deref().and_then(|bytes| Document::from_canonical(bytes).ok());
        for (number, binding, until) in ended {
            let is_old = matches!(&applied, Some(Document::Team(applied)) if applied
                .bindings
                .iter()
                .any(|each| each.name == binding.name && each.until == Some(until)));
            if !is_old {
                let place = format!("{base}/spec/bindings/{number}/until");
                let message = format!(
                    "{until} is over: name today or a later day; to end the binding now, take it out \
                     of the document"
                );
                faults.push(FieldFault::new(place, message));
            }
        }
    }
    Ok(faults)
}
