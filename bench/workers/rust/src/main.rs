//! Enqueues messages for a system of Rust, or works them off; run by workers.py, with the arguments and the output of
//! worker.mjs.
//!
//!     worker SYSTEM PORT push COUNT
//!     worker SYSTEM PORT work WARM_UP COUNT CONCURRENCY

use apalis::prelude::{TaskSink, WorkerBuilder, WorkerBuilderExt};
use apalis_redis::{Config, RedisStorage};
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use redis_mq::Worker;
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const QUEUE: &str = "bench";
const BATCH: usize = 500;
/// As many as apalis fetches at once.
const PREFETCH: usize = 10;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn payload() -> String {
    "x".repeat(100)
}

struct Progress {
    handled: AtomicUsize,
    warm_up: usize,
    last: usize,
    started: OnceLock<Instant>,
}

impl Progress {
    fn add(&self) {
        let handled = self.handled.fetch_add(1, Ordering::AcqRel) + 1;
        if handled == self.warm_up {
            self.started.get_or_init(Instant::now);
            println!("{{\"started\": true}}");
        } else if handled == self.last {
            let seconds = self.started.get().map_or(0.0, |started| started.elapsed().as_secs_f64());
            println!("{{\"seconds\": {seconds}}}");
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    let [_, system, port, role, numbers @ ..] = &words[..] else { return Err("usage".into()) };
    let numbers =
        numbers.iter().map(|word| word.parse()).collect::<std::result::Result<Vec<usize>, _>>()?;
    let url = format!("redis://127.0.0.1:{port}");
    match (system.as_str(), role.as_str(), &numbers[..]) {
        ("apalis", "push", &[count]) => push_to_apalis(&url, count).await?,
        (_, "push", &[count]) => push_with_mpush(&url, count).await?,
        (_, "work", &[warm_up, count, concurrency]) => {
            let progress = Progress {
                handled: AtomicUsize::new(0),
                warm_up,
                last: warm_up + count,
                started: OnceLock::new(),
            };
            return work(system, &url, concurrency, Arc::new(progress)).await;
        }
        _ => return Err("usage".into()),
    }
    println!("{{\"pushed\": {}}}", numbers[0]);
    Ok(())
}

async fn work(system: &str, url: &str, concurrency: usize, progress: Arc<Progress>) -> Result<()> {
    match system {
        "worker" => work_with_worker(url, concurrency, 0, progress).await,
        "prefetch" => work_with_worker(url, concurrency, PREFETCH, progress).await,
        "loop" => work_in_loops(url, concurrency, progress).await,
        "apalis" => work_with_apalis(url, concurrency, progress).await,
        _ => Err("unknown system".into()),
    }
}

// ---- this project, and a plain loop -------------------------------------------------------------

async fn push_with_mpush(url: &str, count: usize) -> Result<()> {
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    for left in (1..=count).rev().step_by(BATCH) {
        let batch = left.min(BATCH);
        let mut command = redis::cmd("MQ.MPUSH");
        command.arg(QUEUE).arg(batch).arg(vec![payload(); batch]);
        command.exec_async(&mut connection).await?;
    }
    Ok(())
}

async fn work_with_worker(
    url: &str,
    concurrency: usize,
    prefetch: usize,
    progress: Arc<Progress>,
) -> Result<()> {
    let worker = Worker::new(redis::Client::open(url)?, QUEUE, move |_, _| {
        let progress = Arc::clone(&progress);
        async move {
            progress.add();
            Ok(())
        }
    });
    Ok(worker.concurrency(concurrency).prefetch(prefetch).run().await?)
}

/// A connection per loop: a pull that waits blocks its connection.
async fn work_in_loops(url: &str, concurrency: usize, progress: Arc<Progress>) -> Result<()> {
    let client = redis::Client::open(url)?;
    let mut loops = tokio::task::JoinSet::new();
    for _ in 0..concurrency {
        let config =
            redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        loops.spawn(pull_and_acknowledge(connection, Arc::clone(&progress)));
    }
    loops.join_next().await.ok_or("no loop")??
}

async fn pull_and_acknowledge(
    mut connection: MultiplexedConnection,
    progress: Arc<Progress>,
) -> Result<()> {
    loop {
        let mut pull = redis::cmd("MQ.PULL");
        let reply = pull.arg(QUEUE).arg("BLOCK").arg(5000).query_async(&mut connection).await?;
        if reply == redis::Value::Nil {
            continue;
        }
        let message = HashMap::<String, redis::Value>::from_redis_value(reply)?;
        progress.add();
        let mut acknowledge = redis::cmd("MQ.ACK");
        acknowledge.arg(QUEUE);
        for field in ["id", "receipt"] {
            acknowledge.arg(String::from_redis_value_ref(&message[field])?);
        }
        acknowledge.exec_async(&mut connection).await?;
    }
}

// ---- apalis -------------------------------------------------------------------------------------

async fn apalis_storage(url: &str) -> Result<RedisStorage<String>> {
    let config = Config::default().queue(QUEUE);
    Ok(RedisStorage::new(apalis_redis::connect(url).await?).with_config(config))
}

async fn push_to_apalis(url: &str, count: usize) -> Result<()> {
    let mut storage = apalis_storage(url).await?;
    for left in (1..=count).rev().step_by(BATCH) {
        storage.push_bulk(vec![payload(); left.min(BATCH)]).await?;
    }
    Ok(())
}

async fn work_with_apalis(url: &str, concurrency: usize, progress: Arc<Progress>) -> Result<()> {
    use apalis::prelude::ParallelizeExt;

    let worker = WorkerBuilder::new("worker")
        .backend(apalis_storage(url).await?)
        .concurrency(concurrency)
        .parallelize(tokio::spawn)
        .build(move |_: String| {
            progress.add();
            async { Ok::<(), Box<dyn Error + Send + Sync>>(()) }
        });
    Ok(worker.run().await?)
}
