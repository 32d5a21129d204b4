//! The `Platform` document: who must sign what, ceilings, reserved names.
//!
//! The floor file of the executor stands above it: what the floor demands cannot be waived here.

use serde_json::{Value, json};
use strongroom_vault_model::name::TeamName;

use super::duration::Seconds;
use super::reader::Field;
use crate::risk::Risk;

/// The rules of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Who must sign, per risk.
    pub approvals: Approvals,
    /// The longest life of a workload's token.
    pub token_ttl_ceiling: Seconds,
    /// Team names that may not be taken.
    pub reserved_names: Vec<TeamName>,
}

/// Votes of people other than the submitter, per risk. An owner's submission fills one owner's
/// vote of `high`, and all of a narrowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// For `low` that is more than narrowing one's own. Nobody at all: then an owner's own
    /// submission is enough, and anybody else's still needs one vote.
    pub low: Votes,
    /// For `normal`.
    pub normal: Votes,
    /// For `high`.
    pub high: Votes,
    /// For `critical`.
    pub critical: Votes,
}

/// How many of whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Votes {
    /// Owners of the team.
    pub owners: u32,
    /// Members of the platform groups.
    pub platform: u32,
}

impl Default for Platform {
    /// The rules in force until a Platform document says otherwise (design section 5).
    fn default() -> Self {
        Self {
            approvals: Approvals {
                low: Votes { owners: 1, platform: 0 },
                normal: Votes { owners: 1, platform: 0 },
                high: Votes { owners: 1, platform: 1 },
                critical: Votes { owners: 0, platform: 2 },
            },
            token_ttl_ceiling: Seconds::new(3600).expect("an hour is in range"),
            reserved_names: Vec::new(),
        }
    }
}

impl Platform {
    /// The votes that this risk needs.
    pub fn votes(&self, risk: Risk) -> Votes {
        match risk {
            Risk::Low => self.approvals.low,
            Risk::Normal => self.approvals.normal,
            Risk::High => self.approvals.high,
            Risk::Critical => self.approvals.critical,
        }
    }

    pub(super) fn spec_value(&self) -> Value {
        let votes = |v: Votes| json!({ "owners": v.owners, "platform": v.platform });
        json!({
            "approvals": {
                "low": votes(self.approvals.low),
                "normal": votes(self.approvals.normal),
                "high": votes(self.approvals.high),
                "critical": votes(self.approvals.critical),
            },
            "ceilings": { "tokenTtl": self.token_ttl_ceiling.to_string() },
            "reservedNames": self.reserved_names,
        })
    }
}

pub(super) fn decode(name: &Field<'_>, spec: &Field<'_>) -> Option<Platform> {
    if name.text(1, 32).is_some_and(|name| name != "platform") {
        name.fault("there is one Platform document and its name is `platform`");
    }
    let default = Platform::default();
    let map = spec.map(&["approvals", "ceilings", "reservedNames"])?;
    let approvals = map.or("approvals", default.approvals.clone(), |f| {
        let map = f.map(&["low", "normal", "high", "critical"])?;
        let votes = |key, default, least| map.or(key, default, |f| decode_votes(&f, least));
        let (low, normal, high, critical) = (
            votes("low", default.approvals.low, 0),
            votes("normal", default.approvals.normal, 1),
            votes("high", default.approvals.high, 1),
            votes("critical", default.approvals.critical, 1),
        );
        Some(Approvals { low: low?, normal: normal?, high: high?, critical: critical? })
    });
    let token_ttl_ceiling = map.or("ceilings", default.token_ttl_ceiling, |f| {
        f.map(&["tokenTtl"])?.or("tokenTtl", default.token_ttl_ceiling, |f| f.parse())
    });
    let reserved_names = map.or("reservedNames", Vec::new(), |f| f.each(Field::parse));
    Some(Platform {
        approvals: approvals?,
        token_ttl_ceiling: token_ttl_ceiling?,
        reserved_names: reserved_names?,
    })
}

fn decode_votes(field: &Field<'_>, least: u32) -> Option<Votes> {
    let map = field.map(&["owners", "platform"])?;
    let count = |key| map.or(key, 0, |f| u32::try_from(f.integer(0, 9)?).ok());
    let (owners, platform) = (count("owners"), count("platform"));
    let votes = Votes { owners: owners?, platform: platform? };
    if votes.owners + votes.platform < least {
        field.fault("at least one person must sign: set owners or platform to 1 or more");
        return None;
    }
    Some(votes)
}
