//! Typed ids: one macro list, UUIDs throughout, so that an id of one kind cannot stand for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id that this UUID is.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, for storage.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::from_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// One deployment of Strongroom; a random id in the floor file, part of every signed act.
    DeploymentId;
    /// One engine cluster under this deployment.
    EngineId;
    /// One change request; a UUID v7 made and signed by the client.
    RequestId;
    /// One act as it was stored.
    ActId;
    /// One signed-in session of the API.
    SessionId;
    /// One sign-in that was begun and may be completed once.
    SignInId;
    /// One ledger event.
    EventId;
    /// One machine that may ask the API.
    MachineId;
}
