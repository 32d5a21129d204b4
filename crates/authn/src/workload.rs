//! Service accounts' own tokens: whose they are, by the cluster's published keys.
//!
//! The keys stand in a file that an operator exported (`kubectl get --raw /openid/v1/jwks`), so no
//! cluster is asked and no credential of one is needed. A token that was made for anybody besides is
//! refused: whoever else gets it could use it here.

use std::path::PathBuf;

use serde_json::Value;
use strongroom_acts::token::{key_id, unverified_claims, verify_signature};

/// How far the cluster's clock may be from ours, seconds.
const LEEWAY: i64 = 60;

/// The longest life of a token that is taken, seconds: a projected one is renewed by itself.
const MOST_LIFETIME: i64 = 86_400;

/// The most bytes of a file of keys.
const MAX_KEYS: u64 = 1024 * 1024;

/// A cluster whose service accounts may show their tokens.
#[derive(Debug, Clone)]
pub struct WorkloadIssuer {
    /// The cluster, as documents name it.
    pub cluster: String,
    /// The issuer, as its tokens name it.
    pub issuer: String,
    /// The one audience that a token must have.
    pub audience: String,
    /// The file of its public keys, a JWKS. It is read at each use: a rotation is seen at once.
    pub keys_file: PathBuf,
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The account.
    pub account: String,
    /// Its UID.
    pub uid: String,
}

/// The account of a token, if a cluster's key signed it for us alone; `now` in Unix seconds.
pub async fn verify_workload(
    issuers: &[WorkloadIssuer],
    token: &str,
    now: i64,
) -> Option<Workload> {
    let kid = key_id(token).ok()?;
    let claimed = unverified_claims(token)?;
    for issuer in issuers.iter().filter(|issuer| claimed["iss"].as_str() == Some(&issuer.issuer)) {
        // Clusters often call themselves alike: only the key tells them apart.
        let Some(key) = key(issuer, &kid).await else { continue };
        if let Ok(claims) = verify_signature(token, &key) {
            return judge(issuer, &claims, now);
        }
    }
    None
}

async fn key(issuer: &WorkloadIssuer, kid: &str) -> Option<Value> {
    let read = async {
        let size = tokio::fs::metadata(&issuer.keys_file).await?.len();
        if size > MAX_KEYS {
            return Err(std::io::Error::other("the file is larger than 1 MiB"));
        }
        let text = tokio::fs::read(&issuer.keys_file).await?;
        serde_json::from_slice::<Value>(&text).map_err(std::io::Error::from)
    };
    let keys = match read.await {
        Ok(keys) => keys,
        Err(error) => {
            let file = issuer.keys_file.display();
            tracing::error!(cluster = issuer.cluster, %file, %error, "read the cluster's keys");
            return None;
        }
    };
    keys["keys"].as_array()?.iter().find(|key| key["kid"].as_str() == Some(kid)).cloned()
}

