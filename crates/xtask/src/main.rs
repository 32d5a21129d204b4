//! The project's own commands: `cargo xtask dev`, `cargo xtask test` and what they need.
//!
//! It depends on nothing heavy, so that it starts in seconds on a fresh machine. It fetches and
//! builds parts; it starts none of them (`strongroom dev` does).

#![expect(clippy::print_stdout, reason = "this program talks to the developer")]

mod arrows;
mod check;
mod command;
mod dist;
mod migrations;
mod parts;
mod run;

use std::process::ExitCode;

const HELP: &str = "\
The project's own commands.

Examples:
  cargo xtask dev              brings in the lab, builds, and runs `strongroom dev`
  cargo xtask dev --once       tells the story on fresh data and exits
  cargo xtask test             all tests on real parts
  cargo xtask test --full      with the long sizes
  cargo xtask test k8s_03      only tests whose name holds this
  cargo xtask bench            measures against floors and peers, writes docs/benchmarks.md
  cargo xtask bench 3 7        only these rows (--full: large sizes, --teams=10,10000: these)
  cargo xtask tools            only brings in the parts (--test: what tests need, --full: more)
  cargo xtask check            crate arrows, migrations, dependencies
  cargo xtask dist             a static release program, packed, with checksums and an SBOM
  cargo xtask ci               what CI runs: formatting, lints, docs, checks, tests
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let verb = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let result = match verb.as_str() {
        "tools" => parts::bring(parts::Scope::from_arguments(&rest)).map(drop),
        "dev" => run::dev(&rest),
        "test" => run::test(&rest),
        "bench" => run::bench(&rest),
        "check" => check::all(),
        "dist" => dist::dist(&rest),
        "ci" => run::ci(),
        "cache-environment" => run::cache_environment(),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            println!("xtask: there is no command {other:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
