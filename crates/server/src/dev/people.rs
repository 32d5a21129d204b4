//! The people of the development stack and the clients they sign in with.

use strongroom_lab::{Client, ProviderOptions, User};

/// Sign-in names and groups.
pub const PEOPLE: &[(&str, &[&str])] = &[
    ("alice", &["payments-dev"]),
    ("bob", &["payments-leads"]),
    ("carol", &["orders-leads"]),
    ("sue", &["platform-sre"]),
    ("sam", &["platform-sre"]),
    ("kim", &["platform-sre"]),
    ("ada", &["auditors"]),
];

/// Everybody's password here. It opens nothing but this stack on this machine.
pub const PASSWORD: &str = "correct horse battery staple";

/// The client people sign in to Strongroom with.
pub const SIGN_IN_CLIENT: &str = "strongroom-cli";
/// The client acts are signed with.
pub const ACT_CLIENT: &str = "strongroom-cli-act";
/// The engine's own client.
pub const ENGINE_CLIENT: &str = "engine-people";

/// What the lab's provider must know.
pub fn provider_options() -> ProviderOptions {
    let user = |(name, groups): &(&str, &[&str])| User {
        name: (*name).into(),
        password: PASSWORD.into(),
        groups: groups.iter().map(ToString::to_string).collect(),
    };
    let client = |name: &str, confidential, redirect: &str| Client {
        name: name.into(),
        confidential,
        redirect_uris: vec![redirect.into()],
    };
    ProviderOptions {
        users: PEOPLE.iter().map(user).collect(),
        clients: vec![
            client(SIGN_IN_CLIENT, false, "http://127.0.0.1/callback"),
            client(ACT_CLIENT, false, "http://127.0.0.1/callback"),
            client(ENGINE_CLIENT, true, "http://127.0.0.1/oidc/callback"),
        ],
    }
}
