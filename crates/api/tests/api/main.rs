//! The API over a real Postgres, under the role it has in production, with tokens signed by a
//! provider that exists only here.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod acts;
mod checks;
mod comments;
mod description;
mod hostile;
mod idempotency;
mod inbox;
mod limits;
mod machines;
mod membership;
mod preview;
mod reading;
mod requests;
mod robust;
mod routes;
mod sign_in;
mod status;
mod support;
mod tenants;
