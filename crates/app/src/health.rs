//! Whether this process can do its work.

use crate::context::App;
use crate::error::AppError;

/// The database answers and has the schema of this program.
pub async fn ready(app: &App) -> Result<(), AppError> {
    app.store.ping().await?;
    Ok(strongroom_storage::check_schema(app.store.pool()).await?)
}
