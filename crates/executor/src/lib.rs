//! The only process that writes to the engine.
//!
//! It listens to no person. It verifies acts itself, freezes plans from what it observes itself,
//! and applies exactly what was signed. Database rows are claims: what it knows, it keeps in its
//! floor file and in its heads in the engine. Unknown means no new grant and no removal.

mod accounts;
mod acts;
mod apply;
mod attached;
mod begun;
mod bindings;
mod brake;
mod bulk;
mod carry;
mod context;
mod drift;
mod elsewhere;
mod ended;
mod endings;
mod entities;
mod error;
mod fault;
mod feed;
mod finding;
mod fits;
mod follow;
mod freeze;
mod groups;
mod hands;
mod heads;
mod holds;
mod meanwhile;
mod measure;
mod members;
mod object;
mod open;
mod orders;
mod pass;
mod places;
mod publish;
mod record;
mod records;
mod review;
mod selfcheck;
mod standings;
mod start;
mod strangers;
mod submitter;
mod sweep;
mod touched;
mod wanted;
mod write;

pub use error::ExecutorError;
pub use measure::{Health, Working};
pub use orders::{LocalOrder, OrderAnswer, order_leave};
pub use pass::run;
pub use start::{Executor, keys_read};
