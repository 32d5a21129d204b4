//! TLS before the lab's Postgres, whose build has none: what a client sees of a server with `ssl = on`.
//!
//! It must not let anybody in without TLS, or a test of it would show nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_lab::tls::ServerTls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::proxy::server_config;

/// The message by which a client asks for TLS: its length and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A running front.
pub struct DatabaseTls {
    port: u16,
    ca_file: PathBuf,
}

impl DatabaseTls {
    /// Listens before the Postgres at this port of loopback; keeps its files in `dir`.
    pub async fn before(port: u16, dir: &Path) -> Self {
        let tls = ServerTls::in_dir(dir, &["127.0.0.1"]).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&tls)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that goes away ends its own connection alone.
                tokio::spawn(forward(stream, acceptor.clone(), port));
            }
        });
        Self { port: own, ca_file: dir.join("ca.pem") }
    }

    /// The same database by way of here, the server's certificate verified.
    pub fn url(&self, url: &str, behind: u16) -> String {
        let here = url.trim().replace(&format!(":{behind}/"), &format!(":{}/", self.port));
        assert_ne!(here, url.trim(), "the URL does not name the port {behind}");
        format!("{here}?sslmode=verify-full&sslrootcert={}", self.ca_file.display())
    }
}

async fn forward(mut client: TcpStream, acceptor: TlsAcceptor, port: u16) -> std::io::Result<()> {
    let mut asked = [0; 8];
    client.read_exact(&mut asked).await?;
    if asked != SSL_REQUEST {
        return Ok(());
    }
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
