//! `version`.

use serde_json::json;

use crate::args::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;

/// The version of this program, of the documents it knows and of the plans it can read.
pub fn run(screen: Screen, shape: Option<&Output>) -> Result<Exit, Failure> {
    output::refuse(shape, &[Output::Csv])?;
    let version = env!("CARGO_PKG_VERSION");
    // A release says which commit it was made from.
    let commit = option_env!("STRONGROOM_COMMIT");
    match shape {
        Some(shape) if shape.is_value() => {
            let whole = json!({
                "version": version,
                "commit": commit,
                "documents": strongroom_domain::document::API_VERSION,
                "renderer": strongroom_plan::model::RENDERER,
            });
            screen.data(&output::value(&whole, shape)?);
        }
        _ => {
            let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
            screen.data(&format!("strongroom {version}{commit}"));
        }
    }
    Ok(Exit::Ok)
}
