//! API keys: what a machine without a cluster's token shows to be itself.

use crate::opaque::opaque;

/// What every API key starts with, so that scanners recognise one that leaked.
pub const PREFIX: &str = "srk_";

/// How many characters a key is recognised by: the prefix and a few that prove nothing.
const HINT: usize = 10;

opaque! {
    /// An API key in clear. Shown to whoever made it once, never stored, never logged.
    ApiKey, PREFIX
}

impl ApiKey {
    /// Its first characters.
    pub fn hint(&self) -> String {
        self.0.chars().take(HINT).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_parse_back_and_do_not_show() {
        let (one, two) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        assert_ne!(one.hash(), two.hash());
        assert_eq!(ApiKey::parse(one.expose()).unwrap().hash(), one.hash());
        assert!(one.expose().starts_with(&one.hint()) && one.hint().len() == HINT);
        assert!(!format!("{one:?}").contains(&one.hint()));
        let session = crate::SessionToken::generate().unwrap();
        assert!(ApiKey::parse(session.expose()).is_none(), "a session is no key");
        assert!(ApiKey::parse("srk_abc").is_none());
    }
}
