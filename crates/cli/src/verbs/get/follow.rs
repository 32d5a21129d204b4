//! `get events --follow`: events as they come.

use std::time::Duration;

use super::subject_filter;
use crate::api::types::EventView;
use crate::args::{GetArgs, Output};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::event;

/// Events as they come, each on a line of its own as soon as it is there. Whoever cuts it off is not in
/// its way: it goes on from the last one.
pub(super) async fn follow(client: &Client, args: &GetArgs) -> Result<Exit, Failure> {
    output::refuse(client.output.as_ref(), &[Output::Yaml, Output::Name])?;
    let mut filters = Vec::new();
    filters.extend(args.request.clone().map(|request| ("request", request)));
    filters.extend(subject_filter(args).map(|subject| ("subject", subject)));
    let (mut place, mut bare) = (None, client.no_headers);
    let mut show = |event: EventView| {
        let wide = client.output == Some(Output::Wide);
        match &client.output {
            Some(Output::Json) => {
                client.screen.data(&serde_json::to_string(&event).unwrap_or_default());
            }
            Some(shape) if shape.is_value() => client.screen.data(&output::value(&event, shape)?),
            Some(Output::Csv) => client.screen.data(&event::events(&[event], true).csv(bare)),
            _ => client.screen.data(&event::events(&[event], wide).table(bare)),
        }
        bare = true;
        Ok(())
    };
    loop {
        place = client.api.follow(&filters, place, &mut show).await?;
        // A server that ends its answers at once is not asked without a pause.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
