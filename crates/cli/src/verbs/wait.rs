//! `wait`: until a change request is where a script wants it.

use std::time::Duration;

use strongroom_domain::id::RequestId;
use strongroom_domain::request::State;

use crate::api::types::RequestView;
use crate::args::{Output, WaitArgs};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::render::text::clean;

/// Waits; what was typed is looked at before anybody has to be signed in.
pub async fn run(
    client: impl FnOnce() -> Result<Client, Failure>,
    args: &WaitArgs,
) -> Result<Exit, Failure> {
    let id = super::request::id(&args.id)?;
    let wanted = args.state.as_deref().map(super::request::state).transpose()?;
    let client = client()?;
    output::no_columns(client.output.as_ref())?;
    let (view, exit) = until(&client, id, wanted, args.timeout).await?;
    tell(&client, &view, exit)
}

/// Waits until the request is in a state or has ended, and says how.
pub async fn until(
    client: &Client,
    id: RequestId,
    wanted: Option<State>,
    seconds: u64,
) -> Result<(RequestView, Exit), Failure> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let mut last = String::new();
    loop {
        let view = client.api.change_request(id).await?;
        if view.state != last {
            client.screen.progress(&format!("{id}: {}", clean(&view.state)));
            last.clone_from(&view.state);
        }
        if wanted.is_some_and(|state| view.state == state.as_str()) {
            return Ok((view, Exit::Ok));
        }
        // What is applied has passed every state that leads there.
        if let Some(exit) = ended(&view.state) {
            return Ok((view, exit));
        }
        if tokio::time::Instant::now() >= deadline {
            client.screen.say(&format!(
                "waited {seconds} s, and it is {} still; --timeout waits longer",
                clean(&view.state)
            ));
            let waiting = matches!(view.state.as_str(), "submitted" | "in_review");
            return Ok((view, if waiting { Exit::Waiting } else { Exit::TimedOut }));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// How a final state ends a command; `None` while the request goes on.
pub fn ended(state: &str) -> Option<Exit> {
    match State::from_word(state)? {
        State::Applied => Some(Exit::Ok),
        State::Failed => Some(Exit::Failed),
        State::Rejected => Some(Exit::Denied),
        State::Withdrawn | State::Expired | State::Superseded => Some(Exit::Conflict),
        State::Submitted | State::InReview | State::Approved | State::Applying => None,
    }
}

/// Says where a request is, and what comes next.
pub fn tell(client: &Client, view: &RequestView, exit: Exit) -> Result<Exit, Failure> {
    let id = view.request_id;
    match &client.output {
        Some(shape) if shape.is_value() => {
            client.screen.data(&output::value(view, shape)?);
        }
        Some(Output::Name) => client.screen.data(&format!("request/{id}")),
        _ => client.screen.data(&format!("request/{id} {}", clean(&view.state))),
    }
    if let Some(reason) = view.state_reason.as_deref().filter(|reason| !reason.is_empty()) {
        client.screen.say(&clean(reason));
    }
    let next = match State::from_word(&view.state) {
        Some(State::Submitted) => "next: the executor freezes a plan, and then others sign it",
        Some(State::InReview) => "next: whoever must sign runs `strongroom approve {id}`",
        Some(State::Approved | State::Applying) => {
            "next: the executor writes it; nobody has to sign"
        }
        _ => return Ok(exit),
    };
    let next = next.replace("{id}", &id.to_string());
    client.screen.say(&format!("{next};\n      follow it with `strongroom request show {id}`"));
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_code() {
        let ends = [
            ("applied", Some(Exit::Ok)),
            ("failed", Some(Exit::Failed)),
            ("rejected", Some(Exit::Denied)),
            ("withdrawn", Some(Exit::Conflict)),
            ("expired", Some(Exit::Conflict)),
            ("superseded", Some(Exit::Conflict)),
            ("submitted", None),
            ("in_review", None),
            ("approved", None),
            ("applying", None),
        ];
        for (state, exit) in ends {
            assert_eq!(ended(state), exit, "{state}");
        }
    }
}
