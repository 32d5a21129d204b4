//! Who has a vote, how often, and for how long: every row of the table on real parts.

#![expect(clippy::print_stdout, reason = "figures are printed for who reads the run")]

use std::time::{Duration, Instant};

use strongroom_lab::Person;

use crate::private::PrivateLab;
use crate::support::{Lab, document};

/// Refusals of the executor, as voters read them.
const TWICE: &str = "this person's approval is counted already";
const OWN: &str = "the submitter's own approval does not count";
const NOT_IN_GROUP: &str = "the signed groups do not include one that votes in this stage";
const COUNTED: &str = "counted";

/// What was done, what the rule says, and what happened.
#[derive(Default)]
struct Table(Vec<(String, String, String)>);

impl Table {
    fn row(&mut self, what: &str, wanted: &str, found: &str) {
        self.0.push((what.into(), wanted.into(), found.into()));
    }

    /// One vote.
    async fn vote(&mut self, what: &str, who: &Person, request: &str, stage: &str, wanted: &str) {
        // The executor is to judge, also what the client foresees.
        let arguments = ["approve", request, "--stage", stage, "--yes", "--anyway"];
        let printed = who.run(&arguments).await.unwrap();
        let found = match printed.code {
            0 => COUNTED.to_owned(),
            // Whatever else it says, the sentence must be among it.
            _ if printed.err.contains(wanted) => wanted.to_owned(),
            _ => printed.err,
        };
        self.row(what, wanted, &found);
    }

