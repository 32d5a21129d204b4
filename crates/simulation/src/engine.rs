//! The engine: objects that any write overwrites, and heads behind check-and-set.

use std::collections::BTreeSet;

use strongroom_domain::head::Head;

use crate::database::RequestNumber;
use crate::scenery::{ABSENT, Content, Key, Members, Scenery};

/// One object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Object {
    pub(crate) content: Content,
    /// Accounts that are in a group right now.
    pub(crate) members: Members,
}

/// A head as it is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) head: Option<Head>,
    pub(crate) version: u64,
}

/// Everything the engine holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Engine {
    pub(crate) objects: Vec<Object>,
    /// One per subject.
    pub(crate) heads: [Stored; 3],
    /// Requests that have failed or were said no to, whatever their rows say: they stand beside the heads.
    pub(crate) ended: BTreeSet<RequestNumber>,
}

/// One write on its way.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// A step of a plan: content, and who of the members may stay.
    Step { plan: usize, place: usize, key: Key, after: Content, may_stay: Members },
    /// A standing order: who is in a group.
    Members { key: Key, members: Members },
    /// A head; with the version it must have now, if that is looked at.
    Head { subject: usize, head: Box<Head>, version: Option<u64> },
}

impl Write {
    /// Whether it is a head's.
    pub(crate) fn is_head(&self) -> bool {
        matches!(self, Self::Head { .. })
    }
}

/// What stood where a write lands.
#[derive(Debug)]
pub(crate) enum Old {
    Object(Object),
    Head(Option<Box<Head>>),
}

impl Engine {
    pub(crate) fn new(scenery: &Scenery) -> Self {
        let mut objects = vec![Object::default(); scenery.keys.len()];
        for (key, content) in &scenery.start {
            objects[*key].content = *content;
        }
        Self { objects, ..Self::default() }
    }

    /// What stands where this write will land.
    pub(crate) fn old(&self, write: &Write) -> Old {
        match write {
            Write::Step { key, .. } | Write::Members { key, .. } => Old::Object(self.objects[*key]),
            Write::Head { subject, .. } => {
                Old::Head(self.heads[*subject].head.clone().map(Box::new))
            }
        }
    }

    /// Does a write. `Err` is a failed check-and-set: nothing was written.
    pub(crate) fn land(&mut self, write: &Write) -> Result<(), ()> {
        match write {
            Write::Step { key, after, may_stay, .. } => {
                let object = &mut self.objects[*key];
                object.content = *after;
                object.members &= if *after == ABSENT { 0 } else { *may_stay };
                Ok(())
            }
            Write::Members { key, members } => {
                let object = &mut self.objects[*key];
                // A group that is not there is not made this way.
                if object.content != ABSENT {
                    object.members = *members;
                }
                Ok(())
            }
            Write::Head { subject, head, version } => {
                let stored = &mut self.heads[*subject];
                if version.is_some_and(|version| version != stored.version) {
                    return Err(());
                }
                stored.version += 1;
                stored.head = Some((**head).clone());
                Ok(())
            }
        }
    }
}
