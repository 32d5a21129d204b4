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
    /// What somebody is: the last three in one team, the others everywhere.
    Role {
        /// In a platform group.
        Platform = "role:platform",
        /// In an auditor group and no platform group: sees everything, changes nothing.
        Auditor = "role:auditor",
        /// Anybody else who is signed in.
        Person = "role:person",
        /// A machine of one team that reads; in its team it is a viewer besides.
        Reader = "role:reader",
        /// One that proposes as well. No machine ever signs.
        Proposer = "role:proposer",
        /// A machine of the platform's that reads everything.
        WideReader = "role:wide-reader",
        /// One that proposes as well.
        WideProposer = "role:wide-proposer",
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
        /// Machines: API keys and service accounts that may ask.
        Machine = "machine",
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
        /// Checks that report from a cluster.
        Check = "check",
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
        /// How the deployment stands.
        Status = "status",
        /// People as of their sign-ins.
        Person = "person",
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
        /// Making one.
        Create = "create",
        /// Asking what it would do.
        Preview = "preview",
        /// Bringing a signed one in.
        Submit = "submit",
        /// Bringing in a signed act about one.
        Act = "act",
        /// Saying something about one.
        Comment = "comment",
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
    use Role::{
        Auditor, Editor, Owner, Person, Platform, Proposer, Reader, Viewer, WideProposer,
        WideReader,
    };
    use Verb as V;
    &[
        (Person, R::Session, &[V::Read, V::List, V::End]),
        (Person, R::Request, &[V::Read, V::List, V::Preview, V::Submit, V::Act, V::Comment]),
        (Person, R::Team, &[V::List]),
        (Person, R::Cluster, &[V::List]),
        (Person, R::Inventory, &[V::Read]),
        (Person, R::Reach, &[V::Read]),
        (Person, R::Event, &[V::List]),
        (Person, R::Finding, &[V::List]),
        (Person, R::Suspension, &[V::Read, V::Submit]),
        (Person, R::Machine, &[V::List]),
        (Auditor, R::Machine, &[V::List]),
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
        (Auditor, R::Status, &[V::Read]),
        (Auditor, R::Person, &[V::List]),
        (Platform, R::Session, &[V::Read, V::List, V::ListAll, V::End, V::EndAny]),
        (Platform, R::Request, &[V::Read, V::List, V::Preview, V::Submit, V::Act, V::Comment]),
        (Platform, R::TeamDocument, &[V::Read]),
        (Platform, R::PlatformDocument, &[V::Read, V::Submit]),
        (Platform, R::Team, &[V::List]),
        (Platform, R::Binding, &[V::List]),
        (Platform, R::Kit, &[V::Read]),
        (Platform, R::Check, &[V::Create]),
        (Platform, R::Cluster, &[V::List]),
        (Platform, R::Inventory, &[V::Read]),
        (Platform, R::Reach, &[V::Read]),
        (Platform, R::Event, &[V::List]),
        (Platform, R::Finding, &[V::List]),
        (Platform, R::Suspension, &[V::Read, V::Submit]),
        (Platform, R::Status, &[V::Read]),
        (Platform, R::Person, &[V::List]),
        (Platform, R::Machine, &[V::List, V::Create, V::End]),
        (Reader, R::Session, &[V::Read]),
        (Reader, R::Request, &[V::Read, V::List, V::Preview]),
        (Reader, R::Team, &[V::List]),
        (Reader, R::Cluster, &[V::List]),
        (Reader, R::Inventory, &[V::Read]),
        (Reader, R::Reach, &[V::Read]),
        (Reader, R::Event, &[V::List]),
        (Reader, R::Finding, &[V::List]),
        (Reader, R::Suspension, &[V::Read]),
        (Proposer, R::Session, &[V::Read]),
        (Proposer, R::Request, &[V::Read, V::List, V::Preview, V::Submit, V::Comment]),
        (Proposer, R::Team, &[V::List]),
        (Proposer, R::Cluster, &[V::List]),
        (Proposer, R::Inventory, &[V::Read]),
        (Proposer, R::Reach, &[V::Read]),
        (Proposer, R::Event, &[V::List]),
        (Proposer, R::Finding, &[V::List]),
        (Proposer, R::Suspension, &[V::Read]),
        (WideReader, R::Session, &[V::Read]),
        (WideReader, R::Machine, &[V::List]),
        (WideReader, R::Request, &[V::Read, V::List, V::Preview]),
        (WideReader, R::TeamDocument, &[V::Read]),
        (WideReader, R::PlatformDocument, &[V::Read]),
        (WideReader, R::Team, &[V::List]),
        (WideReader, R::Binding, &[V::List]),
        (WideReader, R::Kit, &[V::Read]),
        (WideReader, R::Cluster, &[V::List]),
        (WideReader, R::Inventory, &[V::Read]),
        (WideReader, R::Reach, &[V::Read]),
        (WideReader, R::Event, &[V::List]),
        (WideReader, R::Finding, &[V::List]),
        (WideReader, R::Suspension, &[V::Read]),
        (WideReader, R::Status, &[V::Read]),
        (WideReader, R::Person, &[V::List]),
        (WideProposer, R::Session, &[V::Read]),
        (WideProposer, R::Machine, &[V::List]),
        (WideProposer, R::Request, &[V::Read, V::List, V::Preview, V::Submit, V::Comment]),
        (WideProposer, R::TeamDocument, &[V::Read]),
        (WideProposer, R::PlatformDocument, &[V::Read, V::Submit]),
        (WideProposer, R::Team, &[V::List]),
        (WideProposer, R::Binding, &[V::List]),
        (WideProposer, R::Kit, &[V::Read]),
        (WideProposer, R::Cluster, &[V::List]),
        (WideProposer, R::Inventory, &[V::Read]),
        (WideProposer, R::Reach, &[V::Read]),
        (WideProposer, R::Event, &[V::List]),
        (WideProposer, R::Finding, &[V::List]),
        (WideProposer, R::Suspension, &[V::Read]),
        (WideProposer, R::Status, &[V::Read]),
        (WideProposer, R::Person, &[V::List]),
        (Owner, R::Machine, &[V::Create, V::End]),
        (Owner, R::TeamDocument, &[V::Read]),
        (Owner, R::Binding, &[V::List]),
        (Owner, R::Kit, &[V::Read]),
        (Owner, R::Check, &[V::Create]),
        (Editor, R::TeamDocument, &[V::Read]),
        (Editor, R::Binding, &[V::List]),
        (Editor, R::Kit, &[V::Read]),
        (Editor, R::Check, &[V::Create]),
        (Viewer, R::TeamDocument, &[V::Read]),
        (Viewer, R::Binding, &[V::List]),
        (Viewer, R::Kit, &[V::Read]),
        (Viewer, R::Check, &[V::Create]),
    ]
};
