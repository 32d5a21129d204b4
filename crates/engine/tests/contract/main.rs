//! One contract for every engine that is supported: the same cases against real OpenBao 2.7.0 and
//! 2.7.2, and with `STRONGROOM_FULL` against HashiCorp Vault 1.21.0. What differs is asked of the
//! engine, never concluded from its version. Beside it: an engine that is too old, and a listener
//! that answers as no engine would.
//!
//! Each engine starts once and runs all cases in order, because a start costs more than they do.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by panicking and print their times"
)]

mod cases;
mod hostile;
mod server;
mod too_old;
mod vault;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use server::Server;
use strongroom_engine::sys::{Product, Version};
use strongroom_lab::Parts;

/// A case and its name.
type Case = (&'static str, for<'a> fn(&'a Server) -> LocalBoxFuture<'a, ()>);

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), |server| Box::pin(cases::$module::$name(server)))),*]
    };
}

const CASES: &[Case] = cases![
    product::says_what_it_is,
    product::tells_what_it_can_do,
    product::namespaces_are_used_only_where_they_are_not_ignored,
    objects::written_objects_read_back_as_they_were_sent,
    objects::the_executor_may_do_no_more,
    people::sign_in_gives_what_the_groups_give,
    identity::entities_and_aliases,
    kv::check_and_set,
    kv::a_deleted_value_is_not_an_absent_one,
    session::is_renewed_in_time_and_then_logs_in_anew,
    session::a_revoked_token_is_replaced,
    session::a_denial_that_is_meant_makes_no_new_token,
    session::revoke_self_ends_the_token,
    trail::every_write_is_found_in_the_audit_log,
    trail::nothing_secret_is_logged,
    // No other case can log in as the executor after this one.
    session::a_secret_id_can_be_replaced,
    faults::a_write_without_an_answer_has_an_unknown_outcome,
    // Nothing works after this one.
    faults::sealed_and_gone_are_told_apart,
];

async fn run(server: Server) {
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let start = Instant::now();
        let result = AssertUnwindSafe(case(&server)).catch_unwind().await;
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<70} {verdict} {:>6.2} s", start.elapsed().as_secs_f64());
        if result.is_err() {
            failed.push(*name);
        }
    }
    server.stop().await;
    assert!(failed.is_empty(), "failed: {failed:?}");
}

#[tokio::test]
async fn openbao_2_7_0_keeps_the_contract() {
    let parts = Parts::find().unwrap();
    run(Server::openbao(&parts, Version(2, 7, 0)).await).await;
}

#[tokio::test]
async fn openbao_2_7_2_keeps_the_contract() {
    let parts = Parts::find().unwrap();
    run(Server::openbao(&parts, Version(2, 7, 2)).await).await;
}

/// Vault takes a quarter of an hour to build, so it belongs to the long tests.
#[tokio::test]
async fn vault_1_21_0_keeps_the_contract() {
    if std::env::var_os("STRONGROOM_FULL").is_none() {
        println!("only in `cargo xtask test --full`");
        return;
    }
    let parts = Parts::find().unwrap();
    let server = Server::vault(&parts, Version(1, 21, 0)).await;
    assert_eq!(server.product, Product::Vault);
    run(server).await;
}
