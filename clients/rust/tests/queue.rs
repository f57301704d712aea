//! The queue in four methods.

use redis_mq::testing::Fake;
use redis_mq::{Client, Error, Queue, RedisQueue};
use std::time::Duration;

#[tokio::test]
async fn a_message_is_acknowledged_without_its_queue() {
    let fake = Fake::new();
    let queue = RedisQueue::over(Client::new(fake.clone()), Duration::from_secs(5));
    queue.push_message("orders", b"hello").await.unwrap();
    let message = queue.pull_message("orders", None).await.unwrap().unwrap();
    assert_eq!(message.visibility_until, Some(fake.now() + Duration::from_secs(5)));
    assert!(queue.pull_message("orders", None).await.unwrap().is_none());

    let refused = queue.ack(&message.id, "0000000000000000").await.unwrap_err();
    assert!(matches!(refused, Error::InvalidReceipt(_)), "{refused}");
    let receipt = message.receipt.unwrap();
    queue.ack(&message.id, &receipt).await.unwrap();
    let refused = queue.ack(&message.id, &receipt).await.unwrap_err();
    assert!(matches!(refused, Error::MessageNotFound(_)), "{refused}");
    queue.close().await.unwrap();
}

#[tokio::test]
async fn a_message_of_another_consumer_is_not_found() {
    let fake = Fake::new();
    let queue = || RedisQueue::over(Client::new(fake.clone()), None);
    let (one, other) = (queue(), queue());
    one.push_message("orders", b"hello").await.unwrap();
    let pulled = one.pull_message("orders", Duration::from_secs(1)).await.unwrap().unwrap();
    let refused = other.ack(&pulled.id, &pulled.receipt.unwrap()).await.unwrap_err();
    assert!(matches!(refused, Error::MessageNotFound(_)), "{refused}");
}
