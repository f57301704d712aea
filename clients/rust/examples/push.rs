use redis_mq::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redis = redis::Client::open(std::env::var("REDIS_URL")?)?;
    let client = Client::new(redis.get_connection_manager().await?);
    let id = client.publish("orders", "order 17").header("type", "order").await?;
    println!("pushed {id}");
    Ok(())
}
