//! Opaque tokens: a prefix that scanners recognise and 256 random bits, of which only the hash is
//! stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The characters of 256 bits in base64url.
const RANDOM: usize = 43;

/// Makes a type for tokens with this prefix. Shown to its owner once, never stored, never logged.
macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $prefix:expr) => {
        $(#[$doc])*
        pub struct $name(String);

        impl $name {
            /// A new one of 256 random bits.
            pub fn generate() -> Result<Self, getrandom::Error> {
                $crate::opaque::generate($prefix).map(Self)
            }

            /// The one that a caller sent, if it has the shape.
            pub fn parse(text: &str) -> Option<Self> {
                $crate::opaque::is_one($prefix, text).then(|| Self(text.to_owned()))
            }

            /// In clear, for its owner.
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// What is stored.
            pub fn hash(&self) -> Vec<u8> {
                $crate::opaque::hash(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

pub(crate) use opaque;

/// A new token.
pub(crate) fn generate(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// Whether a text has the shape of one.
pub(crate) fn is_one(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        rest.len() == RANDOM
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    })
}

/// What is stored of one.
pub(crate) fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}
