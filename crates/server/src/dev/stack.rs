//! The parts and processes of one development stack.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use strongroom_engine::Session;
use strongroom_lab::process::remembered_port;
use strongroom_lab::{Engine, EngineOptions, Kubernetes, Parts, Person, Postgres, Provider};
use tokio::sync::Mutex;

use super::administrator::{Administrator, PASSWORD_FILE};
use super::children::{Children, shift_clock};
use super::people::{PASSWORD, PEOPLE, provider_options};
use super::setup;
use super::teller::Teller;

/// Namespaces and service accounts of the cluster `prod-eu`.
const ACCOUNTS: &[(&str, &[&str])] =
    &[("payments-prod", &["api", "batch"]), ("orders-prod", &["api"])];

/// Everything that runs.
#[derive(Debug)]
pub struct Stack {
    dir: PathBuf,
    server: String,
    postgres: Postgres,
    provider: Provider,
    kubernetes: Kubernetes,
    engine: Engine,
    administrator: Option<Administrator>,
    bao: PathBuf,
    children: Mutex<Children>,
}

impl Stack {
    /// Starts parts and processes on `dir`.
    pub async fn start(dir: &Path, teller: &mut Teller) -> Result<Self> {
        let parts = Parts::find()?;
        Teller::say(&format!("Strongroom on real parts, data in {}", dir.display()));
        let options = provider_options();
        let (postgres, provider, kubernetes) = teller
            .step("Postgres, the OIDC provider and a Kubernetes API are up", async {
                let [postgres, provider, kubernetes] =
                    ["postgres", "provider", "kubernetes"].map(|part| dir.join(part));
                let (postgres, provider, kubernetes) = tokio::try_join!(
                    Postgres::start(&parts, &postgres, true),
                    Provider::start(&parts, &provider, &options),
                    Kubernetes::start(&parts, &kubernetes),
                )?;
                Ok(((postgres, provider, kubernetes), String::new()))
            })
            .await?;
        let administrator = Administrator::of(dir)?;
        let engine = teller
            .step("the engine (OpenBao, raft, TLS, two audit devices) has set itself up", async {
                let mut initialize = setup::engine_initialization(dir, &provider)?;
                initialize.extend(administrator.iter().flat_map(Administrator::requests));
                let options = EngineOptions { initialize, ..EngineOptions::default() };
                let engine = Engine::start(&parts, &dir.join("engine"), options).await?;
                Ok((engine, "no root token was ever seen".to_owned()))
            })
            .await?;
        let port = remembered_port(dir, "serve", IpAddr::V4(Ipv4Addr::LOCALHOST))?;
        let server = format!("http://127.0.0.1:{port}");
        let children = teller
            .step("strongroom serve and strongroom execute are up", async {
                let api = kubernetes.api();
                for (namespace, accounts) in ACCOUNTS {
                    // Only at the first start: the story deletes and makes them anew.
                    if !dir.join("story.told").is_file() {
                        api.create_namespace(namespace).await?;
                        for account in *accounts {
                            api.create_service_account(namespace, account).await?;
                        }
                    }
                }
                setup::database(dir, &postgres).await.context("set up the database")?;
                let listen = format!("127.0.0.1:{port}");
                setup::configuration(dir, &listen, &engine, &provider, api).await?;
                Ok((Children::start(dir, &server).await?, String::new()))
            })
            .await?;
        let children = Mutex::new(children);
        Ok(Self {
            dir: dir.to_owned(),
            server,
            postgres,
            provider,
            kubernetes,
            engine,
            administrator,
            bao: parts.bao,
            children,
        })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine's administrator.
    pub fn administrator(&self) -> Result<&Administrator> {
        self.administrator.as_ref().context("this engine was set up without an administrator")
    }

    /// The engine's administrator, logged in.
    pub async fn administer(&self) -> Result<Session> {
        self.administrator()?.log_in(&self.engine).await.context("the administrator logs in")
    }

    /// Runs something while the executor stands still.
    pub async fn while_paused<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.children.lock().await.pause_executor()?;
        let done = work.await;
        self.children.lock().await.resume_executor()?;
        done
    }

