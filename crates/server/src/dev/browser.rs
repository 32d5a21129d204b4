//! A browser for the development stack's people: what `$BROWSER` is for their command lines.

use anyhow::Result;
use strongroom_lab::Browser;

use super::people::PASSWORD;
use crate::arguments::DevBrowserOptions;

/// Signs the person in at the page's provider and follows the redirect.
pub async fn run(options: &DevBrowserOptions) -> Result<()> {
    Browser::new(&options.user, PASSWORD)?.visit(&options.url).await?;
    Ok(())
}
