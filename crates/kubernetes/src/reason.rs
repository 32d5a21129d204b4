//! What an error of the client means, in words for people, and whether it is a real *not found*.

use kube::Error;
use kube::runtime::watcher;

/// The most characters of a reason. It goes into a row and onto a page.
const MAX_REASON: usize = 300;

/// Whether the API server itself says that it has no such object.
///
/// A proxy's or a wrong path's 404 says nothing about the object: it carries no `Status` that names
/// kind and object.
pub(crate) fn is_absent(error: &Error, plural: &str, name: &str) -> bool {
    let Error::Api(status) = error else {
        return false;
    };
    status.code == 404
        && status.reason == "NotFound"
        && status.details.as_ref().is_some_and(|details| {
            details.kind == plural && details.name == name && details.group.is_empty()
        })
}

/// Why nothing can be said.
pub(crate) fn reason(error: &Error) -> String {
    let text = match error {
        Error::Api(status) => {
            let said = if status.message.is_empty() { &status.reason } else { &status.message };
            format!("the API server answered {}: {said}", status.code)
        }
        Error::SerdeError(_) => "the API server's answer is not what was asked for".to_owned(),
        other => {
            let mut text = format!("the API server cannot be read: {other}");
            let mut source = std::error::Error::source(other);
            while let Some(error) = source {
                let more = error.to_string();
                // Some errors of the client repeat their source.
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                source = error.source();
            }
            text
        }
    };
    plain(&text)
}

/// Why a watch has to begin anew.
pub(crate) fn watch_reason(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => reason(error),
        watcher::Error::WatchError(status) => plain(&format!(
            "the API server ended the watch with {}: {}",
            status.code, status.message
        )),
        watcher::Error::NoResourceVersion => {
            "the API server's answer names no resource version".to_owned()
        }
    }
}

/// One line of bounded length.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect()
}
