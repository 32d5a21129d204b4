//! What does not change in a schedule: documents, people, rules, and the plans that the product's
//! own code makes of them. The same question gets the same answer, so answers are kept.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::{Value, json};
use strongroom_domain::Digest;
use strongroom_domain::document::{Document, Platform};
use strongroom_domain::name::GroupName;
use strongroom_domain::person::{PersonId, SignedPerson};
use strongroom_domain::subject::Subject;
use strongroom_plan::build::{LiveNamespaces, VotedDocuments, build_since_vote};
use strongroom_plan::desired::{accounts, desired};
use strongroom_plan::sharing::Sharing;
use strongroom_plan::stages::FloorVotes;
use strongroom_plan::{Change, Context, Draft, Holds, Observed, keys};
use strongroom_vault_model::object::{Fields, ObjectKey};
use strongroom_vault_model::policy::{Mark, PolicyName, parse};
use uuid::Uuid;

use crate::bits::Bits;

/// One of [`Scenery::documents`].
pub(crate) type Doc = usize;

/// One of the engine's places for an object.
pub(crate) type Key = usize;

/// One distinct content of an object; [`ABSENT`] is none.
pub(crate) type Content = u32;

/// Nothing is there.
pub(crate) const ABSENT: Content = 0;

/// Accounts by bit.
pub(crate) type Members = u16;

/// The subjects, in the order of their names.
pub(crate) const SUBJECTS: [&str; 3] = ["platform", "team/pay", "team/shop"];

/// Who there is, and the groups of their sign-ins.
const PEOPLE: [(&str, &[&str]); 7] = [
    ("alice", &["pay-leads"]),
    ("bob", &["pay-leads", "sre"]),
    ("carol", &["sre"]),
    ("dave", &["sre"]),
    ("erin", &["shop-leads"]),
    ("frank", &["shop-leads", "pay-heads"]),
    ("mallory", &["pay-dev"]),
];

/// Accounts of the pay team come first in its documents.
const ACCOUNTS: [&str; 4] =
    ["lab/pay-dev/api", "lab/pay-dev/worker", "lab/shop-dev/web", "lab/shop-dev/cron"];

/// A team with one mount, one namespace, its owners and some bindings.
fn team(name: &str, owners: &str, bindings: &str) -> String {
    format!(
        "apiVersion: strongroom.dev/v1\nkind: Team\nmetadata: {{ name: {name} }}\nspec:\n  \
         displayName: {name}\n  contact: {name}\n  people: {{ owners: [{owners}] }}\n  \
         mounts: [{{ name: kv, type: kv-v2 }}]\n  \
         namespaces: [{{ cluster: lab, name: {name}-dev, environment: development }}]\n  \
         bindings: [{bindings}]\n"
    )
}

fn binding(team: &str, name: &str, accounts: &str, path: &str, level: &str) -> String {
    format!(
        "{{ name: {name}, cluster: lab, namespace: {team}-dev, serviceAccounts: [{accounts}], \
         access: [{{ mount: kv, path: {path}, level: {level} }}] }}"
    )
}

/// The documents by subject; the first of each team is applied at the start.
fn texts() -> [Vec<String>; 3] {
    let rules = |normal: u32| {
        format!(
            "apiVersion: strongroom.dev/v1\nkind: Platform\nmetadata: {{ name: platform }}\nspec:\n  \
             approvals: {{ normal: {{ owners: 1, platform: {normal} }} }}\n"
        )
    };
    let (leads, heads) = ("{ group: pay-leads }", "{ group: pay-leads }, { group: pay-heads }");
    let api = |accounts: &str, level: &str| binding("pay", "api", accounts, "app/*", level);
    let pay = |owners: &str, bindings: &[String]| team("pay", owners, &bindings.join(", "));
    let jobs = binding("pay", "jobs", "worker", "jobs/*", "read");
    let shop = |bindings: &[String]| team("shop", "{ group: shop-leads }", &bindings.join(", "));
    let web = |accounts: &str| binding("shop", "web", accounts, "site/*", "read");
    [
        vec![rules(0), rules(1)],
        vec![
            pay(leads, &[api("api, worker", "read")]),
            pay(leads, &[api("api", "read")]),
            // One leaves, and the other gets more.
            pay(leads, &[api("api", "write")]),
            pay(heads, &[api("api, worker", "list"), jobs.clone()]),
            pay("{ group: pay-heads }", &[api("worker", "read"), jobs]),
        ],
        vec![shop(&[web("web")]), shop(&[web("web, cron")]), shop(&[])],
    ]
}

