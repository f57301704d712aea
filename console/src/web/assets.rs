//! The page: its files are part of the program.

use super::failure::Failure;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! files {
    ($($name:literal: $kind:expr,)*) => {
        &[$(($name, $kind, include_str!(concat!("assets/", $name)))),*]
    };
}

/// Name, type and text.
const FILES: &[(&str, &str, &str)] = files! {
    "actions.js": SCRIPT,
    "api.js": SCRIPT,
    "base.css": STYLE,
    "chart.js": SCRIPT,
    "consumers.js": SCRIPT,
    "dead.js": SCRIPT,
    "dom.js": SCRIPT,
    "format.js": SCRIPT,
    "icon.svg": IMAGE,
    "main.js": SCRIPT,
    "message.js": SCRIPT,
    "messages.js": SCRIPT,
    "overview.js": SCRIPT,
    "parts.css": STYLE,
    "queue.js": SCRIPT,
    "route.js": SCRIPT,
    "schedules.js": SCRIPT,
    "servers.js": SCRIPT,
    "settings.js": SCRIPT,
    "state.js": SCRIPT,
    "theme.js": SCRIPT,
};

pub async fn page() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], include_str!("assets/page.html"))
}

pub async fn file(Path(name): Path<String>) -> Result<impl IntoResponse, Failure> {
    let found = FILES.iter().find(|(known, _, _)| *known == name);
    let (_, kind, text) = found.ok_or_else(|| Failure::not_found("there is no such file"))?;
    Ok(([(CONTENT_TYPE, *kind)], *text))
}
