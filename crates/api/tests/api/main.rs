//! The API over a real Postgres, under the role it has in production, with tokens signed by a
//! provider that exists only here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod acts;
mod hostile;
mod machines;
mod membership;
mod preview;
mod reading;
mod requests;
mod routes;
mod sign_in;
mod support;
mod tenants;