/// What a step does, in the small world's terms.
#[derive(Debug, Clone)]
pub(crate) struct Effect {
    pub(crate) key: Key,
    pub(crate) before: Content,
    pub(crate) after: Content,
    /// Who may stay a member of a group.
    pub(crate) may_stay: Members,
    /// Whether it is one.
    pub(crate) of_group: bool,
}

/// A draft and its steps as effects.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) draft: Draft,
    pub(crate) effects: Vec<Effect>,
}

/// One document that is to replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Wish {
    pub(crate) base: Option<Doc>,
    pub(crate) proposed: Doc,
    pub(crate) voted: Option<Doc>,
}

#[derive(PartialEq, Eq, Hash)]
struct Question {
    wishes: Vec<Wish>,
    rules: Option<Doc>,
    submitter: usize,
    observed: Vec<(Key, Content)>,
}

/// Contents by number, with what a policy of each allows.
#[derive(Debug)]
struct Interned {
    numbers: HashMap<String, Content>,
    contents: Vec<Option<Fields>>,
    rights: Vec<Bits>,
    people: Vec<Rc<[usize]>>,
}

type Answers = HashMap<Question, Result<Rc<Made>, String>>;

/// The small world as far as it never changes.
pub struct Scenery {
    pub(crate) documents: Vec<Document>,
    pub(crate) document_hashes: Vec<Digest>,
    /// Hashes of small numbers.
    pub(crate) number_hashes: Vec<Digest>,
    pub(crate) no_rules: Digest,
    /// Documents by subject.
    pub(crate) of_subject: [Vec<Doc>; 3],
    pub(crate) subjects: [Subject; 3],
    pub(crate) people: Vec<SignedPerson>,
    pub(crate) keys: Vec<ObjectKey>,
    /// What each document gives to each holder: accounts first, then people's groups.
    pub(crate) gives: Vec<Vec<Bits>>,
    /// By key: contents that a hand may put there.
    pub(crate) by_hand: Vec<Vec<Content>>,
    /// The group of a policy's key, if the key is one.
    pub(crate) groups: Vec<(Key, Key)>,
    /// The engine at the start.
    pub(crate) start: Vec<(Key, Content)>,
    /// By document: its policies.
    policies: Vec<BTreeMap<Key, Content>>,
    right_names: Vec<(String, String)>,
    context: Context,
    interned: RefCell<Interned>,
    answers: RefCell<Answers>,
    relevant: RefCell<HashMap<Vec<Wish>, Rc<Vec<Key>>>>,
}

fn name<T: std::str::FromStr>(text: &str) -> T {
    let Ok(name) = text.parse() else { panic!("{text} is a name of the small world") };
    name
}

fn document(text: &str) -> Document {
    let mut documents = Document::from_yaml(text)
        .unwrap_or_else(|faults| panic!("a document of the small world: {faults:#?}"));
    documents.remove(0)
}

