//! Who may come in, and what every response says of security. The page asks for a password (Basic, any user name, which
//! is logged with each action); programs send a bearer token.

use super::Console;
use super::failure::Failure;
use crate::options::{Serve, secret};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tracing::warn;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How long a wrong password takes.
const WRONG_TAKES: Duration = Duration::from_millis(500);

/// The secrets.
pub struct Guard {
    /// The password of the page and the token; `None`: everybody may come in.
    secrets: Option<(String, String)>,
    generated: bool,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("open", &self.secrets.is_none()).finish_non_exhaustive()
    }
}

/// Who sent a request, for the log.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub name: String,
    pub address: IpAddr,
}

impl Guard {
    pub fn new(options: &Serve) -> Result<Self, String> {
        if options.no_auth {
            return Ok(Self { secrets: None, generated: false });
        }
        let password = secret(options.page_password_file.as_ref(), "REDIS_MQ_PAGE_PASSWORD")?;
        let token = secret(options.token_file.as_ref(), "REDIS_MQ_TOKEN")?;
        let generated = password.is_none();
        let password = match password {
            Some(password) => password,
            None => generate()?,
        };
        let token = token.unwrap_or_else(|| password.clone());
        Ok(Self { secrets: Some((password, token)), generated })
    }

    /// Prints a password that nobody knows yet.
    pub fn print_generated(&self) {
        if let (true, Some((password, _))) = (self.generated, &self.secrets) {
            println!("user: any, password: {password}");
        }
    }

    /// The name of who sent a request, if it is let in.
    fn check(&self, request: &Request) -> Result<String, Failure> {
        let headers = request.headers();
        if request.method() == Method::POST && !is_same_origin(headers) {
            let error = "only the console's own pages may send this";
            return Err(Failure::new(StatusCode::FORBIDDEN, error));
        }
        if self.secrets.is_none() && !is_local_name(headers) {
            let error = "without passwords, the console answers to localhost and addresses only";
            return Err(Failure::new(StatusCode::FORBIDDEN, error));
        }
        if request.uri().path().ends_with("/healthz") {
            return Ok("anybody".to_owned());
        }
        let refusal = Failure::new(StatusCode::UNAUTHORIZED, "a password or token is needed");
        self.name(headers).ok_or(refusal)
    }

    /// The name that a request gives, if its secret is right.
    fn name(&self, headers: &HeaderMap) -> Option<String> {
        let Some((password, token)) = &self.secrets else { return Some("anybody".to_owned()) };
        let (scheme, given) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return same(given.trim(), token).then(|| "token".to_owned());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(BASE64_STANDARD.decode(given.trim()).ok()?).ok()?;
        let (user, given) = pair.split_once(':')?;
        same(given, password).then(|| user.to_owned())
    }
}

fn generate() -> Result<String, String> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Compares in a time that does not depend on where they differ.
fn same(given: &str, secret: &str) -> bool {
    let (given, secret) = (given.as_bytes(), secret.as_bytes());
    let differences = secret
        .iter()
        .enumerate()
        .fold(0, |sum, (place, byte)| sum | (byte ^ given.get(place).copied().unwrap_or(!byte)));
    std::hint::black_box(differences) == 0 && given.len() == secret.len()
}

/// Before every handler.
pub async fn admit(
    State(console): State<Console>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let address = peer.ip();
    let response = match console.guard.check(&request) {
        Ok(name) => {
            request.extensions_mut().insert(Visitor { name, address });
            next.run(request).await
        }
        Err(refusal) => {
            if refusal.status == StatusCode::UNAUTHORIZED
                && request.headers().contains_key(AUTHORIZATION)
            {
                warn!(%address, "wrong password or token");
                tokio::time::sleep(WRONG_TAKES).await;
            }
            refusal.into_response()
        }
    };
    secured(response)
}

/// Whether no page of another site sent it. Browsers send `Sec-Fetch-Site`, old ones and those without TLS `Origin`; programs
/// send neither.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    match (text(ORIGIN), text(HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, at)| at.eq_ignore_ascii_case(host))
        }
        _ => false,
    }
}

/// Whether the request names an address: a page of another site, whose name resolves to this machine, can't.
fn is_local_name(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let plain = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || plain.parse::<IpAddr>().is_ok()
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let ask = HeaderValue::from_static("Basic realm=\"redis-mq\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, ask);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn posts_of_other_sites_are_refused() {
        for (allowed, pairs) in [
            (true, &[("host", "a:1")] as &[_]),
            (true, &[("host", "a:1"), ("origin", "http://a:1")]),
            (true, &[("host", "a:1"), ("origin", "http://a:1"), ("sec-fetch-site", "same-origin")]),
            // A proxy may change the host.
            (true, &[("host", "b:1"), ("origin", "https://a"), ("sec-fetch-site", "same-origin")]),
            (false, &[("host", "a:1"), ("origin", "http://b:1")]),
            (false, &[("host", "a:1"), ("origin", "null")]),
            (false, &[("host", "a:1"), ("sec-fetch-site", "cross-site")]),
            (false, &[("host", "a:1"), ("sec-fetch-site", "same-site")]),
            (false, &[("host", "a:1"), ("sec-fetch-site", "none")]),
            (false, &[("origin", "http://a:1")]),
        ] {
            assert_eq!(is_same_origin(&headers(pairs)), allowed, "{pairs:?}");
        }
    }

    #[test]
    fn names_that_others_can_point_here_are_not_local() {
        for (local, host) in [
            (true, "localhost"),
            (true, "localhost:8090"),
            (true, "127.0.0.1:8090"),
            (true, "[::1]:8090"),
            (true, "10.0.0.1"),
            (false, "console.example.com:8090"),
            (false, ""),
        ] {
            let mut map = HeaderMap::new();
            map.insert(HOST, HeaderValue::from_static(host));
            assert_eq!(is_local_name(&map), local, "{host}");
        }
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same("secret", "secret"));
        for other in ["", "secre", "secrets", "secreT", "Secret"] {
            assert!(!same(other, "secret"), "{other}");
        }
    }
}
