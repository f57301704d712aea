//! What of the fake depends on time; `comparison.rs` has the rest.

use redis_mq::testing::Fake;
use redis_mq::{Client, State};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_message_whose_visibility_ends_is_ready_since_its_push() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push_many("orders", ["a", "b"]).await.unwrap();
    let message = client.pull("orders").visibility(2 * SECOND).await.unwrap().unwrap();
    fake.advance(SECOND);
    client.push("orders", "c").await.unwrap();
    fake.advance(SECOND);
    let info = client.info("orders").await.unwrap();
    assert_eq!((info.expired, info.oldest_ready_age), (1, 2 * SECOND));
    let again = client.pull("orders").await.unwrap().unwrap();
    assert_eq!((&again.id, again.retry_count), (&message.id, 1));
}

#[tokio::test]
async fn a_retry_waits_for_the_backoff_which_doubles() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "a").await.unwrap();
    for wait in [SECOND, 2 * SECOND, 4 * SECOND] {
        let message = client.pull("orders").await.unwrap().unwrap();
        client.nack(&message).await.unwrap();
        let waiting = client.peek("orders").state(State::Delayed).await.unwrap();
        assert_eq!(waiting[0].due_at, Some(fake.now() + wait));
        fake.advance(wait);
    }
    assert_eq!(client.pull("orders").await.unwrap().unwrap().retry_count, 3);
}

#[tokio::test]
async fn a_ttl_discards_or_kills_where_the_message_is_not_in_flight() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "gone").ttl(SECOND).await.unwrap();
    let waiting = client.push("orders", "waiting").ttl(SECOND).ttl_dead().await.unwrap();
    let held = client.push("mails", "held").ttl(SECOND).ttl_dead().await.unwrap();
    let message = client.pull("mails").await.unwrap().unwrap();
    fake.advance(SECOND);
    let info = client.info("orders").await.unwrap();
    assert_eq!((info.ttl_expired, info.dead), (1, 1));
    assert_eq!(client.len("{mails}:dead", None).await.unwrap(), 0);
    client.nack(&message).await.unwrap();
    for (queue, id) in [("{orders}:dead", waiting), ("{mails}:dead", held)] {
        let dead = client.get(queue, &id).await.unwrap().unwrap();
        assert_eq!(dead.death.unwrap().reason, "expired");
        assert_eq!(client.redrive(queue).reason("expired").await.unwrap(), 1);
    }
    assert_eq!(client.info("orders").await.unwrap().ready, 1);
}

#[tokio::test]
async fn a_queue_that_expires_is_dropped_unless_it_is_used() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.configure("orders").expires(4 * SECOND).await.unwrap();
    for _ in 0..3 {
        fake.advance(3 * SECOND);
        client.push("orders", "a").await.unwrap();
    }
    client.pull_many("orders", 10).await.unwrap();
    let other = client.clone();
    let waiting = tokio::spawn(async move { other.pull("orders").block(5 * SECOND).await });
    while client.info("orders").await.unwrap().blocked_clients == 0 {
        tokio::task::yield_now().await;
    }
    fake.advance(8 * SECOND);
    assert!(waiting.await.unwrap().unwrap().is_none());
    assert_eq!(client.queues(None).await.unwrap(), ["orders"], "its client waited for 5 seconds");
    fake.advance(SECOND);
    assert!(client.queues(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_that_has_waited_longer_than_aging_comes_before_higher_priorities() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.configure("orders").aging(SECOND).await.unwrap();
    client.push("orders", "old").await.unwrap();
    fake.advance(2 * SECOND);
    client.push("orders", "urgent").priority(9).await.unwrap();
    let message = client.pull("orders").await.unwrap().unwrap();
    assert_eq!(message.text(), Ok("old"));
}

#[tokio::test]
async fn a_window_of_the_rate_ends() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.configure("orders").rate(2).rate_period(SECOND).await.unwrap();
    client.push_many("orders", ["a", "b", "c"]).await.unwrap();
    assert_eq!(client.pull_many("orders", 3).await.unwrap().len(), 2);
    assert!(client.pull("orders").await.unwrap().is_none());
    fake.advance(SECOND);
    assert!(client.pull("orders").await.unwrap().is_some());
}

#[tokio::test]
async fn a_pull_that_waits_gets_what_becomes_ready() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "later").delay(SECOND).await.unwrap();
    let other = client.clone();
    let waiting = tokio::spawn(async move { other.pull("orders").block(60 * SECOND).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.info("orders").await.unwrap().blocked_clients, 1);
    fake.advance(SECOND);
    assert!(waiting.await.unwrap().unwrap().is_some());
}