fn context() -> Context {
    let cluster = document(
        "apiVersion: strongroom.dev/v1\nkind: Cluster\nmetadata: { name: lab }\nspec:\n  \
         server: https://lab.example.com:6443\n  ca: |\n    -----BEGIN CERTIFICATE-----\n    \
         AAAA\n    -----END CERTIFICATE-----\n  auth: { method: kubernetes }\n  \
         audience: strongroom\n  credentials: lab\n",
    );
    let Document::Cluster(cluster) = cluster else { panic!("it is a cluster") };
    Context {
        mark: Mark::new(Uuid::from_u128(1)),
        platform: Platform::default(),
        platform_groups: [name::<GroupName>("sre")].into(),
        floor_votes: FloorVotes { high_platform: 1, critical_people: 2 },
        floor_token_ttl: 86_400,
        today: jiff::civil::Date::constant(2026, 11, 23),
        policies_expire: true,
        clusters: [(cluster.name.clone(), *cluster)].into(),
        holds: Holds::default(),
        sharing: Sharing::default(),
        taken_out: BTreeSet::new(),
    }
}

fn person((name, groups): (&str, &[&str])) -> SignedPerson {
    SignedPerson {
        id: PersonId { issuer: "https://idp".into(), person: name.into() },
        display: name.into(),
        groups: groups.iter().map(ToString::to_string).collect(),
    }
}

/// Who is a member is no part of a content.
fn bare(key: &ObjectKey, fields: &Fields) -> Fields {
    let mut fields = fields.clone();
    if matches!(key, ObjectKey::Group(_)) {
        fields.insert("accounts".to_owned(), json!([]));
    }
    fields
}

fn texts_of<'f>(fields: &'f Fields, field: &str) -> impl Iterator<Item = &'f str> {
    fields.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn members_of(fields: &Fields) -> Members {
    let mut members = 0;
    for account in texts_of(fields, "accounts") {
        let place = ACCOUNTS.iter().position(|each| *each == account);
        members |= 1 << place.unwrap_or_else(|| panic!("{account} is an account of the world"));
    }
    members
}

impl Default for Scenery {
    fn default() -> Self {
        Self::new()
    }
}

impl Scenery {
    /// Makes the documents, and what each of them stands for in the engine.
    pub fn new() -> Self {
        let mut documents = Vec::new();
        let of_subject = texts().map(|texts| {
            texts.iter().map(|text| documents.push(document(text))).for_each(drop);
            (documents.len() - texts.len()..documents.len()).collect::<Vec<Doc>>()
        });
        let context = context();
        let none = BTreeSet::new();
        let objects: Vec<BTreeMap<ObjectKey, Fields>> = documents
            .iter()
            .map(|document| {
                desired(&context, document, &none)
                    .unwrap_or_else(|error| panic!("a document of the small world: {error}"))
            })
            .collect();
        let keys: BTreeSet<ObjectKey> =
            objects.iter().flat_map(|each| each.keys().cloned()).collect();
        let interned = Interned {
            numbers: HashMap::new(),
            contents: vec![None],
            rights: vec![Bits::default()],
            people: vec![Rc::new([])],
        };
        let number = |number: usize| Digest::of(&number.to_be_bytes());
        let mut scenery = Self {
            document_hashes: documents.iter().map(Document::digest).collect(),
            number_hashes: (0..8).map(number).collect(),
            no_rules: number(usize::MAX),
            documents,
            of_subject,
            subjects: SUBJECTS.map(name),
            people: PEOPLE.into_iter().map(person).collect(),
            keys: keys.into_iter().collect(),
            gives: Vec::new(),
            by_hand: Vec::new(),
            groups: Vec::new(),
            start: Vec::new(),
            policies: Vec::new(),
            right_names: right_names(&objects),
            context,
            interned: RefCell::new(interned),
            answers: RefCell::default(),
            relevant: RefCell::default(),
        };
        scenery.groups = scenery.groups_by_policy();
        scenery.gives = objects.iter().map(|objects| scenery.given_by(objects)).collect();
        let policies = |objects: &BTreeMap<ObjectKey, Fields>| {
            let is_policy = |key: &ObjectKey| matches!(key, ObjectKey::Policy(_));
            let policies = objects.iter().filter(|(key, _)| is_policy(key));
            policies.map(|(k, f)| (scenery.key(k), scenery.content(k, Some(f)))).collect()
        };
        scenery.policies = objects.iter().map(policies).collect();
        scenery.by_hand = scenery.contents_by_key(&objects);
        let first = [scenery.of_subject[1][0], scenery.of_subject[2][0]];
        for doc in first {
            for (key, fields) in &objects[doc] {
                scenery.start.push((scenery.key(key), scenery.content(key, Some(fields))));
            }
        }
        scenery
    }

