//! redis-mq: shows what the queues of redis-mq do, as a page, JSON and metrics. It talks to servers by MQ.* commands and INFO
//! only, and stores nothing.

mod get;
mod metrics;
mod options;
mod pattern;
mod sampling;
mod servers;
mod source;
mod view;
mod web;
mod why;

use clap::Parser;
use options::{Command, Options};
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .init();
    let result = match options.command {
        Command::Serve(options) => web::serve(*options).await,
        Command::Get(options) => get::run(options).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis-mq: {error}");
            ExitCode::FAILURE
        }
    }
}
