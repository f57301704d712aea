//! A panic of the module in the middle of a reply: the reply is whole, and so are those that follow.
//!
//! `make asan` builds the module with such a panic, and sets `MQ_PLANTED_PANIC`. In any other module the
//! same message is one like all others.

use crate::harness::*;
use std::env;

const PAYLOAD: &str = "a-planted-panic";

/// The reply that shows the message, or the error in its place.
#[track_caller]
fn shown(reply: Result<Value, String>) {
    match reply {
        Err(error) => {
            assert!(env::var_os("MQ_PLANTED_PANIC").is_some(), "{error}");
            assert!(error.starts_with("ERR internal error"), "{error}");
        }
        Ok(reply) => {
            assert!(env::var_os("MQ_PLANTED_PANIC").is_none(), "no panic: {reply:?}");
            assert!(format!("{reply:?}").contains("payload"), "{reply:?}");
        }
    }
}

#[test]
fn after_a_panic_in_the_middle_of_a_reply_the_next_reply_is_read_right() {
    let server = Server::start();
    for mut client in [server.client(), server.resp3_client()] {
        for (line, pulls) in [
            ("MQ.PEEK orders", 0),
            ("MQ.PEEK orders COUNT 10", 0),
            ("EVAL return{redis.call('MQ.PEEK',KEYS[1]),1} 1 orders", 0),
            ("MQ.PULL orders", 1),
            ("MQ.PULL orders COUNT 10", 3),
            ("MQ.MPULL 2 mails orders COUNT 10", 3),
            ("MQ.PULL orders COUNT 10 ACK 1 x y", 3),
        ] {
            client.ask("FLUSHALL");
            client.push("orders", PAYLOAD);
            client.push("orders", "second");
            client.push("orders", PAYLOAD);
            let replies =
                client.pipeline(&[line, "ECHO next", "MQ.LEN orders INFLIGHT"].map(String::from));
            let [first, second, third] = <[_; 3]>::try_from(replies).expect("three replies");
            shown(first);
            assert_eq!(second.map(|reply| text_of(&reply)), Ok("next".into()), "{line}");
            assert_eq!(third, Ok(Value::Int(pulls)), "{line}");
        }
        client.ask("FLUSHALL");
        client.push("orders", PAYLOAD);
        let lines = ["MULTI", "MQ.PULL orders", "ECHO next", "EXEC", "ECHO last"].map(String::from);
        let replies = client.pipeline(&lines);
        shown(replies[3].clone());
        assert_eq!(replies[4].clone().map(|reply| text_of(&reply)), Ok("last".into()));
    }
}

#[test]
fn a_client_that_waits_gets_a_reply_when_that_panics() {
    let server = Server::start();
    let mut waiting = server.waiting("MQ.PULL orders BLOCK 0");
    server.client().push("orders", PAYLOAD);
    shown(waiting.reply());
    assert_eq!(waiting.client().text("ECHO next"), "next");
}