    /// Where a request comes to.
    async fn ends(&mut self, what: &str, lab: &Lab, request: &str, wanted: &str) {
        let start = Instant::now();
        let found = loop {
            let state = lab.request(request).await["state"].as_str().unwrap().to_owned();
            if state == wanted || start.elapsed() > Duration::from_mins(1) {
                break state;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        self.row(what, wanted, &found);
    }

    fn is_so(&self) {
        for (what, _, found) in &self.0 {
            println!("  {what:<58}  {found}");
        }
        for (what, wanted, found) in &self.0 {
            assert_eq!(found, wanted, "{what}");
        }
        println!("APR-06: {} of {} rows as the rule in force says", self.0.len(), self.0.len());
    }
}

/// A change of this risk: `high` where the viewers change, `normal` where only the name does.
async fn proposed(lab: &Lab, who: &Person, slug: &str, name: &str, viewers: &str) -> String {
    let people = format!("payments-dev }}]\n    viewers: [{{ group: {viewers} }}]");
    let text = document(slug, true)
        .replace("displayName: Test", &format!("displayName: {name}"))
        .replace("payments-dev }]", &people);
    let file = lab.write(&format!("{name}-{viewers}.yaml"), &text);
    let request = who.submits(&file, "a row of the table", &[]).await.unwrap();
    lab.until(&request, "in_review").await;
    request
}

#[tokio::test]
async fn apr_06_votes_count_as_the_rule_in_force_says() {
    let private = PrivateLab::start().await;
    let lab = &private.lab;
    let provider = private.provider().await;
    let team = lab.new_team("quorum").await;
    lab.onboard(&team).await;
    let slug = &team.slug;
    let (owners, platform) = (format!("owners of {slug}"), "platform");
    // Sam is in both groups that vote.
    provider.set_member("payments-leads", "sam", true).await.unwrap();
    let (alice, bob, sue) =
        (lab.person("alice").await, lab.person("bob").await, lab.person("sue").await);
    let (sam, kim) = (lab.person("sam").await, lab.person("kim").await);
    let mut table = Table::default();
    let t = &mut table;

    // `high` of an editor: one owner and one of the platform, who are two people.
    let high = proposed(lab, &alice, slug, "one", "seen-1").await;
    t.vote("the submitter, in no group that votes", &alice, &high, &owners, OWN).await;
    t.vote("an owner for the platform's stage", &bob, &high, platform, NOT_IN_GROUP).await;
    t.vote("a platform member for the owners of high", &sue, &high, &owners, NOT_IN_GROUP).await;
    t.vote("a person in two groups, as owner", &sam, &high, &owners, COUNTED).await;
    t.vote("the same person, same stage", &sam, &high, &owners, TWICE).await;
    t.vote("the same person, the other stage", &sam, &high, platform, TWICE).await;
    t.ends("both stages by one person", lab, &high, "in_review").await;
    t.vote("a second person", &sue, &high, platform, COUNTED).await;
    t.ends("both stages by two people", lab, &high, "applied").await;

    // `normal` of an owner: a platform member stands in for an only owner.
    let normal = proposed(lab, &bob, slug, "two", "seen-1").await;
    t.vote("the submitter, an owner", &bob, &normal, &owners, OWN).await;
    t.vote("a platform member in place of another owner", &sue, &normal, &owners, COUNTED).await;
    t.ends("normal with one vote", lab, &normal, "applied").await;

    // Groups are as of the sign-in of the vote.
    let left = proposed(lab, &alice, slug, "two", "seen-2").await;
    t.vote("somebody about to leave the group", &kim, &left, platform, COUNTED).await;
    // A token without any group would be refused for that.
    provider.set_member("auditors", "kim", true).await.unwrap();
    provider.set_member("platform-sre", "kim", false).await.unwrap();
    t.vote("the other stage, after that", &bob, &left, &owners, COUNTED).await;
    t.ends("the vote of one who has left stands", lab, &left, "applied").await;
    let taken_back = proposed(lab, &alice, slug, "two", "seen-3").await;
    t.vote("a new vote of one who has left", &kim, &taken_back, platform, NOT_IN_GROUP).await;

    // Withdrawn by the submitter and nobody else, and then over.
    t.vote("an approval before the withdrawal", &bob, &taken_back, &owners, COUNTED).await;
    let others = sue.run(&["withdraw", &taken_back, "--yes", "--anyway"]).await.unwrap();
    let found = if others.code == 0 { COUNTED } else { "refused" };
    t.row("a withdrawal by somebody else", "refused", found);
    alice.does(&["withdraw", &taken_back, "--yes"]).await.unwrap();
    t.ends("approved by one, then withdrawn", lab, &taken_back, "withdrawn").await;
    t.vote("an approval after the withdrawal", &sue, &taken_back, platform, "is withdrawn").await;

    // A no ends it, whoever has agreed before or agrees after.
    let refused = proposed(lab, &alice, slug, "two", "seen-4").await;
    t.vote("an approval before the no", &bob, &refused, &owners, COUNTED).await;
    let no = alice.run(&["reject", &refused, "--yes", "--anyway"]).await.unwrap();
    let found = if no.code == 0 { COUNTED } else { "refused" };
    t.row("a no of somebody without a vote", "refused", found);
    sue.does(&["reject", &refused, "--yes"]).await.unwrap();
    t.ends("approved by one, then rejected", lab, &refused, "rejected").await;
    t.vote("an approval after the no", &sam, &refused, platform, "is rejected").await;
    t.ends("reject then approve", lab, &refused, "rejected").await;

    // The rule is raised while a request is in review.
    provider.set_member("platform-sre", "kim", true).await.unwrap();
    let pending = proposed(lab, &alice, slug, "two", "seen-5").await;
    t.vote("an approval under the old rule", &bob, &pending, &owners, COUNTED).await;
    let rules = "apiVersion: strongroom.dev/v1\nkind: Platform\nmetadata: { name: platform }\n\
                 spec:\n  approvals:\n    high: { owners: 1, platform: 2 }\n";
    let rules = lab.write("platform.yaml", rules);
    let raise = sue.submits(&rules, "two of us on high", &[]).await.unwrap();
    lab.until(&raise, "in_review").await;
    t.vote("the submitter, a platform member", &sue, &raise, platform, OWN).await;
    t.vote("one of two on critical", &sam, &raise, platform, COUNTED).await;
    t.vote("the same one again on critical", &sam, &raise, platform, TWICE).await;
    t.ends("critical with one person twice", lab, &raise, "in_review").await;
    t.vote("two of two on critical", &kim, &raise, platform, COUNTED).await;
    t.ends("critical with two people", lab, &raise, "applied").await;

    let start = Instant::now();
    let shown = loop {
        let shown = lab.request(&pending).await;
        if shown["round"] == 2 || start.elapsed() > Duration::from_mins(1) {
            break shown;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    t.row("frozen anew under the new rule", "round 2", &format!("round {}", shown["round"]));
    let why = shown["stateReason"].as_str().unwrap_or_default();
    let found = if why.contains("rules of who must sign have changed") { "told" } else { why };
    t.row("why votes are gone", "told", found);
    t.vote("one of two platform votes", &sue, &pending, platform, COUNTED).await;
    t.vote("the other platform vote", &kim, &pending, platform, COUNTED).await;
    t.ends("without the owner, whose vote is void", lab, &pending, "in_review").await;
    t.vote("the owner again", &bob, &pending, &owners, COUNTED).await;
    t.ends("as the raised rule says", lab, &pending, "applied").await;
    table.is_so();
    private.end().await;
}
