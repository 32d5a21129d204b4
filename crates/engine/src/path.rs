//! Only canonical paths are sent.
//!
//! A path that a server could read in two ways (`..`, `//`, `%2f`, upper and lower case of an
//! escape) never leaves this process: names judged in one spelling and used in another are the
//! commonest hole in this field.

use crate::client::Method;
use crate::error::{EngineError, Failure};

/// Whether a path may be sent: slash-separated segments of plain characters.
pub fn is_canonical(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    path.len() <= 1024
        && !path.is_empty()
        && path.split('/').all(|segment| {
            !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
        })
}

pub(crate) fn check(method: Method, path: &str, template: &'static str) -> Result<(), EngineError> {
    // LIST of a folder ends with a slash; anywhere else it is a second spelling.
    let path = match method {
        Method::List => path.strip_suffix('/').unwrap_or(path),
        Method::Get | Method::Post | Method::Patch | Method::Delete => path,
    };
    if is_canonical(path) {
        return Ok(());
    }
    Err(EngineError::new(Failure::BadPath, template))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_is_sent() {
        for good in ["sys/health", "auth/k8s/prod-eu/role/payments-prod", "team/a/kv/data/A_b.c"] {
            assert!(is_canonical(good), "{good}");
        }
        for bad in [
            "", "/sys", "sys/", "a//b", "a/../b", "a/./b", "..", "a%2fb", "a?b", "a#b", "a b",
            "a+b", "a*", "é", "a\nb", "a\\b", "a;b", "a:b",
        ] {
            assert!(!is_canonical(bad), "{bad}");
        }
    }

    #[test]
    fn only_a_list_may_end_with_a_slash() {
        assert!(check(Method::List, "team/a/kv/metadata/", "{path}").is_ok());
        for method in [Method::Get, Method::Post, Method::Patch, Method::Delete] {
            assert!(check(method, "team/a/kv/data/x/", "{path}").is_err());
        }
        assert!(check(Method::List, "team//", "{path}").is_err());
    }
}
