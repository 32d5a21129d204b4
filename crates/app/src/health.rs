//! Whether this process can do its work.

use strongroom_storage::StorageError;
use strongroom_storage::lease::{LeaseState, executor_lease};

use crate::context::App;
use crate::error::AppError;

/// The database answers and has the schema of this program.
pub async fn ready(app: &App) -> Result<(), AppError> {
    app.store.ping().await?;
    Ok(strongroom_storage::check_schema(app.store.pool()).await?)
}

/// The executor that writes, or wrote last; `None` when none was ever at work.
pub(crate) async fn executor_get(app: &App) -> Result<Option<LeaseState>, StorageError> {
    match app.store.engine_get().await? {
        Some(engine) => app.store.lease_get(&executor_lease(engine)).await,
        None => Ok(None),
    }
}

/// Why nothing is frozen or applied now, if that is so.
pub async fn executor_away(app: &App) -> Result<Option<String>, StorageError> {
    Ok(match executor_get(app).await? {
        Some(lease) if lease.is_held => None,
        Some(lease) => Some(format!("no executor is at work since {:.0}", lease.until)),
        None => Some("no executor was ever at work".to_owned()),
    })
}
