use redis_mq::testing::Fake;
use redis_mq::{Client, Worker};
use std::time::Duration;

#[tokio::main]
async fn main() -> redis_mq::Result<()> {
    let fake = Fake::new();
    let client = Client::new(fake.clone());
    client.push("orders", "later").delay(Duration::from_secs(60)).await?;
    fake.advance(Duration::from_secs(60));
    let worker = Worker::new(fake, "orders", |message, _cancelled| async move {
        assert_eq!(message.text()?, "later");
        Ok(())
    });
    worker.run_until_empty(Duration::ZERO).await?;
    assert_eq!(client.len("orders", None).await?, 0);
    Ok(())
}
