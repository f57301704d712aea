use redis_mq::{HandlerError, Worker};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redis = redis::Client::open(std::env::var("REDIS_URL")?)?;
    let worker = Worker::new(redis, "orders", |message, _cancelled| async move {
        let order = message.text()?; // any error: again after the queue's backoff
        if order.is_empty() {
            return Err(HandlerError::dead("no order")); // to the dead-letter queue
        }
        println!("processed {order}");
        Ok(()) // acknowledges the message
    });
    worker.concurrency(16).run().await?; // until SIGTERM or Ctrl-C
    Ok(())
}
