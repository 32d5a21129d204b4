//! `strongroom migrate`: schema and grants, only when asked.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use secrecy::ExposeSecret as _;
use strongroom_config::file;
use strongroom_storage::{RoleNames, Store, migrate};

use crate::arguments::MigrateOptions;

/// Migrates and grants, or prints the script for the roles.
pub async fn run(options: &MigrateOptions) -> Result<()> {
    let roles = RoleNames::default();
    let mut out = std::io::stdout().lock();
    if options.print_roles {
        write!(out, "{}", roles.create_script())?;
        return Ok(());
    }
    let Some(url_file) = &options.database_url_file else {
        return Ok(());
    };
    let url = file::read_secret(url_file)?;
    let store = Store::connect(url.expose_secret(), "strongroom migrate", 2)
        .await
        .context("connect to the database")?;
    migrate(store.pool()).await.context("migrate the schema")?;
    roles.apply_grants(store.pool()).await.context(
        "grant the roles what they need (are they made? see `strongroom migrate --print-roles`)",
    )?;
    writeln!(out, "the schema is up to date")?;
    Ok(())
}
