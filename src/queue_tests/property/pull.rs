//! Pulls.

use super::*;

impl Run<'_> {
    pub(super) fn pull(&mut self, name: &'static str) {
        let count = if self.random.bool() { 1 } else { self.random.u32(1..8) };
        let limit = if self.chance(4) { self.random.u32(..4) } else { 1_000_000 };
        let sweep = SweepLimit { limit, same_slot: self.random.bool() };
        if limit > 0 && !self.chance(4) {
            self.tick(name);
        }
        let consumer = self.chance(4).then(|| self.one_of(&CONSUMERS));
        let visibility_ms = self.random.u64(1..120);
        let how = match self.chance(8) {
            true => model::How::Final,
            false => model::How::Receipt { visibility_ms, consumer },
        };
        let claims = if self.chance(5) { self.claims_of(name) } else { Vec::new() };
        let mode = match how {
            model::How::Final => Mode::AtMostOnce,
            model::How::Receipt { visibility_ms, consumer } => {
                Mode::AtLeastOnce { visibility_ms, consumer: consumer.map(str::as_bytes) }
            }
        };
        let (settled, got) =
            self.server.pull_as(&queue(name), count, mode, sweep, claims.clone()).unwrap();
        let acknowledged: Vec<_> =
            claims.iter().map(|claim| (claim.id.0, claim.receipt.0)).collect();
        let receipts: Vec<u64> = got.iter().map(|message| message.receipt.0).collect();
        let pull = model::Pull {
            now_ms: self.server.now_ms,
            count: count.into(),
            how,
            limit: limit as usize,
            same_slot: sweep.same_slot,
            acknowledged: &acknowledged,
            receipts: &receipts,
        };
        let expected = self.model.pull(name, &pull);
        self.compare_acknowledged(&claims, &settled, &expected.acknowledged);
        if expected.acknowledged.contains(&1) {
            self.hit("acknowledged with a pull");
        }
        let ids: Vec<_> = got.iter().map(|message| message.id.0).collect();
        let expected_ids: Vec<_> = expected.messages.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, expected_ids, "what was delivered");
        assert_eq!(self.server.more_due, expected.more_due, "more is due");
        if got.is_empty() {
            self.hit("pulled nothing");
            self.was_sent_away = true;
        }
        let mut last = Receipt::NONE;
        for (message, (_, shown)) in got.iter().zip(&expected.messages) {
            self.check_message(message, shown);
            match how {
                model::How::Receipt { visibility_ms, consumer } => {
                    let until_ms = self.server.now_ms + visibility_ms;
                    assert_eq!(message.visibility_until_ms, until_ms);
                    // One that must be greater than the message's own last one leaves the others alone.
                    let own = self.deliveries.get(&message.id).map(|(last, _)| last.next());
                    if self.model.is_old || own != Some(message.receipt) {
                        assert!(message.receipt > last, "receipts of a pull rise");
                        last = message.receipt;
                    }
                    self.check_receipt(message);
                    self.deliveries.insert(message.id, (message.receipt, until_ms));
                    self.seen.push((name, message.claim()));
                    if consumer.is_some() {
                        self.hit("consumer");
                    }
                }
                model::How::Final => {
                    assert_eq!((message.receipt, message.visibility_until_ms), (Receipt::NONE, 0));
                    self.gone.insert(message.id);
                    self.final_deliveries += 1;
                    self.hit("at most once");
                }
            }
        }
    }

    fn check_message(&mut self, got: &Got, expected: &model::Message) {
        compare_fields(got, expected);
        let now_ms = self.server.now_ms;
        assert!(got.expires_at_ms.is_none_or(|ms| ms > now_ms), "delivered after its time");
        assert!(!self.gone.contains(&got.id), "gone and delivered again");
        if let Some((_, until_ms)) = self.deliveries.get(&got.id) {
            assert!(*until_ms <= now_ms, "delivered twice inside its visibility");
            self.hit("delivered again");
        }
        for (is_hit, what) in [
            (true, "delivered"),
            (got.death.is_some(), "dead letter delivered"),
            (!got.headers.is_empty(), "delivered with headers"),
            (got.priority > 0, "delivered with priority"),
            (got.group.is_some(), "delivered of a group"),
            (got.expires_at_ms.is_some(), "delivered with time to live"),
            (got.headers.iter().any(|(name, _)| name == b"mq-schedule"), "delivered of a schedule"),
            (got.last_error.is_some(), "delivered with the last error"),
        ] {
            if is_hit {
                self.hit(what);
            }
        }
    }

    fn check_receipt(&self, got: &Got) {
        if let Some((receipt, _)) = self.deliveries.get(&got.id) {
            assert!(got.receipt > *receipt, "receipts of a message rise");
        }
    }
}

/// What a client is shown of a message.
pub(super) fn compare_fields(got: &Got, expected: &model::Message) {
    let as_bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    assert_eq!(got.payload, expected.payload);
    assert_eq!(got.retry_count, expected.retries);
    assert_eq!(got.id.timestamp_ms(), expected.pushed_ms);
    let headers = expected.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    assert_eq!(got.headers, headers);
    assert_eq!(got.priority, expected.priority);
    assert_eq!(got.group, as_bytes(expected.group));
    assert_eq!(got.expires_at_ms, expected.expires_ms);
    assert_eq!(got.last_error, as_bytes(expected.last_error));
    assert_eq!(got.deliveries, expected.deliveries);
    let death = expected.death.as_ref().map(|death| Death {
        from: queue(death.from),
        at_ms: death.at_ms,
        reason: match death.cause {
            model::Cause::Retries => DeathReason::Retries,
            model::Cause::Rejected => DeathReason::Rejected,
            model::Cause::Expired => DeathReason::Expired,
        },
        retries: death.retries,
    });
    assert_eq!(got.death, death);
}
