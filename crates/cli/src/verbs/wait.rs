//! `wait`: until a change request is where a script wants it.

use crate::args::{Output, WaitArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// Waits; what was typed is looked at before anybody has to be signed in.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &WaitArgs,
) -> Result<Exit, Failure> {
    let id = super::request::id(&args.id)?;
    let wanted = args.state.as_deref().map(super::request::state).transpose()?;
    let client = client()?;
    output::only(client.output, &[Output::Table, Output::Json, Output::Yaml, Output::Name])?;
    let (view, exit) = super::propose::wait(&client, id, wanted, args.timeout).await?;
    super::propose::tell(&client, &view, exit)
}
