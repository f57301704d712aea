//! Ten million messages through one server, by every way that a message can go, with six hundred
//! thousand names of queues: the memory of the process stays flat. Takes minutes: `make soak`.

use crate::harness::*;
use std::{fs, iter};

/// Where the memory is measured. By the first of them all is there that stays: the server's own
/// buffers and caches, and the queues that the module goes on remembering, about a thousand.
const STEP: i64 = 1_000_000;
const STEPS: i64 = 10;

/// How much more the last sample may show than the first, in bytes. The server's own number varies
/// by the buffers of its connections; the system's also by how full the allocator's pages are. One
/// byte lost in every ten messages, or two for every name of a queue, would come to more.
const USED_ALLOWANCE: i64 = 750_000;
const RESIDENT_ALLOWANCE: i64 = 4_000_000;

#[derive(Debug)]
struct Sample {
    used: i64,
    resident: i64,
}

#[test]
#[ignore = "takes minutes: make soak"]
fn ten_million_messages_leave_no_memory_behind() {
    // The log of slow commands grows where the machine is busy.
    let server = Server::start_with(&[("slowlog-log-slower-than", "-1")]);
    let mut soak = Soak::new(&server);
    let mut samples = Vec::new();
    for step in 1..=STEPS {
        while soak.counted("pushed") < step * STEP {
            for _ in 0..10 {
                soak.round();
            }
        }
        samples.push(soak.sample());
    }
    for way in ["pulled", "acked", "nacked", "expired", "dead", "ttl_expired", "deduplicated"] {
        let times = soak.counted(way);
        println!("{way}: {times}");
        assert!(times > soak.rounds, "{way}: {times}");
    }
    let (first, last) = (&samples[0], &samples[samples.len() - 1]);
    assert!(last.used - first.used < USED_ALLOWANCE, "used_memory grew: {samples:#?}");
    assert!(last.resident - first.resident < RESIDENT_ALLOWANCE, "VmRSS grew: {samples:#?}");
}

/// What every round works with. The connections stay, the queues of a round are new ones.
struct Soak<'a> {
    server: &'a Server,
    client: Client,
    waiting: Client,
    rounds: i64,
}

