//! The guides are true: every block of theirs is run, in the order of the page, as the person whom
//! it names, by a shell, on a lab of its own (a guide freezes the whole platform).
//!
//! What a page says is run as it stands there. The table [`Guide::stands_for`] holds everything
//! that is put in the place of something else; nothing else may be. A block that cannot be run
//! says why; one that says neither fails the test.
//!
//! | in the info string | what it means |
//! |---|---|
//! | `as=bob` | run as bob; `as=machine`: with the key that was printed last, and nobody's session; `as=operator`: as the owner of the database, no command of `strongroom` |
//! | `exit=1,7` | how its commands end, all of them or the last; 0 when left out |
//! | `not-run="why"` | not run here |
//! | `given=…` | something that happens before ([`Guide::given`]) |
//! | `then=reads`, `then=refused` | what the workload's token is good for afterwards |
//! | `then=signed-in-again` | whose session began after a copy of the database signs in again |
//! | `file=`, `add=`, `cut=` (yaml) | the file is this, ends with this, loses this |

mod world;

use std::collections::BTreeSet;

use strongroom_lab::Person;
use strongroom_lab::parts::Parts;

use crate::page::{Block, blocks};
use crate::private::{Executor, PrivateLab};
use crate::support::{Team, Workload};
use crate::terminal::Terminal;

/// The team, namespace and secret of all guides.
const TEAM: &str = "payments";
const NAMESPACE: &str = "payments-prod";
const SECRET: &str = "team/payments/kv/data/prod/api/db";

/// What an SRE puts in on the pages.
const CA: &str = "    -----BEGIN CERTIFICATE-----\n    the API server's CA\n    \
                  -----END CERTIFICATE-----\n";
const KEY: &str = "        -----BEGIN PUBLIC KEY-----\n        the key that signs its tokens\n        \
                   -----END PUBLIC KEY-----\n";

/// One page on its lab.
struct Guide {
    private: PrivateLab,
    terminal: Terminal,
    /// Sue at another machine, who only looks.
    watcher: Person,
    /// Who has signed in.
    known: BTreeSet<String>,
    /// The key of a machine that was printed last.
    key: String,
    /// The workload's token.
    live: Option<Workload>,
    asked: usize,
    /// An executor of the page's own, after that of the lab.
    executor: Option<Executor>,
}

#[tokio::test]
async fn guide_01_the_page_for_teams_is_true() {
    let mut guide = Guide::start().await;
    guide.follow("for-teams.md").await;
    guide.private.end().await;
}

#[tokio::test]
async fn guide_02_the_page_for_sres_is_true() {
    let mut guide = Guide::start().await;
    guide.onboarded().await;
    guide.follow("for-sres.md").await;
    guide.private.end().await;
}

#[tokio::test]
async fn guide_03_the_page_on_automation_is_true() {
    let mut guide = Guide::start().await;
    guide.onboarded().await;
    // What the pipeline's commit changes.
    guide.rename_in_file("By the pipeline");
    guide.follow("automation.md").await;
    guide.private.end().await;
}

#[tokio::test]
async fn guide_05_the_page_on_backups_is_true() {
    let mut guide = Guide::start().await;
    guide.onboarded().await;
    guide.follow("backup.md").await;
    let told = guide.watcher.does(&["get", "findings", "records-differ", "-o", "json"]).await;
    assert_eq!(told.unwrap().trim(), "[]", "the page ends with something that differs");
    guide.private.end().await;
}

impl Guide {
    async fn start() -> Self {
        let private = PrivateLab::start().await;
        let terminal = Terminal::new(private.lab.scratch.path(), private.lab.server());
        let watcher = private.lab.person_at("sue", "watcher").await;
        let (known, key) = (BTreeSet::new(), String::new());
        let guide =
            Self { private, terminal, watcher, known, key, live: None, asked: 0, executor: None };
        guide.namespace().await;
        guide
    }

    /// What is put in the place of what the pages say, and nothing else.
    async fn stands_for(&self) -> Vec<(&'static str, String)> {
        let lab = &self.private.lab;
        let api = lab.kubernetes();
        let key_file = lab.dir().join("kubernetes/service-account.pub.pem");
        let key = std::fs::read_to_string(key_file).unwrap();
        vec![
            ("REQUEST", self.newest().await.unwrap_or_default()),
            ("https://strongroom.example.com", lab.server().to_owned()),
            ("/etc/strongroom", lab.dir().display().to_string()),
            // The lab's executor is of the same user.
            ("sudo -u strongroom-execute ", String::new()),
            // The one API server there is, of which the floor file has the credentials.
            ("https://prod-us.example.com:6443", api.server().to_owned()),
            ("credentials: prod-us", "credentials: prod-eu".to_owned()),
            (CA, indented(api.ca_pem(), 4)),
            (KEY, indented(&key, 8)),
            (
                "https://kubernetes.default.svc.cluster.local",
                "https://kubernetes.default.svc".into(),
            ),
            ("prod-eu/payments-ci/deployer", format!("prod-eu/{NAMESPACE}/batch")),
            // Nobody signs it meanwhile.
            ("--timeout 3600", "--timeout 3".to_owned()),
        ]
    }

