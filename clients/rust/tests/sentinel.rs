//! A worker on the master that Sentinel names.

mod server;

use redis::sentinel::{SentinelClient, SentinelServerType};
use redis_mq::{CancellationToken, Client, Worker};
use server::Server;
use std::time::Duration;
use tokio::sync::Mutex;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_works_on_the_master_that_sentinel_names() {
    let server = Server::start(&[]);
    let sentinel = Server::sentinel(&server);
    let redis = redis::Client::open(server.url()).unwrap();
    let client = Client::new(redis.get_connection_manager().await.unwrap());
    client.push("orders", "a").await.unwrap();

    let master = SentinelServerType::Master;
    let source =
        SentinelClient::build(vec![sentinel.url()], "mymaster".to_owned(), None, master).unwrap();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let worker = Worker::new(Mutex::new(source), "orders", move |_, _| {
        stopping.cancel();
        async { Ok(()) }
    });
    tokio::time::timeout(Duration::from_secs(30), worker.run_until(stop.cancelled()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(client.len("orders", None).await.unwrap(), 0);
}
