//! The HTTP server: who may come in is decided in `guard`, what is read in `read`, what changes queues in `act`.

mod act;
mod assets;
mod failure;
mod guard;
mod live;
mod messages;
mod payload;
mod read;
mod replicas;
mod schedules;

use crate::metrics;
use crate::options::Serve;
use crate::sampling::{self, State};
use crate::source::Source;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use guard::Guard;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

/// What handlers need.
#[derive(Clone, Debug)]
struct Console {
    state: Arc<State>,
    guard: Arc<Guard>,
    /// Whether queues may be changed.
    writes: bool,
}

/// Serves until SIGINT or SIGTERM.
pub async fn serve(options: Serve) -> Result<(), String> {
    let guard = Arc::new(Guard::new(&options)?);
    let state = State::new(Source::all(&options.servers)?);
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("{}: {error}", options.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    sampling::watch(&state, options.max_queues);
    let console = Console { state, guard, writes: options.allow_writes };
    println!("http://{address}{}/", options.base_path);
    console.guard.print_generated();
    let sources: Vec<&str> = console.state.sources.iter().map(|one| one.name.as_str()).collect();
    if !address.ip().is_loopback() {
        warn!(%address, "reachable from other machines, without TLS: put a proxy with TLS in front");
    }
    info!(%address, ?sources, writes = console.writes, "serving");
    let routes = match options.base_path.as_str() {
        "" => routes(),
        // The page's links are relative to a path with a slash at its end.
        path => {
            let page = format!("{path}/");
            let redirect = Redirect::permanent(&page);
            Router::new().nest(&page, routes()).route(path, get(redirect))
        }
    };
    let app = routes
        .layer(middleware::from_fn_with_state(console.clone(), guard::admit))
        .with_state(console);
    let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    // Open streams of events do not keep it: what is under way ends with it, and nothing is lost.
    tokio::select! {
        ended = axum::serve(listener, app).into_future() => ended.map_err(|error| error.to_string()),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

fn routes() -> Router<Console> {
    Router::new()
        .route("/", get(assets::page))
        .route("/page/{file}", get(assets::file))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics_page))
        .route("/api/about", get(read::about))
        .route("/api/servers", get(read::servers))
        .route("/api/replicas", get(replicas::list))
        .route("/api/queues", get(read::queues))
        .route("/api/queue", get(read::queue))
        .route("/api/history", get(read::history))
        .route("/api/events", get(live::events))
        .route("/api/messages", get(messages::list))
        .route("/api/message", get(messages::one))
        .route("/api/payload", get(messages::payload))
        .route("/api/dead-letters", get(messages::dead_letters))
        .route("/api/consumers", get(messages::consumers))
        .route("/api/schedules", get(schedules::list))
        .route("/api/check", post(schedules::check))
        .route("/api/act", post(act::act))
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn metrics_page(Shared(console): Shared<Console>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics::render(&console.state.snapshot())).into_response()
}
