//! MQ.PULL and MQ.MPULL of the fake: what can be tried again until something can be delivered.

use super::Refusal;
use super::arguments::{Arguments, YEAR_MS, unknown};
use super::stored::As;
use super::world::World;
use redis::Value;

#[derive(Debug)]
pub struct Pull {
    pub queues: Vec<String>,
    /// How long it waits, in milliseconds. 0: for ever; `None`: not at all.
    pub block: Option<u64>,
    count: Option<usize>,
    visibility: Option<u64>,
    consumer: Option<String>,
    no_ack: bool,
    acknowledged: Option<Vec<i64>>,
}

impl Pull {
    /// Reads the arguments, and acknowledges.
    pub fn parse(command: &str, mut words: Arguments, world: &mut World) -> Result<Self, Refusal> {
        let is_one = command == "MQ.PULL";
        let queues =
            if is_one { vec![words.queue()?] } else { words.list(1024, Arguments::queue)? };
        let mut pull = Self {
            queues,
            block: None,
            count: None,
            visibility: None,
            consumer: None,
            no_ack: false,
            acknowledged: None,
        };
        let mut pairs = None;
        while let Some(option) = words.option()? {
            match option.as_str() {
                "COUNT" => pull.count = usize::try_from(words.integer(1, 10_000)?).ok(),
                "VISIBILITY" => pull.visibility = Some(words.milliseconds(1, YEAR_MS)?),
                "BLOCK" => pull.block = Some(words.milliseconds(0, YEAR_MS)?),
                "CONSUMER" => pull.consumer = Some(words.name()?),
                "ONDISCONNECT" | "NOCOUNT" => {} // its connections never close
                "GRACE" => {
                    words.milliseconds(0, YEAR_MS)?;
                }
                "NOACK" => pull.no_ack = true,
                "ACK" if is_one => pairs = Some(words.list(10_000, Arguments::pair)?),
                _ => return unknown(&option),
            }
        }
        words.only_with(&["NOCOUNT", "GRACE"], "ONDISCONNECT")?;
        for other in ["VISIBILITY", "CONSUMER", "ONDISCONNECT"] {
            words.exclusive(&["NOACK", other])?;
        }
        for queue in &pull.queues {
            world.used(queue);
        }
        let queue = world.queue(&pull.queues[0]);
        pull.acknowledged = pairs.map(|pairs| {
            pairs.iter().map(|(id, receipt)| queue.acknowledge(id, receipt)).collect()
        });
        Ok(pull)
    }

    /// Takes the messages that can be delivered now.
    pub fn take(&self, world: &mut World) -> Vec<Value> {
        for name in &self.queues {
            let mut messages = Vec::new();
            while messages.len() < self.count.unwrap_or(1) {
                let receipt = world.next_receipt();
                let queue = world.queue(name);
                let visibility = self.visibility.or(queue.time("visibility"));
                let visibility = visibility.filter(|_| !self.no_ack);
                match queue.deliver(visibility, self.consumer.as_deref(), receipt) {
                    Some(message) => messages.push(message.shown(name, As::Delivery)),
                    None => break,
                }
            }
            if !messages.is_empty() {
                return messages;
            }
        }
        Vec::new()
    }

    /// The reply with these messages.
    pub fn reply(&self, mut messages: Vec<Value>) -> Value {
        let reply = match self.count {
            Some(_) => Value::Array(messages),
            None => messages.pop().unwrap_or(Value::Nil),
        };
        match &self.acknowledged {
            Some(answers) => {
                let answers = answers.iter().copied().map(Value::Int).collect();
                Value::Array(vec![Value::Array(answers), reply])
            }
            None => reply,
        }
    }
}
