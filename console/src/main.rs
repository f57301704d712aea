//! redis-mq: shows what the queues of redis-mq do, as a page, JSON and metrics, and in a terminal. It talks to servers by
//! MQ.* commands and INFO only, and stores nothing.

mod dead_letters;
mod get;
mod metrics;
mod options;
mod pattern;
mod sampling;
mod servers;
mod source;
mod top;
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
    let terminal = std::io::stderr().is_terminal();
    // Lines of a log would be written over what `top` shows; with 2> FILE it has one.
    if !(terminal && matches!(options.command, Command::Top(_))) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(terminal)
            .with_writer(std::io::stderr)
            .init();
    }
    let result = match options.command {
        Command::Serve(options) => web::serve(*options).await,
        Command::Top(options) => top::run(options).await,
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
