//! When a token or a CA ends, read from it, and how soon that is. Pure.
//!
//! No signature is checked: what is told here is for people, and the cluster itself says whether it still
//! takes a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

/// Nobody has to hear of an end that is further away than this.
const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSays {
    /// Whose it is.
    pub subject: String,
    /// When it was made.
    pub from: Option<Timestamp>,
    /// When it ends; `None` for one that never does.
    pub until: Option<Timestamp>,
}

/// How much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Enough.
    Enough,
    /// Less than a fifth of its life, and less than 30 days.
    Little,
    /// Nothing.
    Nothing,
}

/// Reads a token; `None` when it is none of a service account.
pub fn of_token(token: &str) -> Option<TokenSays> {
    let mut parts = token.trim().split('.').skip(1);
    let (claims, signature) = (parts.next()?, parts.next()?);
    if signature.is_empty() || parts.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let time = |name: &str| {
        claims.get(name).and_then(Value::as_i64).and_then(|at| Timestamp::from_second(at).ok())
    };
    let subject = claims.get("sub").and_then(Value::as_str)?.to_owned();
    Some(TokenSays { subject, from: time("iat"), until: time("exp") })
}

/// How much is left of what ends then.
pub fn left(from: Option<Timestamp>, until: Timestamp, now: Timestamp) -> Left {
    let rest = until.duration_since(now);
    let fifth = from.map_or(NOTICE, |from| until.duration_since(from) / 5);
    if rest <= SignedDuration::ZERO {
        Left::Nothing
    } else if rest < fifth.min(NOTICE) {
        Left::Little
    } else {
        Left::Enough
    }
}

/// `in 12 days`, or `5 hours ago`.
pub fn in_words(until: Timestamp, now: Timestamp) -> String {
    let rest = until.duration_since(now);
    let minutes = rest.as_mins().unsigned_abs();
    let (number, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    if rest.is_negative() {
        format!("{number} {unit}{plural} ago")
    } else {
        format!("in {number} {unit}{plural}")
    }
}

/// When the last of these certificates ends; `None` where none tells it.
pub fn of_certificates(pem: &str) -> Option<Timestamp> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes());
    all.filter_map(|certificate| not_after(&certificate.ok()?)).max()
}

/// Walks to `notAfter`: past version, serial number, algorithm and issuer.
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = value(der)?;
    let (_, body, _) = value(certificate)?;
    let (tag, _, rest) = value(body)?;
    let serial = if tag == 0xa0 { rest } else { body };
    let (_, _, algorithm) = value(serial)?;
    let (_, _, issuer) = value(algorithm)?;
    let (_, _, validity) = value(issuer)?;
    let (_, times, _) = value(validity)?;
    let (_, _, second) = value(times)?;
    let (tag, time, _) = value(second)?;
    let text = std::str::from_utf8(time).ok()?;
    // Two digits of a year are of the time from 1950 on.
    let century = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
        (0x17, 50..) => "19",
        (0x17, _) => "20",
        _ => "",
    };
    let text = format!("{century}{text}");
    let part = |from: usize, to: usize| text.get(from..to);
    let (date, clock) = (
        [part(0, 4)?, part(4, 6)?, part(6, 8)?].join("-"),
        [part(8, 10)?, part(10, 12)?, part(12, 14)?].join(":"),
    );
    format!("{date}T{clock}Z").parse().ok()
}

/// The first value of DER: tag, content, and what comes after.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = bytes
            .iter()
            .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_says_whose_it_is_and_when_it_ends() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let says = of_token(&token(r#"{"sub":"system:serviceaccount:a:b","iat":1,"exp":601}"#));
        let says = says.unwrap();
        assert_eq!(says.subject, "system:serviceaccount:a:b");
        assert_eq!(says.until, Some(at("1970-01-01T00:10:01Z")));
        // Those of old that stand in a Secret never end.
        assert_eq!(of_token(&token(r#"{"sub":"x"}"#)).unwrap().until, None);
        for bad in ["", "abc", "a.b", "a.b.c.d", "e30.!.c2ln", "e30.e30.c2ln", "e30.e30."] {
            assert_eq!(of_token(bad), None, "{bad}");
        }
    }

    #[test]
    fn notice_is_given_in_time_and_not_all_the_time() {
        let (from, until) = (Some(at("2026-01-01T00:00:00Z")), at("2027-01-01T00:00:00Z"));
        assert_eq!(left(from, until, at("2026-11-30T00:00:00Z")), Left::Enough);
        assert_eq!(left(from, until, at("2026-12-03T00:00:00Z")), Left::Little);
        assert_eq!(left(from, until, until), Left::Nothing);
        // A token of a day is no cause for notice all day long.
        let day = at("2026-01-02T00:00:00Z");
        assert_eq!(left(from, day, at("2026-01-01T19:00:00Z")), Left::Enough);
        assert_eq!(left(from, day, at("2026-01-01T20:00:00Z")), Left::Little);
        let now = at("2026-12-03T00:00:00Z");
        assert_eq!(in_words(until, now), "in 29 days");
        assert_eq!(in_words(day, at("2026-01-01T21:30:00Z")), "in 2 hours");
        assert_eq!(in_words(day, at("2026-01-02T00:01:00Z")), "1 minute ago");
    }

    #[test]
    fn certificates_end_when_they_say() {
        let until = |year| {
            let mut made = rcgen::CertificateParams::new(vec!["ca".to_owned()]).unwrap();
            made.not_after = rcgen::date_time_ymd(year, 3, 4);
            made.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
        };
        // A year has two digits before 2050, and four after.
        let (early, late) = (until(2049), until(2061));
        assert_eq!(of_certificates(&early), Some(at("2049-03-04T00:00:00Z")));
        assert_eq!(of_certificates(&late), Some(at("2061-03-04T00:00:00Z")));
        assert_eq!(of_certificates(&format!("{late}{early}")), Some(at("2061-03-04T00:00:00Z")));
        for bad in ["", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"] {
            assert_eq!(of_certificates(bad), None, "{bad}");
        }
        let long = [0x30, 0x89, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(value(&long), None);
        assert_eq!(value(&[0x30, 0x05, 0x00]), None);
    }
}
