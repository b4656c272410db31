//! The doors of a new office, for the official conformance runner, which sends no token: one layer before all of ours
//! puts an agent's in. `script/conformance` starts this over a throwaway PostgreSQL.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use capabilities::world::{Clock, Database, Mail};
use capabilities::{Door, Error, NewOrg, Office, Source};
use clap::Parser as _;
use frontdesk::config::{Arguments, Config};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const CONNECTIONS: u32 = 8;
/// No agent may ask faster for long, and the runner does not wait when it is told to.
const PACE: Duration = Duration::from_millis(50);

/// Serves until it is ended; standard output gets the address of the MCP door.
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let database: PgConnectOptions = std::env::args().nth(1).unwrap_or_default().parse()?;
    let office = office(&database).await?;
    let token: HeaderValue = format!("Bearer {}", token(&office).await?).parse()?;
    let config = Config::read(&Arguments::parse_from(["frontdesk", "serve"]))?;
    let doors = frontdesk::assemble::doors(&office, &config, CancellationToken::new())?;
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pace = Arc::new(Mutex::new(pace));
    let known = doors.layer(from_fn(move |mut request: Request, next: Next| {
        request.headers_mut().insert(header::AUTHORIZATION, token.clone());
        let pace = pace.clone();
        async move {
            pace.lock().await.tick().await;
            next.run(request).await
        }
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
    Ok(axum::serve(listener, known.into_make_service_with_connect_info::<SocketAddr>()).await?)
}

async fn office(database: &PgConnectOptions) -> anyhow::Result<Arc<Office>> {
    let mut owner = database.connect().await?;
    frontdesk::schema::bring_up(&mut owner).await?;
    owner.close().await?;
    let service = Database::open(database.clone().username(frontdesk::APP_ROLE), 1..=CONNECTIONS).await?;
    // Nothing is delivered here: no worker is started.
    let mail = Mail::directory(&std::env::temp_dir(), "office@example.com").map_err(anyhow::Error::msg)?;
    frontdesk::assemble::office(service, Clock::System, mail, "http://127.0.0.1")
}

async fn token(office: &Office) -> anyhow::Result<String> {
    let new = NewOrg {
        name: "Test Windows".into(),
        timezone: "America/Chicago".into(),
        currency: "USD".into(),
        country: "US".into(),
    };
    let source = Source::of(Door::Program);
    let in_words = |error: Error| anyhow::Error::msg(error.message());
    let org = office.create_org(&new, &source).await.map_err(in_words)?;
    let agent = office.create_agent(org, "Conformance", None, &source).await.map_err(in_words)?;
    Ok(agent.token.reveal().to_string())
}
