//! Whether this process can do its work.

use strongroom_storage::StorageError;
use strongroom_storage::lease::executor_lease;

use crate::context::App;
use crate::error::AppError;

/// The database answers and has the schema of this program.
pub async fn ready(app: &App) -> Result<(), AppError> {
    app.store.ping().await?;
    Ok(strongroom_storage::check_schema(app.store.pool()).await?)
}

/// Why nothing is frozen or applied now, if that is so.
pub async fn executor_away(app: &App) -> Result<Option<String>, StorageError> {
    let lease = match app.store.engine_get().await? {
        Some(engine) => app.store.lease_get(&executor_lease(engine)).await?,
        None => None,
    };
    Ok(match lease {
        Some(lease) if lease.is_held => None,
        Some(lease) => Some(format!("no executor is at work since {:.0}", lease.until)),
        None => Some("no executor was ever at work".to_owned()),
    })
}
