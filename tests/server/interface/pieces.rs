//! Replies in pieces: a server sends the same bytes as one that the module found not to be up to it.

use crate::harness::*;
use std::thread;

const NOTICE: &str = "replies are sent element by element";

/// A server without ECHO: each element of a reply is sent by itself.
fn server_without_pieces() -> Server {
    Server::start_with(&[("rename-command", "ECHO hidden")])
}

/// A command's arguments, as they are sent.
fn request<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        let argument = argument.as_ref();
        request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        request.extend_from_slice(argument);
        request.extend_from_slice(b"\r\n");
    }
    request
}

/// The replies with zeros for what is another one each time: ids, receipts, and times.
fn masked(mut replies: Vec<u8>) -> Vec<u8> {
    for at in 0..replies.len() {
        let (start, len) = match &replies[at..] {
            [b'$', b'3', b'6', b'\r', b'\n', ..] => (at + 5, 36),
            [b'$', b'1', b'6', b'\r', b'\n', ..] => (at + 5, 16),
            [b':', digits @ ..] if digits.iter().take(13).all(u8::is_ascii_digit) => (at + 1, 13),
            _ => continue,
        };
        let end = (start + len).min(replies.len());
        replies[start..end].fill(b'0');
    }
    replies
}

/// Requests whose replies have all lengths, in all kinds of commands.
fn requests() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut bytes =
        |len: usize| -> Vec<u8> { std::iter::repeat_with(|| random.u8(..)).take(len).collect() };
    let mut requests = Vec::new();
    for len in [1, 9, 10, 31, 32, 99, 100, 500, 512] {
        let queue = bytes(len).into_iter().map(|byte| if byte < b' ' { b'x' } else { byte });
        let queue: Vec<u8> =
            queue.map(|byte| if b"{}".contains(&byte) { b'x' } else { byte }).collect();
        let mut ask = |words: &[&[u8]]| requests.push(request(words));
        let sizes = (0..130).chain((400..2400).step_by(53)).chain([70_000, 1 << 20]);
        let few = |size: &usize| len == 9 || size.is_multiple_of(7);
        for (nth, size) in sizes.filter(few).enumerate() {
            let payload = bytes(size);
            ask(&[b"MQ.PUSH", &queue, &payload]);
            match nth % 4 {
                0 => ask(&[b"MQ.PULL", &queue]),
                1 => ask(&[b"MQ.PULL", &queue, b"NOACK"]),
                2 => ask(&[b"MQ.PULL", &queue, b"COUNT", b"2"]),
                _ => {
                    ask(&[b"MULTI"]);
                    ask(&[b"MQ.PULL", &queue]);
                    ask(&[b"MQ.PULL", &queue]);
                    ask(&[b"EXEC"]);
                }
            }
        }
        for size in (0..2400).step_by(97) {
            ask(&[b"MQ.PUSH", &queue, &bytes(size), b"PRIORITY", b"3", b"TTL", b"3600000"]);
            ask(&[
                b"MQ.PUSH",
                &queue,
                &bytes(size),
                b"HEADERS",
                b"2",
                b"a",
                &bytes(size),
                b"bcd",
                b"",
            ]);
            ask(&[b"MQ.PUSH", &queue, &bytes(size), b"GROUP", b"\x00group"]);
        }
        ask(&[b"MQ.PEEK", &queue, b"COUNT", b"100"]);
        ask(&[b"MQ.CONFIG", &queue]);
        ask(&[b"EVAL", b"return redis.call('MQ.PULL', KEYS[1], 'COUNT', 20)", b"1", &queue]);
        ask(&[b"EVAL", b"return redis.call('MQ.PULL', KEYS[1])[6]", b"1", &queue]);
        ask(&[
            b"MQ.PULL",
            &queue,
            b"COUNT",
            b"30",
            b"ACK",
            b"2",
            b"x",
            b"y",
            b"z",
            b"0123456789abcdef",
        ]);
        ask(&[b"MQ.MPULL", b"2", b"other", &queue, b"COUNT", b"100"]);
        ask(&[b"MQ.PULL", &queue, b"COUNT", b"100", b"ACK", b"1", b"x", b"y"]);
        ask(&[b"MQ.PEEK", &queue, b"COUNT", b"1000", b"STATE", b"INFLIGHT"]);
        ask(&[b"MQ.MPUSH", &queue, b"3", b"one", b"two", b"three"]);
        ask(&[b"CLIENT", b"REPLY", b"SKIP"]);
        ask(&[b"MQ.PULL", &queue]);
        ask(&[b"MQ.PULL", &queue]);
    }
    for line in ["MQ.QUEUES", "MQ.HELP", "MQ.PULL", "MQ.CHECK orders"] {
        requests.push(request(&line.split(' ').collect::<Vec<_>>()));
    }
    requests
}

#[test]
fn a_server_is_found_to_send_replies_in_pieces() {
    assert!(!Server::start().log().contains(NOTICE));
    assert!(server_without_pieces().log().contains(NOTICE));
}

#[test]
fn replies_in_pieces_are_the_same_bytes() {
    let requests = requests().concat();
    for hello in ["PING", "HELLO 3"] {
        let [one, other] = [Server::start(), server_without_pieces()].map(|server| {
            let hello: Vec<&str> = hello.split(' ').collect();
            let packet = [request(&hello), request(&["PING", "begins"]), requests.clone()].concat();
            let replies = replies_of(server.port(), &packet);
            let begin = b"$6\r\nbegins\r\n";
            let at = replies.windows(begin.len()).position(|window| window == begin);
            masked(replies[at.expect("the reply of PING")..].to_vec())
        });
        assert!(one.len() > 4 << 20, "{} bytes", one.len());
        let differs = one.iter().zip(&other).position(|(one, other)| one != other);
        if let Some(at) = differs.or((one.len() != other.len()).then_some(0)) {
            let shown = |replies: &[u8]| {
                let part = &replies[at.saturating_sub(200)..(at + 200).min(replies.len())];
                String::from_utf8_lossy(part).into_owned()
            };
            panic!("{hello}, from byte {at} on:\n{}\nbut\n{}", shown(&one), shown(&other));
        }
    }
}

#[test]
fn a_client_that_waits_gets_the_same_bytes() {
    let [one, other] = [Server::start(), server_without_pieces()].map(|server| {
        let port = server.port();
        let lines = b"MQ.PULL orders BLOCK 0\r\nMQ.PULL orders COUNT 2 BLOCK 0\r\n";
        let waiting = thread::spawn(move || replies_of(port, lines));
        let mut client = server.client();
        for (payload, in_flight) in [("one", 1), ("two", 2)] {
            eventually("it waits", || client.info("clients")["blocked_clients"] == "1");
            client.push("orders", payload);
            eventually("it is served", || client.number("MQ.LEN orders INFLIGHT") == in_flight);
        }
        masked(waiting.join().expect("replies"))
    });
    assert!(one.windows(3).any(|window| window == b"two"));
    assert_eq!(String::from_utf8(one), String::from_utf8(other));
}
