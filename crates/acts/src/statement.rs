//! From a statement to the nonce that the provider signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use strongroom_domain::act::{Statement, Submission};
use strongroom_domain::{Digest, canonical};

/// The text every act's nonce starts with.
pub const NONCE_PREFIX: &str = "srg1.";

/// The statement cannot be signed as it is.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// There is nothing to sign.
    #[error("a statement names at least one item")]
    Empty,
    /// Items out of order or twice; one statement has one spelling.
    #[error("the items of a statement are sorted and distinct")]
    Order,
    /// The salt is not 32 bytes in base64url.
    #[error("the salt of a statement is 32 bytes in base64url without padding")]
    Salt,
}

/// The nonce of a statement: a prefix and the base64url SHA-256 of a domain line and the
/// statement's canonical JSON.
pub fn nonce(statement: &Statement) -> Result<String, StatementError> {
    if statement.items.is_empty() {
        return Err(StatementError::Empty);
    }
    if !statement.items.is_sorted_by(|a, b| a < b) {
        return Err(StatementError::Order);
    }
    match URL_SAFE_NO_PAD.decode(&statement.salt) {
        Ok(salt) if salt.len() == 32 => {}
        _ => return Err(StatementError::Salt),
    }
    let digest = Digest::labelled("strongroom/act/1", &canonical_bytes(statement));
    Ok(format!("{NONCE_PREFIX}{}", URL_SAFE_NO_PAD.encode(digest.as_bytes())))
}

/// The canonical JSON of a statement.
pub fn canonical_bytes(statement: &Statement) -> Vec<u8> {
    canonical::to_bytes(statement).expect("a statement holds only text, integers and lists")
}

/// What the content of a submission's item is.
pub fn submission_digest(submission: &Submission) -> Digest {
    let bytes = canonical::to_bytes(submission)
        .expect("documents hold only text, integers, booleans, lists and maps with text keys");
    Digest::labelled("strongroom/submission/1", &bytes)
}

/// What a statement holds of a comment.
pub fn comment_digest(comment: &str) -> Digest {
    Digest::of(comment.as_bytes())
}

/// Fresh randomness for a statement, so that nobody can guess a nonce from what is known.
pub fn new_salt() -> Result<String, getrandom::Error> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt)?;
    Ok(URL_SAFE_NO_PAD.encode(salt))
}

#[cfg(test)]
mod tests {
    use strongroom_domain::act::{ActItem, ActKind};
    use strongroom_domain::id::{DeploymentId, RequestId};

    use super::*;

    fn statement() -> Statement {
        let uuid = |text: &str| text.parse().unwrap();
        Statement {
            deployment: DeploymentId::from_uuid(uuid("0199b5d0-0000-7000-8000-000000000001")),
            issuer: "https://idp.example.com/v1".into(),
            audience: "strongroom-cli-act".into(),
            act: ActKind::Approve,
            items: vec![ActItem {
                request: RequestId::from_uuid(uuid("0199b5d0-0000-7000-8000-000000000002")),
                round: 1,
                stage: "owners of payments".into(),
                content: Digest::of(b"plan"),
            }],
            comment: comment_digest("fine with me"),
            salt: URL_SAFE_NO_PAD.encode([7; 32]),
        }
    }

    #[test]
    fn bytes_and_nonce_are_golden() {
        insta::assert_snapshot!(String::from_utf8(canonical_bytes(&statement())).unwrap());
        insta::assert_snapshot!(nonce(&statement()).unwrap());
    }

    /// A second computation that shares no code: sorted keys written by hand, SHA-256 from the
    /// test's own call.
    #[test]
    fn an_independent_computation_gives_the_same_nonce() {
        use sha2::Digest as _;
        let content = hex::encode(sha2::Sha256::digest(b"plan"));
        let comment = hex::encode(sha2::Sha256::digest(b"fine with me"));
        let salt = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let text = format!(
            "strongroom/act/1\n{{\"act\":\"approve\",\"audience\":\"strongroom-cli-act\",\
             \"comment\":\"{comment}\",\"deployment\":\"0199b5d0-0000-7000-8000-000000000001\",\
             \"issuer\":\"https://idp.example.com/v1\",\"items\":[{{\"content\":\"{content}\",\
             \"request\":\"0199b5d0-0000-7000-8000-000000000002\",\"round\":1,\
             \"stage\":\"owners of payments\"}}],\"salt\":\"{salt}\"}}"
        );
        let digest = sha2::Sha256::digest(text.as_bytes());
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut encoded = String::new();
        for chunk in digest.chunks(3) {
            let mut word = 0_u32;
            for i in 0..3 {
                word = (word << 8) | u32::from(chunk.get(i).copied().unwrap_or(0));
            }
            for i in 0..=chunk.len() {
                let index = (word >> (18 - 6 * i)) & 63;
                encoded.push(char::from(alphabet[index as usize]));
            }
        }
        assert_eq!(nonce(&statement()).unwrap(), format!("srg1.{encoded}"));
    }

    #[test]
    fn every_part_changes_the_nonce() {
        let base = nonce(&statement()).unwrap();
        let mut changed = Vec::new();
        let mut vary = |change: &dyn Fn(&mut Statement)| {
            let mut other = statement();
            change(&mut other);
            changed.push(nonce(&other).unwrap());
        };
        vary(&|s| s.deployment = DeploymentId::from_uuid(uuid::Uuid::nil()));
        vary(&|s| s.issuer.push('x'));
        vary(&|s| s.audience.push('x'));
        vary(&|s| s.act = ActKind::Reject);
        vary(&|s| s.items[0].round = 2);
        vary(&|s| s.items[0].stage = "platform".into());
        vary(&|s| s.items[0].content = Digest::of(b"other"));
        vary(&|s| s.items[0].request = RequestId::from_uuid(uuid::Uuid::nil()));
        vary(&|s| s.comment = comment_digest(""));
        vary(&|s| s.salt = URL_SAFE_NO_PAD.encode([8; 32]));
        assert!(changed.iter().all(|each| *each != base));
        changed.sort();
        changed.dedup();
        assert_eq!(changed.len(), 10);
    }

    #[test]
    fn one_statement_has_one_spelling() {
        let mut twice = statement();
        twice.items.push(twice.items[0].clone());
        assert!(matches!(nonce(&twice), Err(StatementError::Order)));
        let mut none = statement();
        none.items.clear();
        assert!(matches!(nonce(&none), Err(StatementError::Empty)));
        let mut short = statement();
        short.salt = URL_SAFE_NO_PAD.encode([7; 31]);
        assert!(matches!(nonce(&short), Err(StatementError::Salt)));
    }
}
