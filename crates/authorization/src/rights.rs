//! The table of rights.

use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in rules.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What somebody is: the first three everywhere, the others in one team.
    Role {
        /// In a platform group.
        Platform = "role:platform",
        /// In an auditor group and no platform group: sees everything, changes nothing.
        Auditor = "role:auditor",
        /// Anybody else who is signed in.
        Person = "role:person",
        /// In a group that the team's applied document names as owners.
        Owner = "role:owner",
        /// As editors.
        Editor = "role:editor",
        /// As viewers.
        Viewer = "role:viewer",
    }
}

words! {
    /// A kind of things.
    Resource {
        /// Sessions.
        Session = "session",
        /// Change requests, with their plans and acts.
        Request = "request",
        /// Applied documents of teams.
        TeamDocument = "team-document",
        /// Applied documents of clusters, and the platform's.
        PlatformDocument = "platform-document",
        /// Teams in lists.
        Team = "team",
        /// How a team's bindings stand.
        Binding = "binding",
        /// What a workload needs.
        Kit = "kit",
        /// Clusters in lists.
        Cluster = "cluster",
        /// Namespaces and accounts of a cluster.
        Inventory = "inventory",
        /// Who can reach what; of which teams is decided where it is read.
        Reach = "reach",
        /// The ledger.
        Event = "event",
        /// What is not as it should be.
        Finding = "finding",
        /// Acts that make something stand still.
        Suspension = "suspension",
    }
}

words! {
    /// What is done with it.
    Verb {
        /// Seeing one.
        Read = "read",
        /// Seeing those that one may see.
        List = "list",
        /// Seeing everybody's.
        ListAll = "list-all",
        /// Asking what it would do.
        Preview = "preview",
        /// Bringing a signed one in.
        Submit = "submit",
        /// Bringing in a signed act about one.
        Act = "act",
        /// Ending one's own.
        End = "end",
        /// Ending anybody's.
        EndAny = "end-any",
    }
}

/// One line of the table.
type Rule = (Role, Resource, &'static [Verb]);

/// Every right there is. Whose of a kind one sees is decided where they are read: a list shows what
/// its reader may see, and what is not theirs to see is not there.
pub const RULES: &[Rule] = {
    use Resource as R;
    use Role::{Auditor, Editor, Owner, Person, Platform, Viewer};
    use Verb as V;
    &[
        (Person, R::Session, &[V::Read, V::List, V::End]),
        (Person, R::Request, &[V::Read, V::List, V::Preview, V::Submit, V::Act]),
        (Person, R::Team, &[V::List]),
        (Person, R::Cluster, &[V::List]),
        (Person, R::Inventory, &[V::Read]),
        (Person, R::Reach, &[V::Read]),
        (Person, R::Event, &[V::List]),
        (Person, R::Finding, &[V::List]),
        (Person, R::Suspension, &[V::Read, V::Submit]),
        (Auditor, R::Session, &[V::Read, V::List, V::ListAll, V::End]),
        (Auditor, R::Request, &[V::Read, V::List, V::Preview]),
        (Auditor, R::TeamDocument, &[V::Read]),
        (Auditor, R::PlatformDocument, &[V::Read]),
        (Auditor, R::Team, &[V::List]),
        (Auditor, R::Binding, &[V::List]),
        (Auditor, R::Kit, &[V::Read]),
        (Auditor, R::Cluster, &[V::List]),
        (Auditor, R::Inventory, &[V::Read]),
        (Auditor, R::Reach, &[V::Read]),
        (Auditor, R::Event, &[V::List]),
        (Auditor, R::Finding, &[V::List]),
        (Auditor, R::Suspension, &[V::Read]),
        (Platform, R::Session, &[V::Read, V::List, V::ListAll, V::End, V::EndAny]),
        (Platform, R::Request, &[V::Read, V::List, V::Preview, V::Submit, V::Act]),
        (Platform, R::TeamDocument, &[V::Read]),
        (Platform, R::PlatformDocument, &[V::Read, V::Submit]),
        (Platform, R::Team, &[V::List]),
        (Platform, R::Binding, &[V::List]),
        (Platform, R::Kit, &[V::Read]),
        (Platform, R::Cluster, &[V::List]),
        (Platform, R::Inventory, &[V::Read]),
        (Platform, R::Reach, &[V::Read]),
        (Platform, R::Event, &[V::List]),
        (Platform, R::Finding, &[V::List]),
        (Platform, R::Suspension, &[V::Read, V::Submit]),
        (Owner, R::TeamDocument, &[V::Read]),
        (Owner, R::Binding, &[V::List]),
        (Owner, R::Kit, &[V::Read]),
        (Editor, R::TeamDocument, &[V::Read]),
        (Editor, R::Binding, &[V::List]),
        (Editor, R::Kit, &[V::Read]),
        (Viewer, R::TeamDocument, &[V::Read]),
        (Viewer, R::Binding, &[V::List]),
        (Viewer, R::Kit, &[V::Read]),
    ]
};
