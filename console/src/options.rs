//! The command line. Passwords come from the environment or from files, never from arguments that others can see.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Shows what redis-mq's queues do: a page, JSON and metrics, and in the terminal.
#[derive(Debug, Parser)]
#[command(name = "redis-mq", version)]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serves the page, the JSON API and /metrics.
    Serve(Box<Serve>),
    /// Shows the queues in the terminal.
    Top(Top),
    /// Prints the queues, or one queue, once as JSON.
    Get(Get),
}

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub servers: Servers,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// The path that a proxy serves it under, such as /queues.
    #[arg(long, value_name = "PATH", default_value = "", value_parser = base_path)]
    pub base_path: String,
    /// Allows what changes queues: pause, redrive, delete and so on.
    #[arg(long)]
    pub allow_writes: bool,
    /// Asks nobody for a password.
    #[arg(long, conflicts_with_all = ["page_password_file", "token_file"])]
    pub no_auth: bool,
    /// A file with the password of the page. Also: REDIS_MQ_PAGE_PASSWORD. Without either, one is generated and printed.
    #[arg(long, value_name = "FILE")]
    pub page_password_file: Option<PathBuf>,
    /// A file with the bearer token of the API and /metrics. Also: REDIS_MQ_TOKEN. Without either: the password.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Queues whose figures are read in every sample, of each server; more are only counted.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_queues: usize,
}

#[derive(Debug, Args)]
pub struct Top {
    #[command(flatten)]
    pub servers: Servers,
    /// Allows to pause and resume queues.
    #[arg(long)]
    pub allow_writes: bool,
    /// Queues whose figures are read in every sample, of each server; of more, only the names are shown.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_queues: usize,
}

#[derive(Debug, Args)]
pub struct Get {
    #[command(flatten)]
    pub servers: Servers,
    /// The queue; without it, all queues.
    pub queue: Option<String>,
}

/// Where the queues are, and how to log in there.
#[derive(Debug, Args)]
pub struct Servers {
    /// redis://host:port/db, redis-sentinel://host:port,host:port/master/db or redis-cluster://host:port,host:port; with
    /// TLS rediss://, rediss-sentinel://, rediss-cluster://. May be given several times.
    #[arg(
        long = "url",
        env = "REDIS_MQ_URL",
        value_delimiter = ' ',
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub urls: Vec<String>,
    /// The ACL user of the servers. Default: the one in the URL.
    #[arg(long, env = "REDIS_MQ_USER")]
    pub user: Option<String>,
    /// A file with the password of the servers. Also: REDIS_MQ_PASSWORD. Default: the one in the URL.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// A file with the password of the sentinels. Also: REDIS_MQ_SENTINEL_PASSWORD.
    #[arg(long, value_name = "FILE")]
    pub sentinel_password_file: Option<PathBuf>,
    /// A file with the certificates that sign those of the servers. Default: those of the system.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// A file with the certificate of this client.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// A file with its key.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

/// A password from a file or the environment; a line end is not part of it. An empty variable is as none, for Compose can't
/// leave it out.
pub fn secret(file: Option<&PathBuf>, variable: &str) -> Result<Option<String>, String> {
    let text = match file {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|error| format!("{}: {error}", path.display()))?,
        ),
        None => std::env::var(variable).ok().filter(|text| !text.is_empty()),
    };
    let secret = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    match (secret, file) {
        (Some(secret), Some(path)) if secret.is_empty() => {
            Err(format!("{}: the password is empty", path.display()))
        }
        (secret, _) => Ok(secret),
    }
}

fn base_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if !path.is_empty() && (!path.starts_with('/') || !path.chars().all(plain)) {
        return Err("starts with / and has letters, digits and -_. only".to_owned());
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_plain_and_ends_without_a_slash() {
        assert_eq!(base_path(""), Ok(String::new()));
        assert_eq!(base_path("/"), Ok(String::new()));
        assert_eq!(base_path("/a/queues/"), Ok("/a/queues".to_owned()));
        for wrong in ["queues", "/{queue}", "/a b", "/\"x"] {
            assert!(base_path(wrong).is_err(), "{wrong}");
        }
    }
}
