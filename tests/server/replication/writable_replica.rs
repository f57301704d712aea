//! A replica that takes writes (`replica-read-only no`): it has no timer, so nobody can wait there.

use crate::harness::*;

#[test]
fn a_pull_on_a_writable_replica_does_not_block() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = replica.client();
    client.ask("CONFIG SET replica-read-only no");
    client.push("own", "one");
    for line in ["MQ.PULL own BLOCK 0", "MQ.PULL own BLOCK 1000", "MQ.MPULL 2 a own BLOCK 0"] {
        assert_eq!(client.refused(line), "ERR BLOCK can't be used on a replica", "{line}");
    }
    let message = client.pull("own");
    client.acknowledge(&message);
    assert_eq!(client.number("MQ.LEN own"), 0);
    client.ask("REPLICAOF NO ONE");
    let waiting = replica.waiting("MQ.PULL own BLOCK 0");
    client.push("own", "two");
    assert_eq!(waiting.message().0.text(), "two");
}

#[test]
fn a_pull_on_a_writable_replica_moves_all_that_is_due() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = replica.client();
    client.ask("CONFIG SET replica-read-only no");
    client.ask("MQ.CONFIG own MAXRETRIES 0");
    let push = "for n = 1, 300 do redis.call('MQ.PUSH', KEYS[1], n) end
        redis.call('MQ.PULL', KEYS[1], 'COUNT', 300, 'VISIBILITY', 50)
        redis.call('MQ.PUSH', KEYS[1], 'last', 'DELAY', 60)";
    client.reply(&["EVAL", push, "1", "own"]).expect("messages in flight");
    sleep_until_ms(now_ms() + 200);
    // None of those that die can be delivered, and no timer moves them.
    assert_eq!(client.pull("own").text(), "last");
}
