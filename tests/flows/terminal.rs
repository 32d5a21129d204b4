//! A shell in which `strongroom` is the built program, for blocks of pages: nobody sits there to be
//! asked, browsers sign in by themselves, and how each command ended is noted. It changes nothing
//! else of what is typed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use strongroom_test_support::program;
use tokio::process::Command;

/// In the place of `strongroom` on the path.
const WRAPPER: &str = "#!/bin/sh\n\"$GUIDE_PROGRAM\" --yes \"$@\"\ncode=$?\n\
                       printf '%s %s\\n' \"$code\" \"$*\" >> \"$GUIDE_ENDS\"\nexit $code\n";

/// What would lead a command elsewhere than to the lab of the test.
const NOT_OURS: [&str; 8] = [
    "STRONGROOM_API_KEY",
    "STRONGROOM_API_KEY_FILE",
    "STRONGROOM_LAB",
    "STRONGROOM_FAULT",
    "VAULT_ADDR",
    "VAULT_TOKEN",
    "BAO_ADDR",
    "BAO_TOKEN",
];

/// Where the reader of a page is.
pub struct Terminal {
    /// The directory of the reader's files.
    pub dir: PathBuf,
    /// The directory of the people's contexts.
    people: PathBuf,
    server: String,
}

/// How a block ran.
pub struct Ran {
    /// How each command of `strongroom` ended, in order.
    pub ended: Vec<i32>,
    /// How the shell ended.
    pub code: Option<i32>,
    pub out: String,
    /// Everything, for who reads a failure.
    pub told: String,
}

impl Terminal {
    /// In a directory of its own beneath `scratch`, where people's contexts are.
    pub fn new(scratch: &Path, server: &str) -> Self {
        let (dir, people) = (scratch.join("reader"), scratch.join("people"));
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::create_dir_all(&people).unwrap();
        let wrapper = dir.join("bin/strongroom");
        std::fs::write(&wrapper, WRAPPER).unwrap();
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(dir.join("value"), "s3cr3t").unwrap();
        Self { dir, people, server: server.to_owned() }
    }

    /// Runs a script as this person; what asks for a value reads one.
    pub async fn run(&self, person: &str, script: &str, env: &[(&str, &str)]) -> Ran {
        let (program, ends) = (program(), self.dir.join("ends"));
        std::fs::write(&ends, "").unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-u", "-c", script])
            .current_dir(&self.dir)
            .env("PATH", format!("{}:{path}", self.dir.join("bin").display()))
            .env("GUIDE_PROGRAM", &program)
            .env("GUIDE_ENDS", &ends)
            .env("STRONGROOM_SERVER", &self.server)
            .env("STRONGROOM_CONTEXT", self.people.join(format!("{person}.json")))
            .env("BROWSER", format!("{} dev-browser --user {person}", program.display()))
            .env("NO_COLOR", "1")
            .stdin(Stdio::from(std::fs::File::open(self.dir.join("value")).unwrap()))
            .kill_on_drop(true);
        for name in NOT_OURS {
            command.env_remove(name);
        }
        command.envs(env.iter().copied());
        let output = tokio::time::timeout(Duration::from_mins(2), command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("it never ends, as {person}:\n{script}"));
        let output = output.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let noted = std::fs::read_to_string(&ends).unwrap();
        let ended = noted.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
        let told = format!(
            "as {person}\n--- run\n{script}--- ended with\n{noted}--- out\n{out}--- err\n{err}"
        );
        Ran { ended, code: output.status.code(), out, told }
    }
}
