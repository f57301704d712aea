//! Administration: remove, move, pause, configure.

use std::collections::BTreeSet;

use super::{Cause, Death, End, Id, Message, Model, Pause};

/// Which messages go where.
#[derive(Debug, Clone)]
pub struct Redrive {
    pub now: u64,
    pub inspect: u64,
    pub count: u64,
    pub to: Option<&'static str>,
    pub same_slot: bool,
    /// These; None: all dead letters behind `after` that died until `until_ms`.
    pub ids: Option<Vec<Id>>,
    pub after: Option<(u64, Id)>,
    pub until_ms: u64,
    pub from: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub takes_others: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Redriven {
    pub moved: u64,
    pub last: Option<(u64, Id)>,
    pub has_more: bool,
}

impl Model {
    /// How many there were of these. Those in flight go last, ordered by id: in this order their groups
    /// are scheduled again.
    pub fn delete(&mut self, name: &'static str, ids: &[Id]) -> u64 {
        let inflight: BTreeSet<_> = self.queue(name).peek_inflight().into_iter().collect();
        let others = ids.iter().filter(|id| !inflight.contains(*id));
        let inflight = inflight.iter().filter(|id| ids.contains(id));
        let mut deleted = 0;
        for id in others.chain(inflight) {
            if let Some(message) = self.queue(name).messages.get(id) {
                let hit = match message {
                    message if message.is_inflight() => "deleted in flight",
                    message if message.is_delayed() => "deleted while delayed",
                    _ => "deleted while waiting",
                };
                self.remove(name, *id);
                self.hit(hit);
                deleted += 1;
            }
        }
        self.count("deleted", deleted);
        deleted
    }

    /// How many messages there were. Settings, the pause and the window of the rate stay.
    pub fn purge(&mut self, name: &'static str) -> u64 {
        let queue = self.queue(name);
        let deleted = queue.messages.len() as u64;
        queue.messages.clear();
        queue.keys.clear();
        queue.turns.clear();
        self.count("deleted", deleted);
        deleted
    }

    /// True if there was anything of the queue.
    pub fn drop_queue(&mut self, name: &'static str) -> bool {
        let queue = self.queues.remove(name).unwrap_or_default();
        self.count("deleted", queue.messages.len() as u64);
        queue.exists()
    }

    /// True if the message was delayed: it gets another due time, or is ready at once.
    pub fn reschedule(&mut self, name: &'static str, id: Id, now: u64, due_ms: u64) -> bool {
        let Some(message) = self.queue(name).messages.get_mut(&id) else { return false };
        if !message.is_delayed() {
            return false;
        }
        if due_ms > now {
            message.place = super::Place::Delayed { due_ms };
        } else {
            self.wait_behind(name, id, now);
        }
        true
    }

    /// How many messages were redriven, and the last inspected dead letter. More may follow if one of
    /// the limits was reached.
    pub fn redrive(&mut self, name: &'static str, ask: &Redrive) -> Redriven {
        let Redrive { now, mut inspect, mut count, .. } = *ask;
        let takes_others = ask.takes_others && ask.to.is_some();
        let mut redriven = Redriven::default();
        let fits = |death: &Death, message: &Message| {
            let word = match death.cause {
                Cause::Retries => "retries",
                Cause::Rejected => "rejected",
                Cause::Expired => "expired",
            };
            ask.from.is_none_or(|from| from == death.from)
                && ask.reason.is_none_or(|why| why == word || message.last_error == Some(why))
        };
        if let Some(ids) = &ask.ids {
            for id in ids {
                let message = self.queue(name).messages.get(id);
                let Some(message) = message.filter(|message| message.is_waiting()) else {
                    continue;
                };
                let is_wanted = match &message.death {
                    Some(death) => fits(death, message),
                    None => takes_others,
                };
                if is_wanted && self.send(name, *id, ask) {
                    redriven.moved += 1;
                }
            }
            self.count("redriven", redriven.moved);
            return redriven;
        }
        let messages = self.queue(name).messages.iter();
        let waiting = messages.filter(|(_, message)| message.is_waiting());
        let mut dead: Vec<_> = waiting
            .filter_map(|(id, message)| {
                let death = message.death.as_ref()?;
                let place = (death.at_ms, *id);
                let is_next = ask.after.is_none_or(|after| after < place);
                let is_in_time = death.at_ms <= ask.until_ms;
                (is_next && is_in_time).then(|| (place, fits(death, message)))
            })
            .collect();
        dead.sort();
        for (place, is_wanted) in dead {
            if inspect == 0 || count == 0 {
                break;
            }
            inspect -= 1;
            redriven.last = Some(place);
            if is_wanted {
                count -= 1;
                redriven.moved += u64::from(self.send(name, place.1, ask));
            }
        }
        let can_go = ask.to.is_some_and(|to| to != name && Self::can_go(name, to, ask.same_slot));
        while takes_others && can_go && inspect > 0 && count > 0 {
            let Some(id) = self.peek_ready(name, now).first().copied() else { break };
            if self.message(name, id).is_expired(now) {
                if self.message(name, id).dies_at_end() {
                    break;
                }
                inspect -= 1;
                self.discard(name, id);
                continue;
            }
            inspect -= 1;
            count -= 1;
            assert!(self.send(name, id, ask));
            redriven.moved += 1;
            self.hit("one that never died was redriven");
        }
        redriven.has_more = inspect == 0 || count == 0;
        self.count("redriven", redriven.moved);
        redriven
    }

    /// False, and nothing done, if the queue can't take it.
    fn send(&mut self, name: &'static str, id: Id, ask: &Redrive) -> bool {
        let died_in = self.message(name, id).death.as_ref().map(|death| death.from);
        let target = ask.to.or(died_in).unwrap();
        if target == name || !Self::can_go(name, target, ask.same_slot) {
            self.hit("a dead letter could not go back");
            return false;
        }
        let mut message = self.remove(name, id);
        if message.death.take().is_some() {
            message.expires_ms = None;
            message.dies = false;
            if message.group.is_some() {
                self.hit("a dead letter of a group went back");
            }
        }
        let message =
            Message { retries: 0, end: End::NoneYet, sequence: None, key: None, ..message };
        self.queue(target).messages.insert(id, message);
        self.wait_behind(target, id, ask.now);
        true
    }

    pub fn pause(&mut self, name: &'static str, until_ms: Option<u64>) {
        self.queue(name).pause = Some(until_ms.map_or(Pause::UntilResumed, Pause::Until));
    }

    pub fn resume(&mut self, name: &'static str) {
        self.queue(name).pause = None;
    }

    /// A setting as text; None for its default.
    pub fn configure(&mut self, name: &'static str, setting: &'static str, text: Option<String>) {
        let settings = &mut self.queue(name).settings;
        let before = settings.get(setting).cloned();
        match text {
            Some(text) => settings.insert(setting, text),
            None => settings.remove(setting),
        };
        if setting == "expires" && self.queue(name).settings.get(setting) != before.as_ref() {
            self.queue(name).used_ms = None;
        }
        if setting == "groupinflight" {
            self.settle_all(name);
        }
    }
}
