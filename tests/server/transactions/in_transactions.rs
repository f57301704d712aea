//! The commands inside MULTI, scripts and functions: they do what they do elsewhere, and nothing
//! blocks.

use crate::harness::*;

/// Runs the lines in one transaction; their replies.
#[track_caller]
fn transaction(client: &mut Client, lines: &[String]) -> Vec<Value> {
    let (begin, end) = (["MULTI".to_string()], ["EXEC".to_string()]);
    let replies = client.pipeline(&[&begin[..], lines, &end].concat());
    items(replies.last().expect("a reply").as_ref().expect("the replies")).to_vec()
}

/// Runs one command in a script.
fn in_script(client: &mut Client, line: &str) -> Result<Value, String> {
    let script = "return redis.call(unpack(ARGV))";
    let mut call = vec!["EVAL", script, "0"];
    call.extend(line.split(' '));
    client.reply(&call)
}

#[test]
fn nothing_blocks_in_a_transaction() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.PAUSE paused");
    client.push("paused", "one");
    client.push("orders", "one");
    let held = client.pull("orders");
    let replies = transaction(
        &mut client,
        &[
            "MQ.PULL nothing BLOCK 0".into(),
            "MQ.PULL paused BLOCK 0".into(),
            "MQ.PULL paused BLOCK 0 COUNT 2".into(),
            "MQ.PULL paused BLOCK 0 NOACK".into(),
            "MQ.MPULL 2 nothing paused BLOCK 0".into(),
            "MQ.MPULL 2 nothing paused BLOCK 0 COUNT 2".into(),
            format!("MQ.PULL orders BLOCK 0 ACK 1 {}", held.pair()),
            format!("MQ.PULL orders BLOCK 0 COUNT 3 ACK 1 {}", held.pair()),
        ],
    );
    let (null, empty) = (Value::Nil, Value::Array(vec![]));
    let with = |settled, pulled: &Value| {
        Value::Array(vec![Value::Array(vec![Value::Int(settled)]), pulled.clone()])
    };
    let expected = [
        null.clone(),
        null.clone(),
        empty.clone(),
        null.clone(),
        null.clone(),
        empty.clone(),
        with(1, &null),
        with(0, &empty),
    ];
    assert_eq!(replies, expected);
    assert_eq!(client.lengths("orders"), [0, 0, 0]);
}

#[test]
fn nothing_blocks_in_a_script() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.MPUSH orders 2 one two");
    let held = client.pull("orders");
    for line in ["MQ.PULL orders BLOCK 0", "MQ.MPULL 2 nothing orders BLOCK 0"] {
        // In a script null is false, which comes back as null.
        assert_eq!(in_script(&mut client, line), Ok(Value::Nil), "{line}");
    }
    let line = format!("MQ.PULL orders BLOCK 0 ACK 1 {}", held.pair());
    let reply = in_script(&mut client, &line).expect("two parts");
    assert_eq!(Message::from(&items(&reply)[1]).text(), "two");
}

#[test]
fn a_pause_and_its_end_work_in_a_transaction() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let lines = ["MQ.PAUSE orders", "MQ.PULL orders", "MQ.RESUME orders", "MQ.PULL orders NOACK"];
    let replies = transaction(&mut client, &lines.map(String::from));
    assert_eq!(replies[..3], [Value::Okay, Value::Nil, Value::Okay]);
    assert_eq!(entries(&replies[3])[2].1, Value::BulkString(b"one".to_vec()));

    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    let lines = ["MQ.PAUSE orders FOR 100", "MQ.PUSH orders two"].map(String::from);
    transaction(&mut client, &lines);
    let until = client.queue_info("orders", "paused_until");
    assert_eq!(waiting.message().0.text(), "two");
    assert!(now_ms() >= until, "served before the end of the pause");
}

#[test]
fn a_pause_and_its_end_work_in_a_script() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    assert_eq!(in_script(&mut client, "MQ.PAUSE orders FOR 3600000"), Ok(Value::Okay));
    assert_eq!(in_script(&mut client, "MQ.PULL orders"), Ok(Value::Nil));
    let waiting = server.waiting("MQ.PULL orders BLOCK 0");
    assert_eq!(in_script(&mut client, "MQ.RESUME orders"), Ok(Value::Okay));
    assert_eq!(waiting.message().0.text(), "one");
}

#[test]
fn what_a_transaction_or_a_script_makes_deliverable_serves_waiting_clients() {
    let server = Server::start();
    let mut client = server.client();
    client.ask("MQ.CONFIG orders MAXINFLIGHT 1");
    client.ask("MQ.MPUSH orders 3 one two three");
    let first = client.pull("orders VISIBILITY 3600000");
    let pull = "MQ.PULL orders BLOCK 0 VISIBILITY 3600000";
    let waiting = server.waiting(pull);
    transaction(&mut client, &[format!("MQ.ACK {}", first.delivery())]);
    let (second, _) = waiting.message();
    let waiting = server.waiting(pull);
    let line = format!("MQ.NACK {} DEAD", second.delivery());
    assert_eq!(in_script(&mut client, &line), Ok(Value::Int(1)));
    let (third, _) = waiting.message();
    assert_eq!((second.text(), third.text()), ("two", "three"));
    client.acknowledge(&third);
    let waiting = server.waiting(pull);
    let line = "MQ.REDRIVE {orders}:dead TO orders";
    assert_eq!(in_script(&mut client, line), Ok(Value::Int(1)));
    let (again, _) = waiting.message();
    assert_eq!(again.id, second.id);
    client.acknowledge(&again);
    let id = client.text("MQ.PUSH orders four DELAY 3600000");
    let waiting = server.waiting(pull);
    let reschedule = format!("MQ.RESCHEDULE orders {id} DELAY 0");
    assert_eq!(transaction(&mut client, &[reschedule]), [Value::Int(1)]);
    assert_eq!(waiting.message().0.id, id);
}

