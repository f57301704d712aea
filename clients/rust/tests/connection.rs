//! The connections of a worker with a `redis::Client`, with and without TCP settings.

mod server;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, IntoConnectionInfo};
use redis_mq::{CancellationToken, Worker};
use server::Server;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_the_settings_of_its_client() {
    let server = Server::start(&[]);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60));
    let settings = [
        TcpSettings::default(),
        TcpSettings::default().set_nodelay(true),
        TcpSettings::default().set_keepalive(keepalive),
    ];
    for settings in settings {
        let info = server.url().into_connection_info().unwrap().set_tcp_settings(settings);
        assert_eq!(works(Client::open(info).unwrap()).await, 3);
    }
}

/// How many of three messages a worker handles.
async fn works(redis: Client) -> u64 {
    let connection = redis.get_multiplexed_async_connection().await.unwrap();
    let client = redis_mq::Client::new(connection);
    client.push_many("orders", ["a", "b", "c"]).await.unwrap();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let worker = Worker::new(redis, "orders", move |message, _| {
        if message.text().is_ok_and(|text| text == "c") {
            stopping.cancel();
        }
        async { Ok(()) }
    })
    .concurrency(1);
    let working = worker.run_until(stop.cancelled());
    tokio::time::timeout(Duration::from_secs(30), working).await.unwrap().unwrap();
    3 - client.len("orders", None).await.unwrap()
}
