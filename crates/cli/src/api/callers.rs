//! Who may ask: the own session, other ones, and machines.

use reqwest::Method;
use serde_json::Value;
use strongroom_domain::name::TeamName;

use super::types::{LiveSession, MachineMade, MachineView, Page, Session};
use super::{Api, refuse_problem};
use crate::failure::Failure;

impl Api {
    /// Who this session is of.
    pub async fn session(&self) -> Result<Session, Failure> {
        self.get("read the session", &["session"], &[]).await
    }

    /// Ends the session.
    pub async fn end_session(&self) -> Result<(), Failure> {
        self.delete("end the session", &["session"]).await
    }

    /// Live sessions: one's own, or everybody's.
    pub async fn sessions(&self, all: bool) -> Result<Vec<LiveSession>, Failure> {
        let query: &[_] = if all { &[("all", "true".to_owned())] } else { &[] };
        let page: Page<LiveSession> = self.get("list sessions", &["sessions"], query).await?;
        Ok(page.items)
    }

    /// Ends another session.
    pub async fn end_other_session(&self, id: &str) -> Result<(), Failure> {
        self.delete(&format!("end the session {id}"), &["sessions", id]).await
    }

    /// Live machines of the teams that one may see.
    pub async fn machines(&self) -> Result<Vec<MachineView>, Failure> {
        let page: Page<MachineView> = self.get("list machines", &["machines"], &[]).await?;
        Ok(page.items)
    }

    /// Makes a machine of a team, or of all.
    pub async fn create_machine(
        &self,
        team: Option<&TeamName>,
        body: &Value,
    ) -> Result<MachineMade, Failure> {
        let what = "make the machine";
        match team {
            Some(team) => self.post(what, &["teams", team.as_str(), "machines"], body).await,
            None => self.post(what, &["machines"], body).await,
        }
    }

    /// Ends a machine.
    pub async fn end_machine(&self, team: Option<&TeamName>, name: &str) -> Result<(), Failure> {
        let what = format!("end the machine {name}");
        let path = match team {
            Some(team) => vec!["teams", team.as_str(), "machines", name],
            None => vec!["machines", name],
        };
        self.delete(&what, &path).await
    }

    async fn delete(&self, what: &str, path: &[&str]) -> Result<(), Failure> {
        let answer = self.send(what, self.request(Method::DELETE, path, &[])).await?;
        refuse_problem(what, answer).await.map(drop)
    }
}
