//! A worker on a cluster.

mod server;

use redis::cluster::ClusterClient;
use redis_mq::{CancellationToken, Client, Worker};
use server::{Server, eventually};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_works_and_stops_on_a_cluster() {
    let server = Server::start(&["--cluster-enabled", "yes"]);
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let slots: Vec<u32> = (0..16384).collect();
    redis::cmd("CLUSTER").arg("ADDSLOTS").arg(slots).exec(&mut connection).unwrap();
    eventually("the cluster is up", || {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut connection).unwrap();
        info.contains("cluster_state:ok")
    });

    let cluster = ClusterClient::builder(vec![server.url()]).retries(0).build().unwrap();
    let client = Client::new(cluster.get_async_connection().await.unwrap());
    client.push_many("{acme}.orders", ["a", "b"]).await.unwrap();
    client.push("{acme}.mails", "c").await.unwrap();
    let stop = CancellationToken::new();
    let queues = ["{acme}.orders", "{acme}.mails"];
    let worker =
        Worker::new(cluster, queues, |_, _| async { Ok(()) }).block(Duration::from_secs(20));
    let stopped = stop.clone();
    let run = tokio::spawn(async move { worker.run_until(stopped.cancelled()).await });
    for queue in queues {
        while client.len(queue, None).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), run).await.unwrap().unwrap().unwrap();
}
