//! The one binary, `strongroom`.

fn main() {}