#[test]
fn every_option_works_in_a_transaction() {
    let server = Server::start();
    let replica = server.start_replica();
    let mut client = server.client();
    client.ask("MQ.MPUSH orders 6 a b c d e f");
    let held = client.pull_batch("orders COUNT 4 VISIBILITY 3600000");
    let lines = [
        "MQ.PULL orders CONSUMER ann VISIBILITY 3600000".to_string(),
        "MQ.PULL orders NOACK".into(),
        format!("MQ.NACK {} NOCOUNT REASON why", held[0].delivery()),
        format!("MQ.NACK {} DEAD", held[1].delivery()),
        format!("MQ.PULL orders VISIBILITY 3600000 ACK 2 {} {}", held[2].pair(), held[3].pair()),
        "MQ.REDRIVE {orders}:dead TO orders".into(),
        "MQ.MPULL 2 nothing orders VISIBILITY 3600000".into(),
        "MQ.PULL orders".into(),
    ];
    let mut stream = server.replication_stream();
    let replies = transaction(&mut client, &lines);
    let payload = |reply: &Value| text_of(&entries(reply)[2].1);
    assert_eq!((payload(&replies[0]), payload(&replies[1])), ("e".into(), "f".into()));
    assert_eq!(replies[2..4], [Value::Int(1), Value::Int(1)]);
    let parts = items(&replies[4]);
    assert_eq!(parts[0], Value::Array(vec![Value::Int(1), Value::Int(1)]));
    assert_eq!((payload(&parts[1]), &replies[5]), ("a".into(), &Value::Int(1)));
    assert_eq!((payload(&replies[6]), &replies[7]), ("b".into(), &Value::Nil));
    let names = stream.take_names();
    assert_eq!(names.len(), 9, "{names:?}");
    assert_eq!((&*names[0], &*names[8]), ("MULTI", "EXEC"));
    same_data(&mut client, &mut replica.client(), "the transaction");
}

#[test]
fn a_transaction_sees_its_own_limits() {
    let server = Server::start();
    let mut client = server.client();
    let lines = [
        "MQ.CONFIG orders RATE 2 RATEPERIOD 3600000 MAXLEN 3",
        "MQ.MPUSH orders 3 a b c",
        "MQ.PULL orders COUNT 10",
        "MQ.PULL orders",
    ];
    let replies = transaction(&mut client, &lines.map(String::from));
    assert_eq!(items(&replies[2]).len(), 2);
    assert_eq!(replies[3], Value::Nil);
    let replies = client.pipeline(&["MULTI", "MQ.PUSH orders d", "EXEC"].map(String::from));
    let error = match &replies[2] {
        Err(error) => error.clone(),
        Ok(reply) => panic!("not refused, but {reply:?}"),
    };
    assert!(error.contains("QUEUEFULL"), "{error}");
}

#[test]
fn a_function_pulls_and_settles() {
    let server = Server::start();
    let mut client = server.client();
    if !facts().has_functions() {
        let error = client.refused("FCALL work 1 orders");
        assert!(error.contains("unknown command"), "{error}");
        return;
    }
    let code = "#!lua name=work
        redis.register_function('work', function(keys)
            local message = redis.call('MQ.PULL', keys[1], 'BLOCK', '0', 'CONSUMER', 'work')
            if not message then return 'nothing' end
            redis.call('MQ.NACK', keys[1], message[2], message[14], 'DEAD', 'REASON', 'no')
            return message[6]
        end)";
    client.reply(&["FUNCTION", "LOAD", code]).expect("the name");
    client.push("orders", "one");
    assert_eq!(client.text("FCALL work 1 orders"), "one");
    assert_eq!(client.text("FCALL work 1 orders"), "nothing");
    assert_eq!(client.pull("{orders}:dead").more["last_error"], "no");
}

#[test]
fn a_script_gets_an_error_that_it_can_handle() {
    let server = Server::start();
    let mut client = server.client();
    client.push("orders", "one");
    let held = client.pull("orders");
    assert_eq!(client.number(&format!("MQ.NACK {} DEAD", held.delivery())), 1);
    let dead = client.pull("{orders}:dead");
    let script = "local reply = redis.pcall('MQ.NACK', KEYS[1], ARGV[1], ARGV[2], 'DEAD')
                  if reply.err then return redis.call('MQ.ACK', KEYS[1], ARGV[1], ARGV[2]) end";
    let call = ["EVAL", script, "1", "{orders}:dead", &dead.id, &dead.receipt];
    assert_eq!(client.reply(&call), Ok(Value::Int(1)));
    assert_eq!(client.number("DBSIZE"), 0);
}
