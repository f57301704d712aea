//! What the worker does beside what the contract shows: middleware, panics, its end by a token.

use redis_mq::testing::Fake;
use redis_mq::{CancellationToken, Client, Error, HandlerError, Worker};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::ZERO;

#[tokio::test]
async fn middleware_is_around_the_handler_the_last_one_outermost() {
    let fake = Fake::new();
    Client::new(fake.clone()).push("orders", "a").await.unwrap();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let say = |step: &'static str| {
        let steps = Arc::clone(&steps);
        move || steps.lock().unwrap().push(step)
    };
    let (inner, outer, handler) = (say("inner"), say("outer"), say("handler"));
    let worker = Worker::new(fake, "orders", move |_, _| {
        handler();
        async { Ok(()) }
    })
    .middleware(move |message, cancelled, next| {
        inner();
        async move { next.run(message, cancelled).await }
    })
    .middleware(move |message, cancelled, next| {
        outer();
        async move { next.run(message, cancelled).await }
    });
    worker.run_until_empty(SOON).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), ["outer", "inner", "handler"]);
}

#[tokio::test]
async fn a_handler_that_panics_has_failed() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.configure("orders").max_retries(0).await.unwrap();
    client.push("orders", "a").await.unwrap();
    let worker = Worker::new(fake, "orders", |message, _| async move {
        assert_eq!(message.text()?, "b");
        Ok(())
    });
    worker.run_until_empty(SOON).await.unwrap();
    let dead = client.pull("{orders}:dead").await.unwrap().unwrap();
    assert_eq!(dead.last_error.as_deref(), Some("the handler panicked"));
    assert_eq!(dead.death.unwrap().reason, "retries");
}

#[tokio::test]
async fn so_has_one_that_panics_before_it_returns_a_future() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.configure("orders").max_retries(0).await.unwrap();
    client.push("orders", "a").await.unwrap();
    let worker = Worker::new(fake, "orders", |message, _| {
        assert_eq!(message.text().unwrap(), "b");
        async { Ok(()) }
    });
    worker.run_until_empty(SOON).await.unwrap();
    assert_eq!(client.len("{orders}:dead", None).await.unwrap(), 1);
}

#[tokio::test]
async fn a_return_that_the_server_refuses_does_not_end_it() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "a").await.unwrap();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let worker = Worker::new(fake, "orders", move |_, _| {
        stopping.cancel();
        async { Err(HandlerError::retry(Duration::MAX, "in the next life")) }
    });
    worker.run_until(stop.cancelled()).await.unwrap();
    assert_eq!(client.info("orders").await.unwrap().inflight, 1);
}

#[tokio::test]
async fn a_dead_letter_is_given_back_instead_of_dying_again() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "a").await.unwrap();
    let message = client.pull("orders").await.unwrap().unwrap();
    client.nack(&message).dead().await.unwrap();
    let reject = |_, _| async { Err(HandlerError::dead("no")) };
    Worker::new(fake, "{orders}:dead", reject).run_until_empty(SOON).await.unwrap();
    let info = client.info("{orders}:dead").await.unwrap();
    assert_eq!((info.delayed, info.nacked), (1, 1));
}

#[tokio::test]
async fn a_token_ends_it_while_it_waits() {
    let stop = CancellationToken::new();
    let worker = Worker::new(Fake::new(), ["orders", "mails"], |_, _| async { Ok(()) });
    let stopped = stop.clone();
    let run = tokio::spawn(async move { worker.run_until(stopped.cancelled()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!run.is_finished());
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(3), run).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn handlers_that_ignore_their_cancellation_are_dropped_and_their_messages_released() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "a").await.unwrap();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let worker = Worker::new(fake, "orders", move |_, _| {
        stopping.cancel();
        std::future::pending()
    })
    .grace(Duration::from_millis(50));
    worker.run_until(stop.cancelled()).await.unwrap();
    let message = client.pull("orders").await.unwrap().unwrap();
    assert_eq!((message.retry_count, message.deliveries), (0, Some(2)));
}

#[tokio::test]
async fn what_a_shutdown_gives_back_keeps_its_place_and_what_a_handler_releases_does_not() {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push_many("orders", ["released", "held", "backlog"]).await.unwrap();
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let worker = Worker::new(fake, "orders", move |message, cancelled| {
        let stopping = stopping.clone();
        async move {
            if message.payload == "held" {
                stopping.cancel();
                cancelled.cancelled().await;
            }
            Err(HandlerError::Release)
        }
    })
    .concurrency(1)
    .grace(Duration::from_millis(50));
    worker.run_until(stop.cancelled()).await.unwrap();
    let left = client.peek("orders").await.unwrap();
    let left: Vec<_> = left.iter().map(|message| message.text().unwrap()).collect();
    assert_eq!(left, ["held", "backlog", "released"]);
}

#[tokio::test]
async fn no_length_of_time_is_too_long_for_it() {
    let fake = Fake::new();
    Client::new(fake.clone()).publish("orders", "a").patience(Duration::MAX).await.unwrap();
    let worker = Worker::new(fake, "orders", |_, _| async { Ok(()) })
        .grace(Duration::MAX)
        .max_processing(Duration::MAX)
        .ack_delay(Duration::MAX);
    worker.run_until_empty(Duration::MAX).await.unwrap();
    for worker in [
        worker.block(Duration::MAX),
        Worker::new(Fake::new(), "orders", |_, _| async { Ok(()) }).visibility(Duration::MAX),
    ] {
        assert!(matches!(worker.run_until_empty(SOON).await, Err(Error::InvalidArgument(_))));
    }
}

#[tokio::test]
async fn what_does_not_pass_by_itself_ends_it() {
    let worker = Worker::new(Fake::new(), "{orders}", |_, _| async { Ok(()) });
    let error = worker.run_until(std::future::pending()).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
    let worker = Worker::new(Fake::new(), Vec::<String>::new(), |_, _| async { Ok(()) });
    assert!(worker.run_until(std::future::pending()).await.is_err());
}
