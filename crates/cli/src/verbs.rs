//! One module per verb. A verb gets the client, does one thing, and says how it ended.

pub mod again;
pub mod apply;
pub mod check;
pub mod describe;
pub mod diff;
pub mod doctor;
pub mod edit;
pub mod explain;
pub mod export;
mod foresee;
pub mod get;
pub mod inbox;
pub mod kit;
pub mod kv;
pub mod login;
pub mod machine;
pub mod propose;
pub mod reach;
pub mod request;
pub mod session;
pub mod status;
pub mod suspend;
pub mod version;
pub mod vote;
pub mod wait;
