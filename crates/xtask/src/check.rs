//! Checks of the workspace that no compiler makes.

use anyhow::Result;

use crate::parts::root;
use crate::{arrows, migrations, run};

/// Says that a check passed.
pub fn say(text: &str) {
    println!("ok  {text}");
}

/// All checks.
pub fn all() -> Result<()> {
    arrows::check(&root())?;
    say("crate arrows: as docs/architecture.md says");
    migrations::check(&root().join("migrations"))?;
    say("migrations: nothing dropped, renamed or newly required");
    run::check_dependencies()
}