    /// The number of a holder's kind: accounts, then groups of people.
    pub(crate) fn holder_count(&self) -> usize {
        self.gives.first().map_or(0, Vec::len)
    }

    fn people_groups() -> Vec<&'static str> {
        let groups: BTreeSet<&str> =
            PEOPLE.iter().flat_map(|(_, groups)| groups.iter().copied()).collect();
        groups.into_iter().collect()
    }

    /// The holder's name, for a sentence.
    pub(crate) fn holder(holder: usize) -> String {
        match ACCOUNTS.get(holder) {
            Some(account) => format!("account {account}"),
            None => format!("group {}", Self::people_groups()[holder - ACCOUNTS.len()]),
        }
    }

    pub(crate) fn right(&self, bit: usize) -> String {
        let (path, word) = &self.right_names[bit];
        format!("{word} on {path}")
    }

    pub(crate) fn key(&self, key: &ObjectKey) -> Key {
        let place = self.keys.binary_search(key);
        place.unwrap_or_else(|_| panic!("{key} is an object of the small world"))
    }

    fn groups_by_policy(&self) -> Vec<(Key, Key)> {
        let mut pairs = Vec::new();
        for (group, key) in self.keys.iter().enumerate() {
            if let ObjectKey::Group(name) = key {
                pairs.push((self.key(&ObjectKey::Policy(name.clone())), group));
            }
        }
        pairs
    }

    /// The number of a content; the same for the same fields.
    pub(crate) fn content(&self, key: &ObjectKey, fields: Option<&Fields>) -> Content {
        let Some(fields) = fields else {
            return ABSENT;
        };
        let fields = bare(key, fields);
        let text = serde_json::to_string(&fields).expect("fields are text, numbers and lists");
        let mut interned = self.interned.borrow_mut();
        if let Some(number) = interned.numbers.get(&text) {
            return *number;
        }
        let number = Content::try_from(interned.contents.len()).expect("contents are few");
        let rights = match key {
            ObjectKey::Policy(_) => self.rights_of(&fields),
            _ => Bits::default(),
        };
        interned.people.push(people_of(&fields).into());
        interned.numbers.insert(text, number);
        interned.contents.push(Some(fields));
        interned.rights.push(rights);
        number
    }

    /// The fields of a content.
    pub(crate) fn fields(&self, content: Content) -> Option<Fields> {
        self.interned.borrow().contents[content as usize].clone()
    }

    /// What a policy of this content allows.
    pub(crate) fn rights(&self, content: Content) -> Bits {
        self.interned.borrow().rights[content as usize]
    }

    /// Groups of people that are members of a group of this content, by holder.
    pub(crate) fn people_in(&self, content: Content) -> Rc<[usize]> {
        self.interned.borrow().people[content as usize].clone()
    }

    fn rights_of(&self, fields: &Fields) -> Bits {
        let text = fields.get("policy").and_then(Value::as_str).unwrap_or_default();
        let rules = parse(text).unwrap_or_else(|error| panic!("a policy of the world: {error}"));
        let mut bits = Bits::default();
        for (place, (path, word)) in self.right_names.iter().enumerate() {
            let allows = |(rule, words): (&String, &BTreeSet<String>)| {
                let meets = match rule.strip_suffix('*') {
                    Some(prefix) => path.starts_with(prefix),
                    None => rule == path,
                };
                meets && words.contains(word)
            };
            if rules.iter().any(allows) {
                bits.set(place);
            }
        }
        bits
    }

    fn given_by(&self, objects: &BTreeMap<ObjectKey, Fields>) -> Vec<Bits> {
        let mut given = vec![Bits::default(); ACCOUNTS.len() + Self::people_groups().len()];
        for (key, fields) in objects {
            let ObjectKey::Group(name) = key else {
                continue;
            };
            let policy = objects.get(&ObjectKey::Policy(name.clone()));
            let rights = policy.map(|fields| self.rights_of(fields)).unwrap_or_default();
            let members = members_of(fields);
            for (holder, bits) in given.iter_mut().enumerate() {
                if holder < ACCOUNTS.len() && members & (1 << holder) != 0 {
                    *bits |= rights;
                }
            }
            for holder in people_of(fields) {
                given[holder] |= rights;
            }
        }
        given
    }

    fn contents_by_key(&self, objects: &[BTreeMap<ObjectKey, Fields>]) -> Vec<Vec<Content>> {
        let contents = |key: &ObjectKey| {
            let mut contents = vec![ABSENT];
            // A policy may be turned into another of its contents; anything else is only taken
            // away, so that what a hand gives is known.
            if matches!(key, ObjectKey::Policy(_)) {
                let all = objects.iter().filter_map(|objects| objects.get(key));
                contents.extend(all.map(|fields| self.content(key, Some(fields))));
            }
            contents.sort_unstable();
            contents.dedup();
            contents
        };
        self.keys
            .iter()
            .map(|key| match key {
                ObjectKey::Policy(PolicyName::Binding(..)) | ObjectKey::Group(_) => contents(key),
                _ => Vec::new(),
            })
            .collect()
    }

    /// The accounts that a document names for the group at this key.
    pub(crate) fn named(&self, doc: Doc, group: Key) -> Members {
        let (Document::Team(team), ObjectKey::Group(PolicyName::Binding(of, binding))) =
            (&self.documents[doc], &self.keys[group])
        else {
            return 0;
        };
        if team.name != *of {
            return 0;
        }
        let Some(binding) = team.bindings.iter().find(|each| each.name == *binding) else {
            return 0;
        };
        let mut members = 0;
        for account in accounts(binding) {
            let text = account.to_string();
            members |= 1 << ACCOUNTS.iter().position(|each| *each == text).unwrap_or(15);
        }
        members
    }

    /// What a document says of a policy.
    pub(crate) fn policy_of(&self, doc: Doc, policy: Key) -> Content {
        self.policies[doc].get(&policy).copied().unwrap_or(ABSENT)
    }

    fn change(&self, wish: Wish) -> Change {
        let uid = |doc: Doc| match &self.documents[doc] {
            Document::Team(team) => live(team),
            _ => BTreeMap::new(),
        };
        Change {
            base: wish.base.map(|doc| self.documents[doc].clone()),
            proposed: self.documents[wish.proposed].clone(),
            base_pins: wish.base.map(uid).unwrap_or_default(),
        }
    }

    /// The places to look at before anything can be planned.
    pub(crate) fn relevant(&self, wishes: &[Wish]) -> Rc<Vec<Key>> {
        if let Some(known) = self.relevant.borrow().get(wishes) {
            return known.clone();
        }
        let changes: Vec<Change> = wishes.iter().map(|wish| self.change(*wish)).collect();
        let keys = keys(&self.context, &changes)
            .unwrap_or_else(|refusal| panic!("documents of the small world: {refusal}"));
        let keys = Rc::new(keys.iter().map(|key| self.key(key)).collect::<Vec<Key>>());
        self.relevant.borrow_mut().insert(wishes.to_vec(), keys.clone());
        keys
    }

    /// The rules in force under a Platform document.
    pub(crate) fn context(&self, rules: Option<Doc>) -> Context {
        let mut context = self.context.clone();
        if let Some(Document::Platform(platform)) = rules.map(|doc| &self.documents[doc]) {
            context.platform = (**platform).clone();
        }
        context
    }

    /// The product's own plan of these wishes over what was observed.
    pub(crate) fn build(
        &self,
        wishes: &[Wish],
        rules: Option<Doc>,
        submitter: usize,
        observed: Vec<(Key, Content)>,
    ) -> Result<Rc<Made>, String> {
        let question = Question { wishes: wishes.to_vec(), rules, submitter, observed };
        if let Some(known) = self.answers.borrow().get(&question) {
            return known.clone();
        }
        let made = self.build_anew(&question);
        let mut answers = self.answers.borrow_mut();
        if answers.len() > 20_000 {
            answers.clear();
        }
        answers.insert(question, made.clone());
        made
    }

    fn build_anew(&self, question: &Question) -> Result<Rc<Made>, String> {
        let wishes = &question.wishes;
        let changes: Vec<Change> = wishes.iter().map(|wish| self.change(*wish)).collect();
        let voted: VotedDocuments = wishes
            .iter()
            .filter_map(|wish| wish.voted.map(|doc| self.documents[doc].clone()))
            .map(|document| (document.subject(), document))
            .collect();
        let observed: Observed = question
            .observed
            .iter()
            .map(|(key, content)| (self.keys[*key].clone(), self.fields(*content)))
            .collect();
        let mut all = LiveNamespaces::new();
        for change in &changes {
            if let Document::Team(team) = &change.proposed {
                all.extend(live(team).into_iter().map(|(place, uid)| (place, Some(uid))));
            }
        }
        let context = self.context(question.rules);
        let groups = &self.people[question.submitter].groups;
        let draft = build_since_vote(&context, &changes, &voted, &observed, &all, &[], groups)
            .map_err(|refusals| {
                refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            })?;
        let effect = |step: &strongroom_plan::model::Step| Effect {
            key: self.key(&step.object),
            before: self.content(&step.object, step.before.as_ref()),
            after: self.content(&step.object, step.after.as_ref()),
            may_stay: step.after.as_ref().map_or(0, members_of),
            of_group: matches!(step.object, ObjectKey::Group(_)),
        };
        let effects = draft.steps.iter().map(effect).collect();
        Ok(Rc::new(Made { draft, effects }))
    }
}

