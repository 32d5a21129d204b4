//! Bindings whose namespace is gone or was made anew: told once, taken back when that is over.
//!
//! Nothing is decided here: the look at the bindings suspends them, and only a request with
//! `--reattest` trusts a namespace again.

use strongroom_domain::document::team::{Binding, Holder};
use strongroom_domain::document::{Document, Team};
use strongroom_domain::subject::Subject;
use strongroom_storage::finding::{Finding, NAMESPACE};
use strongroom_vault_model::name::BindingName;
use strongroom_vault_model::policy::PolicyName;

use crate::error::ExecutorError;
use crate::finding::{Severity, finding};
use crate::start::Executor;

impl Executor {
    /// Tells why a binding's accounts are nowhere to be trusted, or that it is over.
    pub(crate) async fn namespace_tell(
        &mut self,
        team: &Team,
        binding: &Binding,
        name: &PolicyName,
        why: Option<&str>,
    ) -> Result<(), ExecutorError> {
        let (Some(why), Holder::Accounts { cluster, namespace, .. }) = (why, &binding.holder)
        else {
            return self.resolved(&format!("{NAMESPACE} {name}")).await;
        };
        let text =
            format!("the binding {} of {cluster}/{namespace} is suspended: {why}", binding.name);
        let next = format!(
            "find out who deleted the namespace; if the one that is there is right, \
             `strongroom get document team/{0} -o yaml | strongroom apply -f - --reattest \
             {cluster}/{namespace}`; otherwise take the binding out of the document",
            team.name
        );
        let mut found = finding(NAMESPACE, &name.to_string(), Severity::Warning, text, &next);
        found.subject = Some(Subject::Team(team.name.clone()).to_string());
        found.object = Some(name.to_string());
        self.found(found).await
    }

    /// Takes back what was told of bindings that are no more.
    pub(crate) async fn namespaces_settle(&mut self) -> Result<(), ExecutorError> {
        let told = self.findings.values().filter(|known| known.kind == NAMESPACE);
        let is_over = |known: &&Finding| {
            let object = known.object.as_ref();
            object.is_some_and(|name| !name.parse().is_ok_and(|name| self.is_bound(&name)))
        };
        let over: Vec<String> = told.filter(is_over).map(|known| known.key.clone()).collect();
        for key in over {
            self.resolved(&key).await?;
        }
        Ok(())
    }

    /// Whether the binding stands in its team's applied document, for accounts. What cannot be read
    /// stays told.
    fn is_bound(&self, name: &PolicyName) -> bool {
        let PolicyName::Binding(team, binding) = name else { return false };
        let subject = Subject::Team(team.clone());
        match self.heads.get(&subject).map(|head| head.document()) {
            None => self.unbelieved.contains_key(&subject),
            Some(Ok(None)) => false,
            Some(Ok(Some(Document::Team(team)))) => has(&team, binding),
            Some(_) => true,
        }
    }
}

fn has(team: &Team, binding: &BindingName) -> bool {
    let accounts = |each: &Binding| matches!(each.holder, Holder::Accounts { .. });
    team.bindings.iter().any(|each| each.name == *binding && accounts(each))
}