    /// Runs something while the executor's clock is so many seconds ahead.
    pub async fn while_ahead<T>(
        &self,
        seconds: i64,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        shift_clock(&self.dir, seconds)?;
        let done = work.await;
        shift_clock(&self.dir, 0)?;
        done
    }

    /// The cluster.
    pub fn kubernetes(&self) -> &Kubernetes {
        &self.kubernetes
    }

    /// The database server.
    pub fn postgres(&self) -> &Postgres {
        &self.postgres
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// A person at a terminal.
    pub fn person(&self, name: &str) -> Result<Person> {
        Person::new(&program()?, name, &self.dir, &self.server)
    }

    /// The API.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What a person who tries it needs to know.
    pub fn describe(&self) -> String {
        let people: Vec<String> =
            PEOPLE.iter().map(|(name, groups)| format!("{name} ({})", groups.join(", "))).collect();
        format!(
            "\nStrongroom is up. Ctrl-C ends everything; the data stays.\n\
             \n  API        {server}\
             \n  engine     {engine}   (CA: {dir}/engine/ca.pem)\
             \n  provider   {provider}   sign-in page: {address}/ui\
             \n  cluster    {cluster}   (kubeconfig: {dir}/kubernetes/kubeconfig)\
             \n  logs       {dir}/serve.log, {dir}/execute.log\
             \n\n  people     {people}\
             \n  password   {PASSWORD}\
             \n\nTry it in another terminal:\
             \n  export STRONGROOM_SERVER={server}\
             \n  export STRONGROOM_CONTEXT=/tmp/bob.json   # one a person\
             \n  export BROWSER='{program} dev-browser --user bob'   # or your own browser\
             \n  {program} login\
             \n  {program} get teams\
             \n  {program} get bindings -o wide\
             \n  {program} get document team/payments -o yaml\
             \n  {program} get events --subject team/payments\n{by_hand}",
            server = self.server,
            engine = self.engine.address(),
            provider = self.provider.issuer(),
            address = self.provider.address(),
            cluster = self.kubernetes.api().server(),
            dir = self.dir.display(),
            people = people.join(", "),
            program = std::env::current_exe().unwrap_or_default().display(),
            by_hand = self.describe_by_hand(),
        )
    }

    /// How to change something behind Strongroom's back, and see it found.
    fn describe_by_hand(&self) -> String {
        if self.administrator.is_none() {
            return String::new();
        }
        format!(
            "\nOr change something by hand, as an administrator of the engine whom only this sandbox \
             has:\
             \n  export BAO_ADDR={engine} BAO_CACERT={dir}/engine/ca.pem\
             \n  {bao} login -method=userpass -path=lab username=admin \
             password=$(cat {dir}/{PASSWORD_FILE})\
             \n  ({bao} policy read team.payments.binding.api; echo 'path \"team/orders/*\" {{ \
             capabilities = [\"read\"] }}') | {bao} policy write team.payments.binding.api -\
             \n  {program} get findings --all -o wide     # who did it; it is put back within a \
             second\n",
            engine = self.engine.address(),
            dir = self.dir.display(),
            bao = self.bao.display(),
            program = std::env::current_exe().unwrap_or_default().display(),
        )
    }

    /// Stays up until asked to stop or until a process ends by itself.
    pub async fn wait(&self, stop: impl Future<Output = ()>) -> Result<()> {
        let watch = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if let Err(error) = self.children.lock().await.check() {
                    return error;
                }
            }
        };
        tokio::select! {
            () = stop => Ok(()),
            error = watch => Err(error),
        }
    }

    /// Ends everything, what depends first.
    pub async fn stop(self) -> Result<()> {
        self.children.into_inner().stop().await?;
        self.engine.stop().await?;
        self.kubernetes.stop().await?;
        self.provider.stop().await?;
        self.postgres.stop().await
    }
}

/// This program, which people and processes of the stack run too.
pub fn program() -> Result<PathBuf> {
    std::env::current_exe().context("find this program")
}