fn live(team: &strongroom_domain::document::Team) -> BTreeMap<String, String> {
    let uid = Uuid::from_u128(3).to_string();
    team.namespaces
        .iter()
        .map(|claim| (format!("{}/{}", claim.cluster, claim.name), uid.clone()))
        .collect()
}

/// The holders that a group's anchors stand for.
fn people_of(fields: &Fields) -> Vec<usize> {
    use strongroom_vault_model::object::AnchorName;
    let anchors: Vec<&str> = texts_of(fields, "anchors").collect();
    Scenery::people_groups()
        .into_iter()
        .enumerate()
        .filter(|(_, group)| anchors.contains(&AnchorName::of(&name(group)).as_str()))
        .map(|(place, _)| ACCOUNTS.len() + place)
        .collect()
}

/// Every request path and capability that any policy of the small world tells apart.
fn right_names(objects: &[BTreeMap<ObjectKey, Fields>]) -> Vec<(String, String)> {
    let mut paths = BTreeSet::new();
    let mut words = BTreeSet::new();
    for (key, fields) in objects.iter().flatten() {
        if let ObjectKey::Policy(_) = key {
            let text = fields.get("policy").and_then(Value::as_str).unwrap_or_default();
            for (path, granted) in parse(text).unwrap_or_default() {
                paths.insert(path.replace('*', "x"));
                words.extend(granted);
            }
        }
    }
    let names: Vec<(String, String)> = paths
        .iter()
        .flat_map(|path| words.iter().map(|word| (path.clone(), word.clone())))
        .collect();
    assert!(names.len() <= Bits::COUNT, "{} rights do not fit", names.len());
    names
}
