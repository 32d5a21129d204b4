//! How often somebody may ask, so that one runaway script makes nobody else wait.
//!
//! People and machines are counted wherever they come from, a team's machines together besides;
//! whoever is nobody is counted by address. It must not keep anything of whom it does not see again.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use strongroom_app::Ctx;
use strongroom_domain::name::TeamName;
use strongroom_domain::person::PersonId;

use crate::address::caller;
use crate::problem::Problem;
use crate::state::AppState;

/// After so many questions those are forgotten who have all of their calls again.
const SWEEP: u32 = 10_000;

/// Calls a minute. As many may come at once.
#[derive(Debug, Clone, Copy)]
pub struct CallsPerMinute {
    /// Of one person or machine.
    pub caller: NonZeroU32,
    /// Of all machines of one team.
    pub team: NonZeroU32,
    /// From one address, by whoever is nobody: sign-ins, and tokens that are none.
    pub nobody: NonZeroU32,
}

/// The calls that are left.
#[derive(Debug)]
pub struct Limits {
    callers: DefaultKeyedRateLimiter<PersonId>,
    teams: DefaultKeyedRateLimiter<TeamName>,
    addresses: DefaultKeyedRateLimiter<Option<IpAddr>>,
    proxies: Vec<IpNet>,
    asked: AtomicU32,
}

impl Limits {
    /// Everybody begins with all of their calls. What these proxies say of where a caller is counts.
    pub fn new(calls: CallsPerMinute, proxies: Vec<IpNet>) -> Self {
        Self {
            callers: RateLimiter::keyed(Quota::per_minute(calls.caller)),
            teams: RateLimiter::keyed(Quota::per_minute(calls.team)),
            addresses: RateLimiter::keyed(Quota::per_minute(calls.nobody)),
            proxies,
            asked: AtomicU32::new(0),
        }
    }

    /// Takes one call of whoever is known.
    pub(crate) fn take(&self, ctx: &Ctx) -> Result<(), Problem> {
        self.sweep();
        let now = DefaultClock::default().now();
        let person = &ctx.person.id;
        let taken = self.callers.check_key(person).map_err(|until| until.wait_time_from(now));
        let team = ctx.machine().and_then(|machine| machine.team.as_ref());
        let both = taken.and_then(|()| match team {
            Some(team) => self.teams.check_key(team).map_err(|until| until.wait_time_from(now)),
            None => Ok(()),
        });
        both.map_err(|wait| too_many(wait.as_secs() + 1))
    }

    /// Takes one call of nobody.
    pub(crate) fn take_nobody(&self, request: &Request) -> Result<(), Problem> {
        self.sweep();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|peer| caller(peer.0.ip(), request.headers(), &self.proxies));
        let address = address.map(place);
        let taken = self.addresses.check_key(&address);
        let now = DefaultClock::default().now();
        taken.map_err(|until| too_many(until.wait_time_from(now).as_secs() + 1))
    }

    fn sweep(&self) {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.callers.retain_recent();
            self.teams.retain_recent();
            self.addresses.retain_recent();
        }
    }
}

/// Whoever has one address of version 6 has all that share its first half.
fn place(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => {
            let [a, b, c, d, ..] = whole.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

fn too_many(seconds: u64) -> Problem {
    let detail = format!("too many calls; the next one is taken in {seconds} s");
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many",
        "Too many calls",
        detail,
        "wait as `Retry-After` says; `GET /api/v1/events` tells a program what is new in one call",
    )
    .retried_after(seconds)
}

/// Before every route that is open and is no plain read.
pub(crate) async fn limit_nobody(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    state.limits.take_nobody(&request)?;
    Ok(next.run(request).await)
}
