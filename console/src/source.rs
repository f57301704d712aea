//! A server, the servers behind Sentinel, or a cluster: who its masters are, and connections to them. What is shown of a
//! source is its name, which has no password.

use crate::options::{Servers, secret};
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
pub const REPLY_WITHIN: Duration = Duration::from_secs(10);
/// Moving or checking a million messages takes a while.
pub const ACT_WITHIN: Duration = Duration::from_secs(300);

/// One `--url`.
pub struct Source {
    /// Hosts and ports, and the name of the master if it is Sentinel that knows it.
    pub name: String,
    form: Form,
    /// Whom to ask first: the server itself, the sentinels, nodes of the cluster.
    seeds: Vec<ConnectionInfo>,
    /// How to log in to masters; its address is replaced.
    login: ConnectionInfo,
    certificates: Option<TlsCertificates>,
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Single,
    Sentinel { master: String },
    Cluster,
}

impl Source {
    /// All sources of the command line.
    pub fn all(servers: &Servers) -> Result<Vec<Self>, String> {
        let password = secret(servers.password_file.as_ref(), "REDIS_MQ_PASSWORD")?;
        let sentinel_password =
            secret(servers.sentinel_password_file.as_ref(), "REDIS_MQ_SENTINEL_PASSWORD")?;
        let mut sources = Vec::new();
        for url in &servers.urls {
            let mut source = Self::parse(url)?;
            let mut login = source.login.redis_settings().clone();
            if let Some(user) = &servers.user {
                login = login.set_username(user);
            }
            if let Some(password) = &password {
                login = login.set_password(password);
            }
            source.login = source.login.set_redis_settings(login.clone());
            if !matches!(source.form, Form::Sentinel { .. }) {
                source.seeds = source.at_seeds(&login);
            } else if let Some(password) = &sentinel_password {
                let login = redis::RedisConnectionInfo::default().set_password(password);
                source.seeds = source.at_seeds(&login);
            }
            source.certificates = certificates(servers)?;
            if sources.iter().any(|other: &Self| other.name == source.name) {
                return Err(format!("--url names {} twice", source.name));
            }
            sources.push(source);
        }
        Ok(sources)
    }

