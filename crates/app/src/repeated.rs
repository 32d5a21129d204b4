//! Calls that are sent with a key of the caller's own, so that the same one again does nothing twice.
//!
//! What was answered is kept for a day, by caller: nobody's key meets another's. Nothing that is shown
//! only once is kept.

use jiff::SignedDuration;
pub use strongroom_storage::repeated::{KeptAnswer, Known, RepeatedCall};

use crate::context::Ctx;
use crate::error::AppError;

/// How long a call can be under way; what takes longer was interrupted.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// What is to be done with a call.
#[derive(Debug)]
pub enum Begun {
    /// It is done now, and its answer told to [`call_end`].
    Now,
    /// It was done, and answered so.
    Before(KeptAnswer),
    /// The same is being done.
    UnderWay,
}

/// A call of the caller's: its key and what is asked, as hashes.
pub fn call(ctx: &Ctx, key: Vec<u8>, request: Vec<u8>) -> RepeatedCall {
    RepeatedCall { caller: ctx.person.id.clone(), key, request }
}

/// Begins a call, or says what became of the same one.
pub async fn call_begin(ctx: &Ctx, call: &RepeatedCall) -> Result<Begun, AppError> {
    let now = ctx.app.now();
    match ctx.app.store.call_begin(call, now).await? {
        Known::New => Ok(Begun::Now),
        Known::Done(answer) => Ok(Begun::Before(answer)),
        Known::Begun(since) if now.duration_since(since) <= LONGEST => Ok(Begun::UnderWay),
        Known::Begun(_) => Err(AppError::conflict(
            "the call with this Idempotency-Key was interrupted: it is not known whether it was done",
            "look whether it was, and send it with another key if it was not",
        )),
        Known::Another => Err(AppError::invalid(
            "",
            "this Idempotency-Key was sent with another call within the last 24 hours; each call has \
             a key of its own",
        )),
    }
}

/// Keeps what a call was answered; nothing of one that did nothing, so that it may be tried again.
pub async fn call_end(
    ctx: &Ctx,
    call: &RepeatedCall,
    answer: Option<&KeptAnswer>,
) -> Result<(), AppError> {
    Ok(ctx.app.store.call_end(call, answer).await?)
}
