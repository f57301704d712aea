//! The histograms of MQ.INFO: how long messages waited for their delivery, and how long they were processed.

use crate::harness::*;

/// What a histogram says, and its buckets: upper bounds in ms, and how many times were at most as long.
#[derive(Debug, PartialEq, Eq)]
struct Histogram {
    count: i64,
    sum_ms: i64,
    buckets: Vec<(i64, i64)>,
}

fn histogram(client: &mut Client, queue: &str, name: &str) -> Histogram {
    let fields = entries(&client.ask(&format!("MQ.INFO {queue}")));
    let shown = fields.into_iter().find(|(field, _)| field == name).expect("a histogram").1;
    let [count, sum_ms, buckets] = &entries(&shown)[..] else { panic!("not three: {shown:?}") };
    assert_eq!([&count.0, &sum_ms.0, &buckets.0], ["count", "sum_ms", "buckets"]);
    let bound = |(name, count): (String, Value)| (name.parse().expect("a bound"), integer(&count));
    Histogram {
        count: integer(&count.1),
        sum_ms: integer(&sum_ms.1),
        buckets: entries(&buckets.1).into_iter().map(bound).collect(),
    }
}

fn delivery(client: &mut Client, queue: &str) -> Histogram {
    histogram(client, queue, "delivery_times")
}

fn processing(client: &mut Client, queue: &str) -> Histogram {
    histogram(client, queue, "processing_times")
}

const NONE: Histogram = Histogram { count: 0, sum_ms: 0, buckets: Vec::new() };

impl Histogram {
    /// One time of so many seconds, and a little more, if the server was slow.
    #[track_caller]
    fn is_one_of(&self, seconds: i64) {
        let ms = seconds * 1_000;
        let bound = ms.unsigned_abs().next_power_of_two().cast_signed();
        assert_eq!((self.count, self.buckets.as_slice()), (1, [(bound, 1)].as_slice()), "{self:?}");
        assert!((ms..=bound).contains(&self.sum_ms), "{self:?}");
    }
}

#[test]
fn the_times_before_and_after_a_delivery_are_counted() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    assert_eq!(delivery(&mut client, "orders"), NONE);
    client.push("orders", "one");
    assert_eq!(delivery(&mut client, "orders"), NONE);
    clock.set(100);
    let message = client.pull("orders");
    delivery(&mut client, "orders").is_one_of(100);
    assert_eq!(processing(&mut client, "orders"), NONE);
    clock.set(105);
    client.acknowledge(&message);
    delivery(&mut client, "orders").is_one_of(100);
    processing(&mut client, "orders").is_one_of(5);
    assert_eq!(delivery(&mut client, "mails"), NONE, "another queue");
}

#[test]
fn the_buckets_of_several_times_are_cumulative() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    for (pushed_s, pulled_s) in [(0, 100), (200, 202), (300, 400), (500, 86_400 * 20)] {
        clock.set(pushed_s);
        client.push("orders", "x");
        clock.set(pulled_s);
        client.ask("MQ.PULL orders NOACK");
    }
    let shown = delivery(&mut client, "orders");
    assert_eq!(shown.count, 4);
    assert_eq!(
        shown.buckets,
        [(2_048, 1), (131_072, 3)],
        "twenty days are in no bucket with a bound"
    );
    assert_eq!(shown.sum_ms / 10_000, (202 + 86_400 * 20 - 500) / 10);
}

#[test]
fn a_delay_is_part_of_the_time_before_a_delivery() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.ask("MQ.PUSH orders x DELAY 60000");
    clock.set(100);
    eventually("it is ready", || client.number("MQ.LEN orders READY") == 1);
    client.pull("orders");
    delivery(&mut client, "orders").is_one_of(100);
}

#[test]
fn only_the_first_delivery_of_a_message_and_the_last_processing_count() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.push("orders", "one");
    for (at_s, end) in [(10, "DELAY 0"), (20, "NOCOUNT"), (30, "NOCOUNT FRONT")] {
        clock.set(at_s);
        let message = client.pull("orders");
        clock.set(at_s + 5);
        client.nack_with(&message, end);
    }
    clock.set(40);
    let message = client.pull("orders");
    clock.set(43);
    client.acknowledge(&message);
    delivery(&mut client, "orders").is_one_of(10);
    processing(&mut client, "orders").is_one_of(3);
}