fn judge(issuer: &WorkloadIssuer, claims: &Value, now: i64) -> Option<Workload> {
    let alone = match &claims["aud"] {
        Value::String(one) => *one == issuer.audience,
        Value::Array(all) => matches!(&all[..], [Value::String(one)] if *one == issuer.audience),
        _ => false,
    };
    let (made, ends) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let begins = claims["nbf"].as_i64().unwrap_or(made);
    let in_time = made <= now.saturating_add(LEEWAY)
        && begins <= now.saturating_add(LEEWAY)
        && ends.saturating_add(LEEWAY) > now
        && ends.saturating_sub(made) <= MOST_LIFETIME;
    let place = &claims["kubernetes.io"];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let workload = Workload {
        cluster: issuer.cluster.clone(),
        namespace: text(&place["namespace"])?,
        account: text(&place["serviceaccount"]["name"])?,
        uid: text(&place["serviceaccount"]["uid"])?,
    };
    let subject = format!("system:serviceaccount:{}:{}", workload.namespace, workload.account);
    let whose = claims["iss"].as_str() == Some(&issuer.issuer)
        && claims["sub"].as_str() == Some(subject.as_str());
    (alone && in_time && whose).then_some(workload)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    fn issuer() -> WorkloadIssuer {
        WorkloadIssuer {
            cluster: "prod-eu".into(),
            issuer: "https://kubernetes.default.svc".into(),
            audience: "strongroom-api".into(),
            keys_file: "/nowhere".into(),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": "https://kubernetes.default.svc", "aud": ["strongroom-api"],
            "iat": 1000, "nbf": 1000, "exp": 4600,
            "sub": "system:serviceaccount:payments-ci:deployer",
            "kubernetes.io": {
                "namespace": "payments-ci",
                "serviceaccount": { "name": "deployer", "uid": "u-1" },
            },
        })
    }

    /// A cluster's key, and its public half as the cluster publishes it.
    struct Key(EncodingKey, Value);

    impl Key {
        fn new(kid: &str) -> Self {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let der = pair.to_pkcs8v1().unwrap();
            let point = pair.public_key().as_ref();
            let (x, y) = (&point[1..33], &point[33..65]);
            let public = json!({
                "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
            });
            Self(EncodingKey::from_ec_der(der.as_ref()), public)
        }

        fn signs(&self, kid: &str, claims: &Value) -> String {
            let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::ES256) };
            encode(&header, claims, &self.0).unwrap()
        }
    }

    #[tokio::test]
    async fn only_a_clusters_own_key_speaks_for_its_accounts() {
        let dir = tempfile::tempdir().unwrap();
        let (east, west, stranger) = (Key::new("k"), Key::new("k"), Key::new("k"));
        // Both clusters call themselves alike, and their keys too.
        let of = |name: &str, key: &Key| {
            let keys_file = dir.path().join(name);
            std::fs::write(&keys_file, json!({ "keys": [key.1] }).to_string()).unwrap();
            WorkloadIssuer { cluster: name.into(), keys_file, ..issuer() }
        };
        let issuers = [of("east", &east), of("west", &west), issuer()];
        let whose = async |token: &str| {
            verify_workload(&issuers, token, 2000).await.map(|found| found.cluster)
        };
        assert_eq!(whose(&east.signs("k", &claims())).await.as_deref(), Some("east"));
        assert_eq!(whose(&west.signs("k", &claims())).await.as_deref(), Some("west"));
        assert_eq!(whose(&stranger.signs("k", &claims())).await, None, "another key of that name");
        assert_eq!(whose(&east.signs("x", &claims())).await, None, "a key that is not published");
        let token = east.signs("k", &claims());
        let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let mut other = claims();
        other["kubernetes.io"]["serviceaccount"]["uid"] = json!("u-2");
        let payload = URL_SAFE_NO_PAD.encode(other.to_string());
        assert_eq!(whose(&format!("{header}.{payload}.{signature}")).await, None, "changed claims");
        for alg in ["none", "HS256"] {
            let header = json!({ "alg": alg, "kid": "k", "typ": "JWT" }).to_string();
            let (header, payload) =
                (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()));
            assert_eq!(whose(&format!("{header}.{payload}.")).await, None, "{alg}");
            assert_eq!(whose(&format!("{header}.{payload}.{signature}")).await, None, "{alg}");
        }
    }

    #[test]
    fn a_bound_token_for_us_alone_names_its_account() {
        let found = judge(&issuer(), &claims(), 2000).unwrap();
        assert_eq!((found.account.as_str(), found.uid.as_str()), ("deployer", "u-1"));
    }

    #[test]
    fn every_other_token_is_refused() {
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut other = claims();
            change(&mut other);
            assert_eq!(judge(&issuer(), &other, 2000), None, "{other}");
        };
        refused(&|c| c["aud"] = json!(["strongroom-api", "vault"]));
        refused(&|c| c["aud"] = json!("strongroom"));
        refused(&|c| c["iss"] = json!("https://other"));
        refused(&|c| c["exp"] = json!(1900));
        refused(&|c| c["exp"] = json!(1000 + 86_401));
        refused(&|c| c["exp"] = Value::Null);
        refused(&|c| c["iat"] = json!(2061));
        refused(&|c| c["nbf"] = json!(2061));
        refused(&|c| c["sub"] = json!("system:serviceaccount:payments-ci:other"));
        refused(&|c| c["sub"] = json!("system:node:n"));
        refused(&|c| c["kubernetes.io"]["serviceaccount"]["uid"] = json!(""));
        refused(&|c| c["kubernetes.io"]["namespace"] = json!("other"));
    }
}
