//! The worker of the contract, with the handler that does what a payload says.

use crate::Anything;
use redis_mq::{CancellationToken, HandlerError, Message, Worker};
use std::env::var;
use std::time::Duration;
use tokio::time::sleep;

pub async fn work(redis: redis::Client) -> Result<(), Anything> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let queues: Vec<String> = var("MQ_QUEUES")?.split(',').map(str::to_owned).collect();
    let mut worker = Worker::new(redis, queues, handle)
        .concurrency(var("MQ_CONCURRENCY")?.parse()?)
        .visibility(setting("MQ_VISIBILITY")?)
        .grace(setting("MQ_GRACE")?)
        .block(setting("MQ_BLOCK")?);
    let limit = setting("MQ_MAX_PROCESSING")?;
    if !limit.is_zero() {
        worker = worker.max_processing(limit);
    }
    if let Ok(prefetch) = var("MQ_PREFETCH") {
        worker = worker.prefetch(prefetch.parse()?);
    }
    if let Ok(grace) = setting("MQ_DISCONNECT_GRACE") {
        worker = worker.disconnect_grace((!grace.is_zero()).then_some(grace));
    }
    println!("ready");
    if setting("MQ_UNTIL_EMPTY")?.is_zero() {
        worker.run().await?;
    } else {
        worker.run_until_empty(Duration::from_secs(60)).await?;
    }
    println!("stopped");
    Ok(())
}

fn setting(name: &str) -> Result<Duration, Anything> {
    Ok(Duration::from_millis(var(name)?.parse()?))
}

async fn handle(message: Message, cancelled: CancellationToken) -> Result<(), HandlerError> {
    let mut words = message.text()?.split(' ');
    let number: u32 = words.next().unwrap_or_default().parse()?;
    let verb = words.next().unwrap_or_default();
    let length = Duration::from_millis(words.next().unwrap_or("0").parse()?);
    let is_first = message.retry_count == 0;
    println!("start {number} {}", message.retry_count);
    match verb {
        "sleep" => tokio::select! {
            () = sleep(length) => {}
            () = cancelled.cancelled() => {
                println!("cancelled {number}");
                return Err("cancelled".into());
            }
        },
        "hold" => sleep(length).await,
        "fail" => return Err("no stock".into()),
        "fail-once" if is_first => return Err("no stock".into()),
        "retry" if is_first => return Err(HandlerError::retry(length, "later")),
        "release" if message.deliveries.unwrap_or(1) == 1 => return Err(HandlerError::Release),
        "dead" => return Err(HandlerError::dead("no address")),
        _ => {}
    }
    println!("done {number}");
    Ok(())
}
