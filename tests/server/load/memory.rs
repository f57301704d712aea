//! Nothing piles up: not by messages that come and go, nor by queues, nor by clients that wait.

use crate::harness::*;

fn used_memory(client: &mut Client) -> i64 {
    client.info("memory")["used_memory"].parse().expect("a number of bytes")
}

/// Runs a round several times; the server must not have more memory after the last than after the
/// second, but for a little that the server itself varies.
#[track_caller]
fn does_not_grow(server: &Server, mut round: impl FnMut(&mut Client)) {
    let mut client = server.client();
    round(&mut client);
    round(&mut client);
    assert_eq!(client.number("DBSIZE"), 0);
    let before = used_memory(&mut client);
    for _ in 0..4 {
        round(&mut client);
    }
    let mut grown = 0;
    eventually("the memory is as before", || {
        grown = used_memory(&mut client) - before;
        grown < 200_000
    });
}

#[test]
fn messages_that_come_and_go_leave_no_memory_behind() {
    let server = Server::start();
    let script = "for n = 1, 3000 do
        redis.call('MQ.PUSH', KEYS[1], string.rep('x', 100))
        local m = redis.call('MQ.PULL', KEYS[1])
        redis.call('MQ.NACK', KEYS[1], m[2], m[14], 'DELAY', 0)
        m = redis.call('MQ.PULL', KEYS[1])
        redis.call('MQ.EXTEND', KEYS[1], m[2], m[14])
        redis.call('MQ.ACK', KEYS[1], 'IDS', 2, m[2], m[14], 'x', 'y')
        redis.call('MQ.INFO', KEYS[1])
        redis.call('MQ.QUEUES')
        redis.pcall('MQ.PUSH', 'a{}b', 'x')
        redis.pcall('MQ.ACK', KEYS[1], m[2], m[14])
        redis.pcall('MQ.APPLY', KEYS[1], 'garbage')
    end";
    does_not_grow(&server, |client| {
        client.reply(&["EVAL", script, "1", "orders"]).expect("a round");
    });
}

#[test]
fn queues_that_come_and_go_leave_no_memory_behind() {
    let server = Server::start();
    let script = "for n = 1, 5000 do
        local queue = ARGV[1] .. n
        redis.call('MQ.PUSH', queue, 'x')
        redis.call('MQ.PUSH', queue, 'x', 'DELAY', '100000')
        redis.call('MQ.CONFIG', queue, 'DELAY', '5')
    end
    redis.call('FLUSHALL')";
    let mut rounds = 0;
    does_not_grow(&server, |client| {
        rounds += 1;
        client.reply(&["EVAL", script, "0", &format!("queue-{rounds}-")]).expect("a round");
    });
    assert_eq!(server.client().ask("MQ.QUEUES"), Value::Array(vec![]));
}

#[test]
fn clients_that_wait_and_go_leave_no_memory_behind() {
    let server = Server::start();
    does_not_grow(&server, |client| {
        for round in 0..5 {
            let mut waiting: Vec<Client> = (0..60).map(|_| server.client()).collect();
            for (number, one) in (1..).zip(&mut waiting) {
                one.send("MQ.PULL orders BLOCK 0");
                // With I/O threads what several clients send is processed in any order.
                eventually("it waits", || client.queue_info("orders", "blocked_clients") == number);
            }
            // Some are served, some unblocked, the others go.
            for one in &mut waiting[..20] {
                client.push("orders", "x");
                let message = Message::from(&one.next_reply().expect("a message"));
                client.acknowledge(&message);
            }
            waiting.truncate(if round % 2 == 0 { 20 } else { 40 });
            drop(waiting);
            eventually("nobody waits", || client.queue_info("orders", "blocked_clients") == 0);
        }
    });
}

#[test]
fn queues_that_were_flushed_are_forgotten() {
    let server = Server::start();
    let mut client = server.client();
    client.push("first", "x");
    client.ask("FLUSHALL");
    let before = used_memory(&mut client);
    let script = "for n = 1, 5000 do redis.call('MQ.PUSH', 'queue-' .. n, 'x') end";
    client.reply(&["EVAL", script, "0"]).expect("many queues");
    eventually("all are counted", || client.info("mq")["mq_queues"] == "5000");
    // New queues let the timer look at others, which is over by then.
    sleep_until_ms(now_ms() + 2_000);
    client.ask("FLUSHALL");
    assert_eq!(client.info("mq")["mq_queues"], "0");
    let mut grown = 0;
    eventually("they are forgotten", || {
        grown = used_memory(&mut client) - before;
        grown < 2_500_000
    });
}

#[test]
fn what_is_remembered_of_a_queue_is_small() {
    let server = Server::start();
    let mut client = server.client();
    client.push("first", "x");
    let before = used_memory(&mut client);
    let script = "for n = 1, 20000 do redis.call('MQ.PUSH', 'queue-' .. n, 'x') end";
    client.reply(&["EVAL", script, "0"]).expect("many queues");
    let grown = used_memory(&mut client) - before;
    // The key of its one message is in this, too.
    assert!(grown < 20_000 * 1_500, "{} bytes a queue", grown / 20_000);
}