impl<'a> Soak<'a> {
    fn new(server: &'a Server) -> Soak<'a> {
        Soak { server, client: server.client(), waiting: server.client(), rounds: 0 }
    }

    /// About a thousand messages. What needs time comes first, and is looked at last.
    fn round(&mut self) {
        self.rounds += 1;
        let [delayed, expiring, overdue] = self.what_needs_time();
        self.batches();
        self.singles();
        self.priorities();
        self.groups();
        self.keys();
        self.dead_letters();
        self.connections_that_go();
        self.clients_that_wait();
        self.at_most_once();
        self.finish(&delayed, 40);
        self.finish(&overdue, 20);
        let mut gone = || self.client.number(&format!("MQ.LEN {expiring}")) == 0;
        eventually("what had a TTL is discarded", &mut gone);
    }

    fn what_needs_time(&mut self) -> [String; 3] {
        let queues = ["delayed", "expiring", "overdue"].map(|way| self.name(way));
        self.push(&queues[0], 40, "DELAY 5");
        self.push(&queues[1], 20, "TTL 5");
        self.push(&queues[2], 20, "HEADERS 1 kind late");
        let pulled = self.client.pull_batch(&format!("{} COUNT 20 VISIBILITY 5", queues[2]));
        assert_eq!(pulled.len(), 20);
        queues
    }

    fn batches(&mut self) {
        let queue = self.name("batches");
        self.push(&queue, 300, "");
        self.push(&queue, 200, "HEADERS 1 kind batch");
        self.finish(&queue, 500);
    }

    /// Singles, in fifty queues.
    fn singles(&mut self) {
        let queues: Vec<String> = (0..50).map(|n| self.name(&format!("single{n}"))).collect();
        let each = |verb: &str, rest: &str| -> Vec<String> {
            queues.iter().map(|queue| format!("{verb} {queue}{rest}")).collect()
        };
        for _ in 0..3 {
            self.all_succeed(&each("MQ.PUSH", " payload"));
            let pulled = self.all_succeed(&each("MQ.PULL", ""));
            let acknowledge = |reply: &Value| format!("MQ.ACK {}", Message::from(reply).delivery());
            let acknowledgments: Vec<String> = pulled.iter().map(acknowledge).collect();
            self.all_succeed(&acknowledgments);
        }
    }

    fn priorities(&mut self) {
        let queue = self.name("priorities");
        let push = |n| format!("MQ.PUSH {queue} payload PRIORITY {}", n % 10);
        self.all_succeed(&(0..60).map(push).collect::<Vec<_>>());
        let pulled = self.client.pull_batch(&format!("{queue} COUNT 30 CONSUMER ann"));
        self.nack(&queue, &pulled, "DELAY 0 REASON busy");
        self.finish(&queue, 60);
    }

    fn groups(&mut self) {
        let queue = self.name("groups");
        let push = |n| format!("MQ.PUSH {queue} payload GROUP tenant{}", n % 7);
        self.all_succeed(&(0..60).map(push).collect::<Vec<_>>());
        self.finish(&queue, 60);
    }

    /// Deduplication keys that hold for a moment, and such that hold until the message is gone.
    fn keys(&mut self) {
        let queue = self.name("keys");
        for holds in ["WINDOW 5", "UNTILDONE"] {
            let push = |n| format!("MQ.PUSH {queue} payload DEDUP {n}-{holds:.1} {holds}");
            let pushes: Vec<String> = (0..20).map(push).collect();
            self.all_succeed(&pushes);
            self.all_succeed(&pushes);
        }
        // Those of the window come twice if it is over already.
        let messages = self.client.number(&format!("MQ.LEN {queue}"));
        self.finish(&queue, messages);
    }

    fn dead_letters(&mut self) {
        let queue = self.name("rejecting");
        self.client.ask(&format!("MQ.CONFIG {queue} MAXRETRIES 0"));
        self.push(&queue, 20, "");
        let pulled = self.client.pull_batch(&format!("{queue} COUNT 20"));
        self.nack(&queue, &pulled, "");
        self.finish(&format!("{{{queue}}}:dead"), 20);
        assert_eq!(self.client.number(&format!("MQ.DROP {queue}")), 1);
    }

    fn connections_that_go(&mut self) {
        let queue = self.name("held");
        self.push(&queue, 20, "");
        let mut holder = self.server.client();
        assert_eq!(holder.pull_batch(&format!("{queue} COUNT 20 ONDISCONNECT")).len(), 20);
        drop(holder);
        self.finish(&queue, 20);
        let queue = self.name("empty");
        let mut waiting = self.server.client();
        waiting.send(&format!("MQ.PULL {queue} BLOCK 0"));
        drop(waiting);
    }

    fn clients_that_wait(&mut self) {
        let queue = self.name("waiting");
        for _ in 0..10 {
            self.waiting.send(&format!("MQ.PULL {queue} BLOCK 0"));
            self.push(&queue, 2, "");
            let reply = self.waiting.next_reply().expect("a message");
            self.client.acknowledge(&Message::from(&reply));
            self.finish(&queue, 1);
        }
    }

    fn at_most_once(&mut self) {
        let queue = self.name("noack");
        self.push(&queue, 50, "");
        let pulled = self.client.ask(&format!("MQ.PULL {queue} COUNT 50 NOACK"));
        assert_eq!(items(&pulled).len(), 50);
    }

    /// A queue of this round.
    fn name(&self, way: &str) -> String {
        format!("{way}-{}", self.rounds)
    }

    fn push(&mut self, queue: &str, messages: usize, options: &str) {
        let payload = format!(" {}", "x".repeat(100)).repeat(messages);
        let reply = self.client.ask(&format!("MQ.MPUSH {queue} {messages}{payload} {options}"));
        assert_eq!(items(&reply).len(), messages);
    }

    /// Pulls and acknowledges so many messages, waiting for those that are still to come.
    fn finish(&mut self, queue: &str, messages: i64) {
        let mut left = messages;
        while left > 0 {
            let pulled = self.client.pull_batch(&format!("{queue} COUNT 100 BLOCK 60000"));
            assert!(!pulled.is_empty(), "{left} messages of {queue} did not come");
            self.every_one("MQ.ACK", queue, &pulled, "");
            left -= i64::try_from(pulled.len()).expect("a batch");
        }
        assert_eq!((left, self.client.number(&format!("MQ.LEN {queue}"))), (0, 0), "{queue}");
    }

    fn nack(&mut self, queue: &str, messages: &[Message], options: &str) {
        assert!(!messages.is_empty(), "nothing to nack");
        self.every_one("MQ.NACK", queue, messages, options);
    }

    fn every_one(&mut self, verb: &str, queue: &str, messages: &[Message], options: &str) {
        let count = messages.len();
        let pairs: Vec<String> = messages.iter().map(Message::pair).collect();
        let line = format!("{verb} {queue} IDS {count} {} {options}", pairs.join(" "));
        assert!(self.client.numbers(&line).iter().eq(iter::repeat_n(&1, count)), "{line}");
    }

    fn all_succeed(&mut self, lines: &[String]) -> Vec<Value> {
        let replies = self.client.pipeline(lines).into_iter();
        replies.map(|reply| reply.expect("a reply that is no error")).collect()
    }

    /// A counter of the module.
    fn counted(&mut self, what: &str) -> i64 {
        self.client.info("mq")[&format!("mq_{what}")].parse().expect("a number")
    }

    /// The memory, as the server and as the system count it, once nothing is stored any more.
    fn sample(&mut self) -> Sample {
        eventually("every key is gone", || self.client.number("DBSIZE") == 0);
        eventually("nobody waits", || self.counted("blocked_clients") == 0);
        let used = self.client.info("memory")["used_memory"].parse().expect("a number of bytes");
        let sample = Sample { used, resident: self.resident() };
        println!(
            "{} messages, {} queues remembered: used_memory {:.2} MB, VmRSS {:.2} MB",
            self.counted("pushed"),
            self.counted("queues"),
            sample.used as f64 / 1e6,
            sample.resident as f64 / 1e6
        );
        sample
    }

    fn resident(&mut self) -> i64 {
        let pid = &self.client.info("server")["process_id"];
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()).expect("VmRSS");
        kilobytes.parse::<i64>().expect("a number of kB") * 1024
    }
}
