//! The only process that writes to the engine.
//!
//! It listens to no person. It verifies acts itself, freezes plans from what it observes itself,
//! and applies exactly what was signed. Database rows are claims: what it knows, it keeps in its
//! floor file and in its heads in the engine. Unknown means no new grant and no removal.

mod accounts;
mod acts;
mod apply;
mod context;
mod entities;
mod error;
mod freeze;
mod heads;
mod object;
mod pass;
mod record;
mod review;
mod start;

pub use error::ExecutorError;
pub use pass::run;
pub use start::Executor;
