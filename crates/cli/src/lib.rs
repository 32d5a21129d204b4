//! Command line client of the API.
pub mod api;
pub mod args;
pub mod exit;
pub mod failure;
pub mod render;
pub mod screen;
pub mod verify;
