//! A producer of a load: pushes messages with all kinds of options, and those with a DEDUP key again
//! when it was not told what became of them.

use super::{
    journal::{Kept, Push, Tag, Told},
    load::{Line, Shared},
};
use crate::harness::*;
use std::{thread, time::Duration};

/// A producer's tags rise by one from here.
const TAGS: Tag = 1_000_000;

/// Digits of some payloads: their bodies are stored apart from their deliveries.
const LARGE: usize = 5000;

pub fn produce(shared: &std::sync::Arc<Shared>, number: u64) {
    let mut random = fastrand::Rng::with_seed(shared.plan.seed.wrapping_add(number));
    let mut line = Line::new(shared);
    let mut tag = number * TAGS;
    while shared.is_producing() {
        tag += 1;
        let (options, group) = options(&mut random, number, tag);
        let is_repeatable = options.contains("DEDUP");
        let digits = if random.u8(0..10) == 0 { LARGE } else { 1 };
        let command = format!("MQ.PUSH {} {tag:0digits$} {options}", shared.plan.queue);
        if shared.plan.vanishing && random.u8(0..40) == 0 {
            let when = line.vanish(&command);
            let (told, kept) = (Told::Nothing, Kept::Perhaps);
            shared.journal.write().pushes.push(Push { tag, id: None, group, when, told, kept });
            continue;
        }
        let command: Vec<&str> = command.split_whitespace().collect();
        loop {
            let (when, reply) = line.call(&command);
            let (id, told) = match reply {
                Ok(id) => (Some(text_of(&id)), Told::Done),
                Err(told) => (None, told),
            };
            let kept = if told == Told::Done { line.confirm() } else { Kept::Perhaps };
            let is_unknown = told == Told::Nothing;
            let push = Push { tag, id, group: group.clone(), when, told, kept };
            shared.journal.write().pushes.push(push);
            if !is_unknown || !is_repeatable || !shared.is_producing() {
                break;
            }
        }
        thread::sleep(Duration::from_micros(random.u64(0..2000)));
    }
}

/// The options of a push, and its group. A group is that of one producer.
fn options(random: &mut fastrand::Rng, producer: u64, tag: Tag) -> (String, Option<String>) {
    match random.u8(0..100) {
        0..40 => (String::new(), None),
        40..50 => (format!("PRIORITY {}", random.u8(1..=9)), None),
        50..58 => (format!("DELAY {}", random.u8(1..=200)), None),
        58..62 => ("TTL 3600000".into(), None),
        62..70 => (format!("DEDUP key-{tag}"), None),
        70..75 => (format!("DEDUP key-{tag} UNTILDONE"), None),
        75..80 => ("HEADERS 1 kind test".into(), None),
        _ => {
            let group = format!("group-{producer}-{}", random.u8(0..3));
            (format!("GROUP {group}"), Some(group))
        }
    }
}
