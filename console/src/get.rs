//! `redis-mq get`: the queues, or one queue, once as JSON.

use crate::options::Get;
use crate::sampling::{self, State};
use crate::source::Source;
use crate::view::{self, Query, Sort};
use std::time::SystemTime;

/// Prints it. Fails if a server does not answer, or there is no such queue.
pub async fn run(options: Get) -> Result<(), String> {
    let state = State::new(Source::all(&options.servers)?);
    sampling::once(&state, usize::MAX).await;
    let snapshot = state.snapshot();
    let failed = snapshot.samples.iter().find_map(|sample| {
        let failed = sample.servers.iter().find_map(|server| {
            server.error.as_ref().map(|error| format!("{}: {error}", server.master.address))
        });
        failed.or_else(|| sample.error.as_ref().map(|error| format!("{}: {error}", sample.source)))
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let Some(name) = &options.queue else {
        let query = Query { sort: Sort::Name, ..Query::default() };
        println!("{:#}", view::overview(&snapshot, &state.history, &query, false)["queues"]);
        return Ok(());
    };
    let mut found = snapshot.queues().filter(|(_, _, queue)| queue.name == *name).peekable();
    if found.peek().is_none() {
        return Err(format!("there is no queue {name}"));
    }
    for (sample, server, queue) in found {
        println!(
            "{:#}",
            view::queue(&sample.source, &server.master.address, queue, SystemTime::now())
        );
    }
    Ok(())
}
