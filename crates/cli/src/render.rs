//! From values to text for people. Pure: nothing here reads the network, files or a clock.

pub mod check;
pub mod csv;
pub mod describe;
pub mod diff;
pub mod event;
pub mod plan;
pub mod preview;
pub mod request;
pub mod signers;
pub mod table;
pub mod text;
pub mod words;
