//! A cluster's public keys as the Cluster document takes them: from a JWKS to PEM.
//!
//! Only kinds of keys that the engine is told to take (RS256, ES256). Pure; it trusts nothing that
//! it reads, and whoever signs the document compares the keys.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// `rsaEncryption`, without parameters.
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// `ecPublicKey` on `prime256v1`.
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];

/// The key as PEM; `None` when it is of another kind.
pub fn to_pem(key: &Value) -> Option<String> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
    let (algorithm, point) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let numbers = [integer(&bytes("n")?), integer(&bytes("e")?)].concat();
            (RSA, tagged(0x30, &numbers))
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            if (x.len(), y.len()) != (32, 32) {
                return None;
            }
            (P256, [&[0x04][..], &x, &y].concat())
        }
        _ => return None,
    };
    let bits = tagged(0x03, &[&[0x00][..], &point].concat());
    Some(pem("PUBLIC KEY", &tagged(0x30, &[algorithm, &bits].concat())))
}

/// Bytes as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().copied().map(char::from));
        out.push('\n');
    }
    let _ = writeln!(out, "-----END {label}-----");
    out
}

/// A whole number that is not negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let significant = &bytes[start..];
    let sign = significant.first().is_none_or(|first| first & 0x80 != 0);
    let pad: &[u8] = if sign { &[0] } else { &[] };
    tagged(0x02, &[pad, significant].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let length = &length[start..];
    let mut out = vec![tag];
    if let [short @ 0..0x80] = length {
        out.push(*short);
    } else {
        // At most eight, the bytes of a length in memory.
        out.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
        out.extend(length);
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made by `openssl genrsa 2048`, and written by `openssl rsa -pubout`.
    const N: &str = "vUkzuPA2A_B5VUnkVfdYqm-qpTtO6rQqvx84hiBYB8-WSz1056JTUJqQ41RpX9EKdxklRt\
                     5abFTLTvtYn_GX5nZI8iiGec6YkwOpRCXhVMNFIv46CaYJ8BxboUUYCwLF4vuvL_PffZ0g\
                     gBXQAgyT1bqwo1whqIanRvTepnHLOXIZuwNpAGV4jXRfuTgjOmJgghDWXFSyhWO6ZNyFfT\
                     LRzH63iWfgF_QHFAVY1Eh2kXjJXQtEfKzyblbRv4A2gBcGcePqtXXRZgcjJBeh8UxJwBS1\
                     rYBNiGQT0-y8lxA-jK6eseUjLPnSbdPYb5Ae4ovqVPb0Nyfbj_Sr-OBsuXc8IQ";
    const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
                       MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvUkzuPA2A/B5VUnkVfdY\n\
                       qm+qpTtO6rQqvx84hiBYB8+WSz1056JTUJqQ41RpX9EKdxklRt5abFTLTvtYn/GX\n\
                       5nZI8iiGec6YkwOpRCXhVMNFIv46CaYJ8BxboUUYCwLF4vuvL/PffZ0ggBXQAgyT\n\
                       1bqwo1whqIanRvTepnHLOXIZuwNpAGV4jXRfuTgjOmJgghDWXFSyhWO6ZNyFfTLR\n\
                       zH63iWfgF/QHFAVY1Eh2kXjJXQtEfKzyblbRv4A2gBcGcePqtXXRZgcjJBeh8UxJ\n\
                       wBS1rYBNiGQT0+y8lxA+jK6eseUjLPnSbdPYb5Ae4ovqVPb0Nyfbj/Sr+OBsuXc8\n\
                       IQIDAQAB\n\
                       -----END PUBLIC KEY-----\n";

    #[test]
    fn keys_are_written_as_other_programs_write_them() {
        let key = json!({ "kty": "RSA", "alg": "RS256", "kid": "a", "n": N, "e": "AQAB" });
        assert_eq!(to_pem(&key).unwrap(), RSA_PEM);
        let pair = rcgen::KeyPair::generate().unwrap();
        let point = pair.public_key_raw();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (text(&point[1..33]), text(&point[33..]));
        let key = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        assert_eq!(to_pem(&key).unwrap(), pair.public_key_pem());
    }

    #[test]
    fn what_is_no_such_key_is_none() {
        for key in [
            json!({}),
            json!({ "kty": "oct", "k": "AQAB" }),
            json!({ "kty": "RSA", "n": "!", "e": "AQAB" }),
            json!({ "kty": "EC", "crv": "P-384", "x": "AQAB", "y": "AQAB" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB" }),
        ] {
            assert_eq!(to_pem(&key), None, "{key}");
        }
    }

    #[test]
    fn numbers_and_lengths_are_those_of_der() {
        assert_eq!(integer(&[0, 0]), [0x02, 0x01, 0x00]);
        assert_eq!(integer(&[0, 0x7f]), [0x02, 0x01, 0x7f]);
        assert_eq!(integer(&[0x80]), [0x02, 0x02, 0x00, 0x80]);
        assert_eq!(tagged(0x04, &[0; 0x7f])[..2], [0x04, 0x7f]);
        assert_eq!(tagged(0x04, &[0; 0x80])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(tagged(0x04, &[0; 0x1234])[..4], [0x04, 0x82, 0x12, 0x34]);
        assert_eq!(tagged(0x04, &[]), [0x04, 0x00]);
    }
}