#[test]
fn late_and_extended_deliveries_count_from_their_beginning() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.push("late", "x");
    client.push("extended", "x");
    let late = client.pull("late VISIBILITY 3000");
    let extended = client.pull("extended VISIBILITY 30000");
    clock.set(10);
    client.number(&format!("MQ.EXTEND {} VISIBILITY 60000", extended.delivery()));
    eventually("one is back", || client.number("MQ.LEN late READY") == 1);
    clock.set(20);
    client.acknowledge(&late);
    client.acknowledge(&extended);
    assert_eq!(client.queue_info("late", "late_acks"), 1);
    processing(&mut client, "late").is_one_of(20);
    processing(&mut client, "extended").is_one_of(20);
}

#[test]
fn every_way_to_deliver_and_to_acknowledge_counts() {
    let server = Server::start();
    let mut client = server.client();
    let counts = |client: &mut Client| {
        (delivery(client, "orders").count, processing(client, "orders").count)
    };
    client.ask("MQ.MPUSH orders 5 a b c d e");
    let batch = client.pull_batch("orders COUNT 3");
    assert_eq!(counts(&mut client), (3, 0));
    client.ask(&format!("MQ.ACK orders IDS 3 {} {} x y", batch[0].pair(), batch[1].pair()));
    assert_eq!(counts(&mut client), (3, 2), "not the one that is refused");
    client.refused(&format!("MQ.ACK {}", batch[0].delivery()));
    client.ask(&format!("MQ.PULL orders ACK 1 {}", batch[2].pair()));
    assert_eq!(counts(&mut client), (4, 3));
    client.ask("MQ.MPULL 2 mails orders NOACK");
    assert_eq!(counts(&mut client), (5, 3), "nobody acknowledges it");
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    client.ask("MQ.PUSH orders x GROUP g");
    let (message, _) = waiting.message();
    assert_eq!(counts(&mut client), (6, 3));
    client.ask(&format!("MQ.NACK {} DEAD", message.delivery()));
    assert_eq!(counts(&mut client), (6, 3), "a death is no acknowledgment");
    client.pull("{orders}:dead");
    assert_eq!(delivery(&mut client, "{orders}:dead"), NONE, "it was delivered before it died");
    client.ask("MQ.SCHEDULE orders each tick EVERY 3600000");
    client.ask("MQ.TRIGGER orders each");
    client.pull("orders");
    assert_eq!(counts(&mut client), (7, 3));
    let script = "local m = redis.call('MQ.PULL', KEYS[1], 'COUNT', 1)[1]
        redis.call('MQ.ACK', KEYS[1], m[2], m[14])";
    client.push("orders", "x");
    client.reply(&["EVAL", script, "1", "orders"]).expect("a delivery");
    assert_eq!(counts(&mut client), (8, 4), "in a script");
    client.ask("CONFIG RESETSTAT");
    assert_eq!(counts(&mut client), (8, 4), "the server's statistics are others");
}

#[test]
fn a_time_is_nothing_if_the_clock_was_set_back() {
    let (server, clock) = Server::start_with_clock(&[]);
    let mut client = server.client();
    client.push("orders", "one");
    clock.set(-100);
    let message = client.pull("orders VISIBILITY 3600000");
    clock.set(-200);
    client.acknowledge(&message);
    for shown in [delivery(&mut client, "orders"), processing(&mut client, "orders")] {
        assert_eq!(shown, Histogram { count: 1, sum_ms: 0, buckets: vec![(1, 1)] });
    }
}

#[test]
fn a_restart_and_a_replica_begin_with_nothing() {
    let mut server = Server::start_with_append_only_file();
    let replica = server.start_replica();
    let (mut client, mut copy) = (server.client(), replica.client());
    client.push("orders", "one");
    client.push("orders", "two");
    let message = client.pull("orders");
    client.acknowledge(&message);
    let message = client.pull("orders");
    assert_eq!(client.number("WAIT 1 10000"), 1);
    assert_eq!(copy.number("MQ.LEN orders INFLIGHT"), 1);
    assert_eq!(delivery(&mut copy, "orders"), NONE);
    assert_eq!(processing(&mut copy, "orders"), NONE);
    server.kill_and_start_again();
    let mut client = server.client();
    assert_eq!(delivery(&mut client, "orders"), NONE);
    assert_eq!(processing(&mut client, "orders"), NONE);
    client.acknowledge(&message);
    assert_eq!(processing(&mut client, "orders").count, 1, "it was delivered before the restart");
}
