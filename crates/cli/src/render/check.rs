//! What a check in the cluster said of itself, in a few words.

use super::text::time_text;
use crate::api::types::CheckView;

/// Green or red, when, and what was red.
pub fn checked(check: Option<&CheckView>) -> String {
    let Some(check) = check else { return "-".to_owned() };
    let at = time_text(&check.reported_at);
    if check.green {
        return format!("green {at}");
    }
    format!("red {at}: {}", check.faulty.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_red_check_says_what_is_red() {
        let view = |green, faulty: &[&str]| CheckView {
            green,
            faulty: faulty.iter().map(|text| (*text).to_owned()).collect(),
            reported_at: "2026-11-29T05:12:00Z".into(),
        };
        assert_eq!(checked(None), "-");
        assert!(checked(Some(&view(true, &[]))).starts_with("green 2026-11-29"));
        let red = checked(Some(&view(false, &["a/kv/x is refused (403)"])));
        assert!(red.ends_with(": a/kv/x is refused (403)"), "{red}");
    }
}