    /// Runs a page from top to bottom.
    async fn follow(&mut self, page: &str) {
        let (mut ran, mut run_blocks, mut marked) = (0, 0, Vec::new());
        for block in blocks(page) {
            match (block.language.as_str(), block.word("as"), block.word("not-run")) {
                ("yaml", ..) => self.file(&block).await,
                ("sh", Some("operator"), None) => {
                    self.operate(&block).await;
                    ran += 1;
                    run_blocks += 1;
                }
                ("sh", Some(person), None) => {
                    ran += self.run(&block, person).await;
                    run_blocks += 1;
                }
                ("sh", None, Some(why)) => {
                    assert!(why.len() > 10, "{}: not-run says no reason", block.place);
                    marked.push((block.place.clone(), why.to_owned()));
                }
                ("sh", ..) => panic!(
                    "{}: a block says either who runs it (as=bob) or why nobody does \
                     (not-run=\"…\")",
                    block.place
                ),
                _ => {}
            }
        }
        assert!(ran > 0, "no command of docs/{page} ran");
        let told: Vec<String> =
            marked.iter().map(|(place, why)| format!("\n  {place}: {why}")).collect();
        println!(
            "docs/{page}: {ran} commands ran in {run_blocks} blocks, 0 ended otherwise than they say; \
             {} blocks are marked as not run:{}",
            marked.len(),
            told.concat()
        );
    }

    /// Runs a block as the owner of the database, with the tools of Postgres.
    async fn operate(&mut self, block: &Block) {
        self.settle().await;
        if let Some(what) = block.word("given") {
            self.given(what).await;
        }
        let tools = Parts::find().unwrap().postgres_bin;
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-eu", "-c", &block.text]).current_dir(&self.terminal.dir);
        let ran = shell.env("PATH", path).env("DATABASE", self.private.database_url()).output();
        let ran = ran.await.unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{}: {} {told}", block.place, ran.status);
        if let Some(what) = block.word("then") {
            self.then(what, &block.place).await;
        }
    }

    /// Runs the commands of one block; gives how many there are.
    async fn run(&mut self, block: &Block, person: &str) -> usize {
        self.settle().await;
        if let Some(what) = block.word("given") {
            self.given(what).await;
        }
        let signs_in = block.text.contains("strongroom login");
        if person != "machine" && !signs_in && !self.known.contains(person) {
            self.private.lab.person(person).await;
        }
        self.known.insert(person.to_owned());

        let script = self.replaced(&block.text).await;
        let mut env = Vec::new();
        if person == "machine" {
            assert!(!self.key.is_empty(), "{}: no key was printed before", block.place);
            env = vec![("KEY", self.key.as_str()), ("COMMIT", "0123abc: another name")];
        }
        let ran = self.terminal.run(person, &script, &env).await;
        let (place, told) = (&block.place, &ran.told);
        assert_eq!(ran.ended, block.exits(), "{place}: ends otherwise than the page says, {told}");
        assert_eq!(ran.code, ran.ended.last().copied(), "{place}: what the shell says, {told}");
        if let Some(key) = ran.out.lines().find(|line| line.starts_with("srk_")) {
            key.clone_into(&mut self.key);
        }
        if let Some(what) = block.word("then") {
            self.settle().await;
            self.then(what, &block.place).await;
        }
        ran.ended.len()
    }

    async fn replaced(&self, text: &str) -> String {
        let table = self.stands_for().await;
        if text.contains("REQUEST") {
            assert!(!table[0].1.is_empty(), "REQUEST, and there is no request yet: {text}");
        }
        table.iter().fold(text.to_owned(), |text, (says, is)| text.replace(says, is))
    }

    /// A file of the page.
    async fn file(&self, block: &Block) {
        let text = self.replaced(&block.text).await;
        let read = |name: &str| std::fs::read_to_string(self.terminal.dir.join(name)).unwrap();
        let (name, whole) = match (block.word("file"), block.word("add"), block.word("cut")) {
            (Some(name), None, None) => (name, text),
            (None, Some(name), None) => (name, read(name) + &text),
            (None, None, Some(name)) => {
                let before = read(name);
                assert!(before.contains(&text), "{}: {name} has no such part", block.place);
                (name, before.replacen(&text, "", 1))
            }
            // An example that nothing here reads.
            _ => return,
        };
        let file = self.terminal.dir.join(name);
        std::fs::write(&file, whole).unwrap();
        let team = Team { slug: TEAM.to_owned(), file };
        self.private.lab.until_seen(&team).await;
    }
}

fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    let lines: Vec<String> = text.trim().lines().map(|line| format!("{indent}{line}\n")).collect();
    lines.concat()
}

/// No guide has a block without a marking, also when nobody starts a lab for it.
#[test]
fn guide_04_every_block_is_marked() {
    let known = |block: &&Block| block.word("as").is_some() != block.word("not-run").is_some();
    for page in ["for-teams.md", "for-sres.md", "automation.md", "backup.md"] {
        let all = blocks(page);
        let unmarked = all.iter().filter(|block| block.language == "sh" && !known(block));
        let unmarked: Vec<&str> = unmarked.map(|block| block.place.as_str()).collect();
        assert!(unmarked.is_empty(), "neither as= nor not-run= at {unmarked:?}");
        let person = |block: &&Block| block.word("as").is_some_and(|who| who != "operator");
        for block in all.iter().filter(person) {
            assert!(block.commands() > 0, "{}: no command of strongroom", block.place);
            // Panics when the codes do not fit the commands.
            block.exits();
        }
    }
}
