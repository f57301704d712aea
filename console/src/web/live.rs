//! Server-sent events: the same list as /api/queues, with each sample.

use super::Console;
use crate::view::{self, Query};
use axum::extract::{Query as Parameters, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use std::convert::Infallible;

/// A new list whenever there is a sample; what came in between while the reader was slow is left out.
pub async fn events(
    State(console): State<Console>,
    Parameters(query): Parameters<Query>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = console.state.changes();
    changes.mark_changed();
    let events = stream::unfold((changes, console, query), |(mut changes, console, query)| async {
        console.state.seen();
        changes.changed().await.ok()?;
        let snapshot = changes.borrow_and_update().clone();
        let list = view::overview(&snapshot, &console.state.history, &query, console.writes);
        let event = Event::default().event("queues").data(list.to_string());
        Some((Ok(event), (changes, console, query)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
