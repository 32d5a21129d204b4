//! `get people`: people as of their last sign-ins. The provider knows who is in a group now.

use super::rows;
use crate::api::types::KnownPerson;
use crate::args::GetArgs;
use crate::client::Client;
use crate::failure::Failure;
use crate::render::table::{Columns, or_dash};
use crate::render::text::time_text;

/// Lists them; a name is a group.
pub(super) async fn people(client: &Client, args: &GetArgs) -> Result<(), Failure> {
    let items = client.api.people(args.name.as_deref(), args.limit()).await?;
    let text = |wide| {
        let row = |item: &KnownPerson| {
            let mut row = vec![
                item.display.clone(),
                item.person.clone(),
                time_text(&item.signed_in_at),
                or_dash(Some(&item.groups.join(","))),
            ];
            if wide {
                row.push(item.issuer.clone());
            }
            row
        };
        let headers = ["CALLED", "PERSON", "SIGNED IN", "GROUPS THEN", "ISSUER"];
        let shown = if wide { headers.len() } else { headers.len() - 1 };
        Columns::new(&headers[..shown], items.iter().map(row).collect())
    };
    rows(client, &items, |item| format!("person/{}", item.person), text)
}
