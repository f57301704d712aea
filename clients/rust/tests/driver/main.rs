//! The driver through which the contract of the clients tests this one: see clients/contract/README.md.

mod calls;
mod schedules;
mod values;
mod work;

use redis::aio::ConnectionManager;
use redis_mq::testing::Fake;
use redis_mq::{Client, Connection};
use serde_json::{Value, json};
use std::env::{args, var};
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

type Anything = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Anything> {
    match args().next_back().as_deref() {
        Some("client") => serve(Client::new(connection().await?)).await,
        Some("fake") => fake().await,
        Some("worker") => work::work(redis()?).await,
        _ => Err("client, fake or worker?".into()),
    }
}

async fn connection() -> Result<ConnectionManager, Anything> {
    let config = redis::aio::ConnectionManagerConfig::new()
        .set_response_timeout(Some(Duration::from_secs(60)));
    Ok(ConnectionManager::new_with_config(redis()?, config).await?)
}

fn redis() -> Result<redis::Client, Anything> {
    let protocol =
        if var("MQ_PROTOCOL").is_ok_and(|version| version == "3") { "?protocol=resp3" } else { "" };
    Ok(redis::Client::open(format!("{}/{protocol}", var("MQ_URL")?))?)
}

async fn serve<C: Connection>(client: Client<C>) -> Result<(), Anything> {
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{}", calls::answer(&client, &serde_json::from_str(&line)?).await);
    }
    Ok(())
}

async fn fake() -> Result<(), Anything> {
    let mut fake = Fake::new();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let call: Value = serde_json::from_str(&line)?;
        let answer = match call["call"].as_str() {
            Some("reset") => {
                fake = Fake::new();
                json!({ "ok": null })
            }
            Some("advance") => {
                fake.advance(values::length(&call["ms"]).unwrap_or_default());
                json!({ "ok": null })
            }
            _ => calls::answer(&Client::new(fake.clone()), &call).await,
        };
        println!("{answer}");
    }
    Ok(())
}
