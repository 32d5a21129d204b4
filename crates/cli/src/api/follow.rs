//! Events as they come: server-sent events, read line by line.
//!
//! It believes nothing of them further than of a list; a line longer than any event is refused.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};

use super::types::EventView;
use super::{Api, refuse_problem};
use crate::exit::Exit;
use crate::failure::Failure;

/// Longer than the server goes on with one answer.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The longest that is kept while the end of an event has not come.
const MOST: usize = 1024 * 1024;

const WHAT: &str = "follow events";

impl Api {
    /// Follows until the server ends its answer; gives the place to go on from.
    pub async fn follow(
        &self,
        filters: &[(&'static str, String)],
        after: Option<i64>,
        mut each: impl FnMut(EventView) -> Result<(), Failure>,
    ) -> Result<Option<i64>, Failure> {
        let mut request = self.request(Method::GET, &["events", "stream"], filters);
        if let Some(after) = after {
            let name = HeaderName::from_static("last-event-id");
            request = request.header(name, HeaderValue::from(after));
        }
        let answer = self.send(WHAT, request.timeout(TIMEOUT)).await?;
        let mut answer = refuse_problem(WHAT, answer).await?;
        let (mut kept, mut place) = (Vec::new(), after);
        loop {
            // Cut off in the middle: from the last whole one it goes on.
            let Ok(Some(chunk)) = answer.chunk().await else { return Ok(place) };
            kept.extend_from_slice(&chunk);
            while let Some(end) = kept.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = kept.drain(..end + 2).collect();
                // The first one holds only where to go on from.
                place = id(&block).or(place);
                event(&block)?.map(&mut each).transpose()?;
            }
            if kept.len() > MOST {
                let failure = Failure::new(Exit::Failed, WHAT);
                return Err(failure.because("one event is larger than 1 MiB"));
            }
        }
    }
}

/// The place of one block.
fn id(block: &[u8]) -> Option<i64> {
    std::str::from_utf8(block)
        .ok()?
        .lines()
        .find_map(|line| line.strip_prefix("id: "))?
        .parse()
        .ok()
}

/// The event of one block; what only keeps the connection open holds none.
fn event(block: &[u8]) -> Result<Option<EventView>, Failure> {
    let failed = |why: String| {
        Failure::new(Exit::Failed, WHAT)
            .because("the answer is not what this version of the client expects")
            .because(why)
            .next("compare `strongroom version` with the server's version")
    };
    let text = std::str::from_utf8(block).map_err(|error| failed(error.to_string()))?;
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).map_err(|error| failed(error.to_string())))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_and_what_keeps_the_connection_open_is_not_one() {
        let data = r#"{"sequence":7,"at":"2026-11-23T12:00:00Z","kind":"x","hash":"","event":{}}"#;
        let block = format!("id: 7\nevent: x\ndata: {data}\n\n");
        assert_eq!(event(block.as_bytes()).unwrap().unwrap().sequence, 7);
        assert_eq!(id(block.as_bytes()), Some(7));
        assert!(event(b":\n\n").unwrap().is_none());
        assert!(event(b"id: 9\n\n").unwrap().is_none());
        assert_eq!((id(b"id: 9\n\n"), id(b":\n\n")), (Some(9), None));
        for bad in [&b"data: {}\n\n"[..], b"data: \xff\n\n", b"data: {\"sequence\":\n\n"] {
            assert_eq!(event(bad).unwrap_err().exit, Exit::Failed);
        }
    }
}
