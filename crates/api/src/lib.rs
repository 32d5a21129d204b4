//! REST handlers, DTOs and the mapping of outcomes to HTTP.
//!
//! A handler takes a session, parses, makes one call into `app`, and answers. It holds no SQL, no
//! policy and no engine call. Which routes need no session stands in one table, [`routes()`].

mod address;
mod body;
mod description;
mod edge;
mod etag;
mod extract;
mod idempotency;
mod limit;
mod problem;
mod routes;
mod shape;
mod state;
mod v1;

pub use description::description;
pub use limit::{CallsPerMinute, Limits};
pub use problem::Problem;
pub use routes::{Guard, Route, Within, router, routes};
pub use state::{AppState, SignIn};
