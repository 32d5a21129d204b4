//! Who could sign a stage, as far as sign-ins tell: a help to find somebody, never a proof.

use super::text::{Style, clean, time_text};
use crate::api::types::StageView;

/// The people known for a stage. `submitter` is what the submitter is called here.
pub fn known(stage: &StageView, submitter: &str, style: Style) -> String {
    let others: Vec<String> = stage
        .known
        .iter()
        .filter(|each| !each.submitter)
        .map(|each| format!("{} ({})", clean(&each.display), time_text(&each.signed_in_at)))
        .collect();
    if !others.is_empty() {
        return format!("known from sign-ins: {}", others.join(", "));
    }
    if stage.known.is_empty() {
        return style.yellow("nobody with such a group has signed in yet; ask the platform team");
    }
    style.yellow(&format!(
        "known from sign-ins: only {submitter}, whose own vote does not count; ask the platform team"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whom_to_ask_is_told() {
        let told = |known: &[(&str, bool)]| {
            let known: Vec<_> = known
                .iter()
                .map(|(name, submitter)| {
                    json!({ "display": name, "signedInAt": "2026-11-23T18:00:00Z",
                        "submitter": submitter })
                })
                .collect();
            let stage =
                json!({ "name": "platform", "groups": ["sre"], "votes": 1, "known": known });
            self::known(&serde_json::from_value(stage).unwrap(), "you", Style::PLAIN)
        };
        assert!(told(&[]).starts_with("nobody with such a group"));
        let alone = told(&[("sue", true)]);
        assert!(alone.contains("only you") && alone.contains("ask the platform team"), "{alone}");
        let others = told(&[("sue", true), ("sam", false)]);
        assert!(others.contains("sam (") && !others.contains("sue"), "{others}");
    }
}
