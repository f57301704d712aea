//! A consumer of a load: acknowledges most of what it gets, nacks, rejects, extends, comes late,
//! forgets, hangs up. When the producers are done it only acknowledges.

use super::{
    journal::{Delivery, During, How, Kept, Settlement, Told},
    load::{Line, Shared, settled},
};
use crate::harness::*;
use std::sync::Arc;

pub fn consume(shared: &Arc<Shared>, number: u64) {
    let seed = shared.plan.seed.wrapping_mul(31).wrapping_add(number);
    let mut consumer = Consumer {
        random: fastrand::Rng::with_seed(seed),
        line: Line::new(shared),
        done: Vec::new(),
    };
    while shared.is_consuming() {
        if shared.is_producing() { consumer.work() } else { consumer.take_the_rest() }
    }
}

struct Consumer<'a> {
    random: fastrand::Rng,
    line: Line<'a>,
    /// To be acknowledged with the next pull.
    done: Vec<Delivery>,
}

impl Consumer<'_> {
    fn work(&mut self) {
        let queue = self.line.shared.plan.queue;
        let dead_letters = self.line.shared.plan.dead_letter_queue();
        let done = std::mem::take(&mut self.done);
        let mut command = match self.random.u8(0..10) {
            0..3 if done.is_empty() => format!("MQ.MPULL 2 {queue} {dead_letters}"),
            _ => format!("MQ.PULL {queue}"),
        };
        command += &format!(" VISIBILITY {}", self.random.u16(50..500));
        if self.random.bool() {
            command += &format!(" COUNT {}", self.random.u8(1..6));
        }
        if self.random.bool() {
            command += " BLOCK 20";
        }
        if self.random.u8(0..4) == 0 {
            command += " CONSUMER worker";
        }
        let is_bound_to_connection = self.random.u8(0..8) == 0;
        if is_bound_to_connection {
            command += " ONDISCONNECT";
        }
        if self.line.shared.plan.vanishing && done.is_empty() && self.random.u8(0..40) == 0 {
            self.line.vanish(&command);
            return;
        }
        let deliveries = self.pull(&command, &done);
        let connections = self.line.connections;
        for delivery in &deliveries {
            self.handle(delivery);
        }
        if is_bound_to_connection {
            self.hang_up(&deliveries, self.line.connections == connections);
        }
    }

    fn take_the_rest(&mut self) {
        let queue = self.line.shared.plan.queue;
        let dead_letters = self.line.shared.plan.dead_letter_queue();
        let done = std::mem::take(&mut self.done);
        for delivery in &done {
            self.settle(delivery, How::Acknowledge, "");
        }
        let command =
            format!("MQ.MPULL 2 {queue} {dead_letters} COUNT 20 VISIBILITY 2000 BLOCK 20");
        for delivery in self.pull(&command, &[]) {
            self.settle(&delivery, How::Acknowledge, "");
        }
    }

    /// Acknowledges what is done, pulls, and writes down both.
    fn pull(&mut self, command: &str, done: &[Delivery]) -> Vec<Delivery> {
        let mut words: Vec<String> = command.split_whitespace().map(String::from).collect();
        if !done.is_empty() {
            words.extend(["ACK".into(), done.len().to_string()]);
            for delivery in done {
                words.extend([delivery.id.clone(), delivery.receipt.clone()]);
            }
        }
        let (when, reply) = self.line.call(&words);
        let (outcomes, pulled) = match reply {
            Ok(Value::Array(both)) if !done.is_empty() => {
                let outcomes = items(&both[0]).iter().map(|one| settled(Ok(one.clone())));
                (outcomes.collect(), both[1].clone())
            }
            Ok(pulled) => (Vec::new(), pulled),
            // What came after the acknowledgments may have failed alone.
            Err(_) => (vec![Told::Nothing; done.len()], Value::Nil),
        };
        let confirmed = if outcomes.is_empty() { Kept::Perhaps } else { self.line.confirm() };
        let kept = self.line.kept_delivery();
        let deliveries = deliveries(&pulled, when, kept);
        let mut journal = self.line.shared.journal.write();
        for (delivery, told) in done.iter().zip(outcomes) {
            let settlement = settlement(delivery, How::Acknowledge, when, told, confirmed);
            journal.settlements.push(settlement);
        }
        journal.deliveries.extend(deliveries.iter().cloned());
        deliveries
    }

    fn handle(&mut self, delivery: &Delivery) {
        match self.random.u8(0..100) {
            0..52 => self.settle(delivery, How::Acknowledge, ""),
            52..70 => self.done.push(delivery.clone()),
            70..76 => self.settle(delivery, How::Nack, "DELAY 30"),
            76..80 => self.settle(delivery, How::Nack, "REASON broken"),
            80..84 => self.settle(delivery, How::NackUncounted, "NOCOUNT"),
            84..86 if delivery.death.is_none() => self.settle(delivery, How::Reject, "DEAD"),
            86..90 => {
                self.settle(delivery, How::Extend, "VISIBILITY 1000");
                self.settle(delivery, How::Acknowledge, "");
            }
            90..92 => {
                self.oversleep(delivery);
                self.settle(delivery, How::Extend, "VISIBILITY 1000");
                self.settle(delivery, How::Acknowledge, "");
            }
            92..94 => {
                self.oversleep(delivery);
                self.settle(delivery, How::Acknowledge, "");
            }
            // Forgotten: its visibility ends.
            _ => {}
        }
    }

    fn settle(&mut self, delivery: &Delivery, how: How, more: &str) {
        let verb = match how {
            How::Acknowledge => "MQ.ACK",
            How::Extend => "MQ.EXTEND",
            _ => "MQ.NACK",
        };
        let queue = match delivery.death {
            Some(_) => self.line.shared.plan.dead_letter_queue(),
            None => self.line.shared.plan.queue.to_string(),
        };
        let Delivery { id, receipt, .. } = delivery;
        let command = format!("{verb} {queue} {id} {receipt} {more}");
        let words: Vec<&str> = command.split_whitespace().collect();
        let (when, reply) = self.line.call(&words);
        // EXTEND replies the new moment.
        let told =
            if how == How::Extend { settled(reply.map(|_| Value::Okay)) } else { settled(reply) };
        let was_late = how == How::Extend && when.ended_ms() >= delivery.until_ms;
        let told = match told {
            Told::Refused(_) if was_late && !self.line.shared.plan.late_extensions => {
                Told::Refused("LATE".into())
            }
            told => told,
        };
        let kept = if told == Told::Done { self.line.confirm() } else { Kept::Perhaps };
        let settlement = settlement(delivery, how, when, told, kept);
        self.line.shared.journal.write().settlements.push(settlement);
    }

    fn oversleep(&mut self, delivery: &Delivery) {
        sleep_until_ms(delivery.until_ms.min(now_ms() + 1000) + 10);
    }

    /// Closes the connection of these deliveries: they come back. It may have been closed before, even before
    /// the reply with them was read.
    fn hang_up(&mut self, deliveries: &[Delivery], is_same: bool) {
        let now_us = super::now_us();
        self.line.hang_up();
        let mut journal = self.line.shared.journal.write();
        for delivery in deliveries {
            let mut when = During { began_us: now_us, ended_us: now_us };
            if !is_same || !journal.is_calm(&delivery.when, &when) {
                when.began_us = delivery.when.began_us;
            }
            let hang_up = settlement(delivery, How::HangUp, when, Told::Done, Kept::Perhaps);
            journal.settlements.push(hang_up);
        }
    }
}

fn deliveries(pulled: &Value, when: During, kept: Kept) -> Vec<Delivery> {
    let messages: Vec<Message> = match pulled {
        Value::Nil => Vec::new(),
        Value::Array(list) if list.iter().all(|one| matches!(one, Value::Array(_))) => {
            list.iter().map(Message::from).collect()
        }
        one => vec![Message::from(one)],
    };
    let death = |message: &Message| {
        let reason = message.more.get("dead_reason")?.clone();
        Some((reason, message.more["dead_retries"].parse().expect("a retry count")))
    };
    let delivery = |message: Message| Delivery {
        tag: message.text().parse().expect("a tag"),
        death: death(&message),
        id: message.id,
        receipt: message.receipt,
        retry_count: message.retry_count,
        until_ms: message.visibility_until,
        when,
        kept,
    };
    messages.into_iter().map(delivery).collect()
}

fn settlement(delivery: &Delivery, how: How, when: During, told: Told, kept: Kept) -> Settlement {
    Settlement { tag: delivery.tag, receipt: delivery.receipt.clone(), how, when, told, kept }
}
