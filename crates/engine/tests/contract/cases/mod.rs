//! The cases. Each makes its own names, and leaves the engine usable for the next.

pub mod faults;
pub mod identity;
pub mod kv;
pub mod objects;
pub mod people;
pub mod product;
pub mod session;
pub mod trail;