    fn parse(url: &str) -> Result<Self, String> {
        // No error shows the URL: it may have a password.
        let (scheme, rest) = url.split_once("://").ok_or("--url is no URL")?;
        let (plain, form) = match scheme.split_once('-') {
            None => (scheme, ""),
            Some((plain, form)) => (plain, form),
        };
        let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (form, path) = match form {
            "" => (Form::Single, path),
            "cluster" => (Form::Cluster, path),
            "sentinel" => {
                let (master, path) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err("--url of Sentinel ends with /name-of-the-master".to_owned());
                }
                (Form::Sentinel { master: master.to_owned() }, path)
            }
            _ => return Err(format!("--url begins with {scheme}://, which is unknown")),
        };
        if form == Form::Single && hosts.contains(',') {
            return Err(
                "--url names several hosts: redis-cluster:// or redis-sentinel://".to_owned()
            );
        }
        let at = |host: &str, login: &str, path: &str| {
            let at = if login.is_empty() { "" } else { "@" };
            let port = match form {
                Form::Sentinel { .. } if !host.contains(':') => ":26379",
                _ => "",
            };
            format!("{plain}://{login}{at}{host}{port}/{path}")
                .into_connection_info()
                .map_err(|error| format!("--url with {host}: {error}"))
        };
        let mut seeds = Vec::new();
        for host in hosts.split(',') {
            match form {
                Form::Sentinel { .. } => seeds.push(at(host, "", "")?),
                _ => seeds.push(at(host, login, path)?),
            }
        }
        let first = hosts.split(',').next().unwrap_or_default();
        let login = at(first, login, path)?;
        let addresses: Vec<String> = seeds.iter().map(|seed| seed.addr().to_string()).collect();
        let name = match &form {
            Form::Sentinel { master } => format!("{master} ({})", addresses.join(",")),
            _ => addresses.join(","),
        };
        Ok(Self { name, form, seeds, login, certificates: None })
    }

    fn at_seeds(&self, login: &redis::RedisConnectionInfo) -> Vec<ConnectionInfo> {
        let seeds = self.seeds.iter().cloned();
        seeds.map(|seed| seed.set_redis_settings(login.clone())).collect()
    }

    /// Whether the masters can become others.
    pub fn moves(&self) -> bool {
        self.form != Form::Single
    }

    /// The masters of now, by address.
    pub async fn masters(&self) -> RedisResult<Vec<Master>> {
        if self.form == Form::Single {
            let at = |seed: &ConnectionInfo| Master {
                address: seed.addr().to_string(),
                at: seed.clone(),
            };
            return Ok(self.seeds.iter().map(at).collect());
        }
        let mut failure = RedisError::from((ErrorKind::InvalidClientConfig, "no server named"));
        for seed in &self.seeds {
            match self.ask(seed).await {
                Ok(masters) => return Ok(masters.into_iter().map(|at| self.server(at)).collect()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn ask(&self, seed: &ConnectionInfo) -> RedisResult<BTreeSet<(String, u16)>> {
        let mut connection = self.open(seed.clone()).await?;
        let host = match seed.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.as_str(),
            _ => "",
        };
        match &self.form {
            Form::Sentinel { master } => {
                let mut ask = redis::cmd("SENTINEL");
                ask.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
                let found: Option<(String, u16)> = ask.query_async(&mut connection).await?;
                let unknown = (ErrorKind::MasterNameNotFoundBySentinel, "unknown to this sentinel");
                Ok([found.ok_or(RedisError::from(unknown))?].into())
            }
            _ => {
                let slots: Vec<Value> =
                    redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
                let masters: BTreeSet<_> =
                    slots.into_iter().filter_map(|range| master_of(range, host)).collect();
                if masters.is_empty() {
                    let none = (ErrorKind::ClusterConnectionNotFound, "the cluster has no slots");
                    return Err(none.into());
                }
                Ok(masters)
            }
        }
    }

    /// A server at an address, to log in to as to the masters.
    pub fn server(&self, (host, port): (String, u16)) -> Master {
        let address = match self.login.addr() {
            ConnectionAddr::TcpTls { insecure, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Master { address: address.to_string(), at: self.login.clone().set_addr(address) }
    }

    /// A connection to a master.
    pub async fn connect(&self, master: &Master) -> RedisResult<MultiplexedConnection> {
        self.open(master.at.clone()).await
    }

    /// A connection to a master that is made when it is used, and anew when it was lost. No command is repeated.
    pub fn lasting(
        &self,
        master: &Master,
        reply_within: Duration,
    ) -> RedisResult<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(reply_within))
            .set_number_of_retries(1);
        self.client(master.at.clone())?.get_connection_manager_lazy(config)
    }

    async fn open(&self, at: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(REPLY_WITHIN));
        self.client(at)?.get_multiplexed_async_connection_with_config(&config).await
    }

    fn client(&self, at: ConnectionInfo) -> RedisResult<redis::Client> {
        match (&self.certificates, at.addr()) {
            (Some(certificates), ConnectionAddr::TcpTls { .. }) => {
                redis::Client::build_with_tls(at, certificates.clone())
            }
            _ => redis::Client::open(at),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A server that takes writes.
#[derive(Clone)]
pub struct Master {
    /// Host and port, or the path of a socket.
    pub address: String,
    at: ConnectionInfo,
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Master").field(&self.address).finish()
    }
}

/// The master of a range of slots. A node that doesn't know its own address names none: it is the one that was asked.
fn master_of(range: Value, asked: &str) -> Option<(String, u16)> {
    let Value::Array(range) = range else { return None };
    let Value::Array(node) = range.into_iter().nth(2)? else { return None };
    let mut node = node.into_iter();
    let host: Option<String> = redis::from_redis_value(node.next()?).ok()?;
    let port: u16 = redis::from_redis_value(node.next()?).ok()?;
    Some((host.filter(|host| !host.is_empty()).unwrap_or_else(|| asked.to_owned()), port))
}

fn certificates(servers: &Servers) -> Result<Option<TlsCertificates>, String> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let client_tls = match (&servers.tls_certificate, &servers.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        _ => None,
    };
    let root_cert = servers.tls_ca.as_ref().map(read).transpose()?;
    let any = client_tls.is_some() || root_cert.is_some();
    Ok(any.then_some(TlsCertificates { client_tls, root_cert }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_server_sentinels_or_a_cluster_and_no_name_has_the_password() {
        for (url, name, form) in [
            ("redis://127.0.0.1:7000", "127.0.0.1:7000", Form::Single),
            ("redis://me:secret@queues/3", "queues:6379", Form::Single),
            ("rediss://:secret@queues:7000", "queues:7000", Form::Single),
            ("redis-cluster://me:secret@a:1,b:2", "a:1,b:2", Form::Cluster),
            (
                "redis-sentinel://:secret@a,b:2/main/3",
                "main (a:26379,b:2)",
                Form::Sentinel { master: "main".to_owned() },
            ),
        ] {
            let source = Source::parse(url).unwrap();
            assert_eq!((source.name.as_str(), &source.form), (name, &form), "{url}");
            assert!(!format!("{source:?}").contains("secret"));
        }
    }

    #[test]
    fn the_login_goes_to_masters_and_not_to_sentinels() {
        let source = Source::parse("redis-sentinel://me:secret@a,b/main/3").unwrap();
        assert_eq!(source.seeds[0].redis_settings().password(), None);
        let master = source.server(("c".to_owned(), 7000));
        assert_eq!(master.address, "c:7000");
        assert_eq!(master.at.redis_settings().username(), Some("me"));
        assert_eq!(master.at.redis_settings().password(), Some("secret"));
        assert_eq!(master.at.redis_settings().db(), 3);
    }

    #[test]
    fn wrong_urls_are_refused_without_showing_their_password() {
        for url in [
            "me:secret@queues",
            "http-x://:secret@a",
            "redis-sentinel://:secret@a,b",
            "redis://:secret@a,b",
            "redis://:secret@a/none",
        ] {
            let refusal = Source::parse(url).unwrap_err();
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }
}
