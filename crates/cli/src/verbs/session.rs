//! Where people are signed in, and how a sign-in elsewhere is ended. A session's token is never shown.

use crate::api::types::LiveSession;
use crate::args::GetArgs;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::table::Columns;
use crate::render::text::{clean, time_text};

/// `get sessions`.
pub async fn list(client: &Client, args: &GetArgs) -> Result<(), Failure> {
    let mut items = client.api.sessions(args.all).await?;
    items.truncate(args.limit());
    let text = |wide| {
        let row = |item: &LiveSession| {
            let here = if item.current { " (this one)" } else { "" };
            let mut row = vec![
                format!("{}{here}", item.session_id),
                item.display.clone(),
                time_text(&item.signed_in_at),
                time_text(&item.last_used_at),
            ];
            if wide {
                row.push(time_text(&item.idle_expires_at));
                row.push(time_text(&item.expires_at));
            }
            row
        };
        let headers = ["SESSION", "WHO", "SIGNED IN", "LAST USED", "ENDS UNUSED", "ENDS"];
        let shown = if wide { headers.len() } else { 4 };
        Columns::new(&headers[..shown], items.iter().map(row).collect())
    };
    super::get::rows(client, &items, |item| format!("session/{}", item.session_id), text)
}

/// `logout --session`.
pub async fn end(
    client: impl FnOnce() -> Result<Client, Failure>,
    text: &str,
) -> Result<Exit, Failure> {
    let id = text.strip_prefix("session/").unwrap_or(text);
    if id.parse::<uuid::Uuid>().is_err() {
        return Err(Failure::usage(format!("end the session {:?}", clean(text)))
            .because("a session's id is a UUID")
            .next("list them with `strongroom get sessions`"));
    }
    let client = client()?;
    client.api.end_other_session(id).await?;
    client.screen.say(&format!("the session {id} is ended"));
    Ok(Exit::Ok)
}
