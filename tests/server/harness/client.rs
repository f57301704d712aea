//! A plain Redis client: sends commands, returns replies. Errors of the server are text, `CODE
//! sentence`.

use super::{
    DEADLINE, Server, Value,
    message::{Message, entries, integer, items, text_of},
    wait::{eventually, now_ms, sleep_until_ms},
};
use redis::{ConnectionLike, ErrorKind, ProtocolVersion, RedisError, ServerErrorKind};
use std::{collections::BTreeMap, time::Duration};

pub struct Client {
    connection: redis::Connection,
    port: u16,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        Client::connect_with(port, ProtocolVersion::RESP2).expect("a connection to the server")
    }

    /// A connection that speaks RESP3.
    pub fn connect_resp3(port: u16) -> Client {
        Client::connect_with(port, ProtocolVersion::RESP3)
            .expect("a RESP3 connection to the server")
    }

    pub fn try_connect(port: u16) -> Option<Client> {
        Client::connect_with(port, ProtocolVersion::RESP2).ok()
    }

    /// A connection that fails when a reply takes longer than this.
    pub fn try_connect_within(port: u16, patience: Duration) -> Option<Client> {
        Client::connect_within(port, ProtocolVersion::RESP2, patience).ok()
    }

    fn connect_with(port: u16, protocol: ProtocolVersion) -> Result<Client, RedisError> {
        // More than the deadline: the clocks of the tests may run slower (`make memcheck`), the
        // socket's does not.
        Client::connect_within(port, protocol, DEADLINE * 5)
    }

    fn connect_within(
        port: u16,
        protocol: ProtocolVersion,
        patience: Duration,
    ) -> Result<Client, RedisError> {
        let settings =
            redis::RedisConnectionInfo::default().set_protocol(protocol).set_skip_set_lib_name();
        let address = redis::ConnectionAddr::Tcp("127.0.0.1".into(), port);
        let info =
            redis::IntoConnectionInfo::into_connection_info(address)?.set_redis_settings(settings);
        let connection = redis::Client::open(info)?.get_connection_with_timeout(patience)?;
        connection.set_read_timeout(Some(patience))?;
        Ok(Client { connection, port })
    }

    /// Sends one command, given as its arguments, and returns its reply.
    pub fn reply<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, String> {
        self.connection
            .req_command(&command(arguments))
            .and_then(Value::extract_error)
            .map_err(|e| error_text(&e))
    }

    /// As `reply`, for a command given as one line of words; `""` stands for an empty argument.
    pub fn reply_to(&mut self, line: &str) -> Result<Value, String> {
        self.reply(&words(line))
    }

    /// The reply to a command that must not fail.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Value {
        self.reply_to(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// The error of a command that must fail.
    #[track_caller]
    pub fn refused(&mut self, line: &str) -> String {
        match self.reply_to(line) {
            Err(error) => error,
            Ok(value) => panic!("{line}: not refused, but {value:?}"),
        }
    }

    /// A command must fail for its options; tests/server/wrong_uses.rs has what is said of each mistake.
    #[track_caller]
    pub fn misused(&mut self, line: &str) {
        const SAID: [&str; 8] = [
            "unknown option ",
            " is not an option of ",
            " is in the place of ",
            " needs ",
            " are mutually exclusive",
            " is given twice",
            " can be given only with ",
            "no value before the option ",
        ];
        let error = self.refused(line);
        let is_said = SAID.iter().any(|said| error.contains(said));
        assert!(error.starts_with("ERR ") && is_said, "{line}: {error}");
    }

    #[track_caller]
    pub fn number(&mut self, line: &str) -> i64 {
        integer(&self.ask(line))
    }

    #[track_caller]
    pub fn numbers(&mut self, line: &str) -> Vec<i64> {
        items(&self.ask(line)).iter().map(integer).collect()
    }

    #[track_caller]
    pub fn text(&mut self, line: &str) -> String {
        text_of(&self.ask(line))
    }

    /// A map reply by field name; numbers as text.
    #[track_caller]
    pub fn map(&mut self, line: &str) -> BTreeMap<String, String> {
        let reply = self.ask(line);
        entries(&reply).into_iter().map(|(name, value)| (name, text_of(&value))).collect()
    }

    /// How many messages are ready, in flight and delayed; their sum must be what MQ.LEN says
    /// without a state. All are asked at once: the timer may move messages in between otherwise.
    #[track_caller]
    pub fn lengths(&mut self, queue: &str) -> [i64; 3] {
        let lines =
            ["READY", "INFLIGHT", "DELAYED", ""].map(|state| format!("MQ.LEN {queue} {state}"));
        let numbers =
            self.pipeline(&lines).into_iter().map(|reply| integer(&reply.expect("a number")));
        let numbers: Vec<i64> = numbers.collect();
        let [ready, inflight, delayed, all] = numbers[..] else { panic!("not four: {numbers:?}") };
        assert_eq!(ready + inflight + delayed, all);
        [ready, inflight, delayed]
    }

    /// One number of MQ.INFO.
    #[track_caller]
    pub fn queue_info(&mut self, queue: &str, field: &str) -> i64 {
        let info = self.map(&format!("MQ.INFO {queue}"));
        let value = info.get(field).unwrap_or_else(|| panic!("no {field} in MQ.INFO: {info:?}"));
        value.parse().unwrap_or_else(|_| panic!("{field} is no number: {value}"))
    }

    /// The fields of a section of INFO.
    #[track_caller]
    pub fn info(&mut self, section: &str) -> BTreeMap<String, String> {
        let text = self.text(&format!("INFO {section}"));
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    /// MQ.PUSH; returns the new message's id.
    #[track_caller]
    pub fn push(&mut self, queue: &str, payload: impl AsRef<[u8]>) -> String {
        let reply = self.reply(&[b"MQ.PUSH", queue.as_bytes(), payload.as_ref()]);
        text_of(&reply.unwrap_or_else(|error| panic!("MQ.PUSH {queue}: {error}")))
    }

    /// Lets a message of a queue die, later than those before it.
    pub fn push_dead(&mut self, queue: &str, payload: &str) {
        self.push(queue, payload);
        let message = self.pull(queue);
        assert_eq!(self.number(&format!("MQ.NACK {} DEAD", message.delivery())), 1);
        sleep_until_ms(now_ms() + 2);
    }

    /// MQ.PULL of one message that must be there; `arguments` are the queue's name and options.
    #[track_caller]
    pub fn pull(&mut self, arguments: &str) -> Message {
        match self.ask(&format!("MQ.PULL {arguments}")) {
            Value::Nil => panic!("MQ.PULL {arguments}: no message"),
            message => Message::from(&message),
        }
    }

    /// MQ.PULL that must find nothing.
    #[track_caller]
    pub fn pull_nothing(&mut self, arguments: &str) {
        let reply = self.ask(&format!("MQ.PULL {arguments}"));
        assert_eq!(reply, Value::Nil, "MQ.PULL {arguments} found a message");
    }

    /// Delivers the next message for an hour as 0.1.0 stored it, by an op of version 1.
    #[track_caller]
    pub fn pull_as_0_1_0(&mut self, queue: &str) {
        let number = |number: i64| [[0xfd].as_slice(), &number.to_le_bytes()].concat();
        let (now, hour) = (now_ms(), number(3_600_000));
        // Version, pull, the time; one message; at least once, without a consumer; the first receipt; no
        // sweep, no acknowledgments.
        let (time, receipt) = (number(now), number(now << 20));
        let op = [[1, 2].as_slice(), &time, &[1, 0], &hour, &[0], &receipt, &[0, 0, 0]].concat();
        self.reply(&[b"MQ.APPLY".as_slice(), queue.as_bytes(), &op]).expect("OK");
        assert_eq!(self.number(&format!("ZCARD mq:{{{queue}}}:inflight")), 1);
    }

    /// MQ.PULL with COUNT.
    #[track_caller]
    pub fn pull_batch(&mut self, arguments: &str) -> Vec<Message> {
        items(&self.ask(&format!("MQ.PULL {arguments}"))).iter().map(Message::from).collect()
    }

    /// Pushes "one", "two" and "three" and pulls them in one batch.
    #[track_caller]
    pub fn three_in_flight(&mut self, queue: &str) -> Vec<Message> {
        for payload in ["one", "two", "three"] {
            self.push(queue, payload);
        }
        self.pull_batch(&format!("{queue} COUNT 3"))
    }

    /// MQ.ACK of a delivery; the reply must be 1.
    #[track_caller]
    pub fn acknowledge(&mut self, message: &Message) {
        assert_eq!(self.number(&format!("MQ.ACK {}", message.delivery())), 1);
    }

    /// MQ.NACK of a delivery that makes the message ready at once; the reply must be 1.
    #[track_caller]
    pub fn nack(&mut self, message: &Message) {
        self.nack_with(message, "DELAY 0");
    }

    /// MQ.NACK of a delivery with options; the reply must be 1.
    #[track_caller]
    pub fn nack_with(&mut self, message: &Message, options: &str) {
        assert_eq!(self.number(&format!("MQ.NACK {} {options}", message.delivery())), 1);
    }

    /// The names of the module's commands, in small letters.
    pub fn module_commands(&mut self) -> Vec<String> {
        let commands = self.ask("COMMAND");
        let names =
            items(&commands).iter().map(|command| text_of(&items(command)[0]).to_lowercase());
        names.filter(|name| name.starts_with("mq.")).collect()
    }

    /// Sends all lines in one packet, so that nothing else runs between them, and returns all
    /// replies.
    pub fn pipeline(&mut self, lines: &[String]) -> Vec<Result<Value, String>> {
        let packed: Vec<u8> =
            lines.iter().flat_map(|line| command(&words(line)).get_packed_command()).collect();
        self.connection.send_packed_command(&packed).expect("commands sent");
        lines.iter().map(|_| self.next_reply()).collect()
    }

    /// Sends a command without waiting for its reply.
    pub fn send(&mut self, line: &str) {
        assert!(self.try_send(line), "a command sent");
    }

    /// The same; false if the connection is gone.
    pub fn try_send(&mut self, line: &str) -> bool {
        let packed = command(&words(line)).get_packed_command();
        self.connection.send_packed_command(&packed).is_ok()
    }

    /// The reply to a command sent earlier.
    pub fn next_reply(&mut self) -> Result<Value, String> {
        self.connection.recv_response().and_then(Value::extract_error).map_err(|e| error_text(&e))
    }

    pub fn id(&mut self) -> i64 {
        self.number("CLIENT ID")
    }

    /// Sends a command that must block, and returns when the server says that it does.
    #[track_caller]
    pub fn wait_with(mut self, line: &str) -> Waiting {
        let id = self.id();
        self.send(line);
        let mut observer = Client::connect(self.port);
        eventually(&format!("{line} blocks"), || observer.is_blocked(id));
        Waiting { client: self, id }
    }

    /// Whether the server counts the client with this id as blocked.
    pub fn is_blocked(&mut self, id: i64) -> bool {
        let list = self.text("CLIENT LIST");
        let id = format!("id={id} ");
        let line = list.lines().find(|line| line.starts_with(&id));
        line.is_some_and(|line| {
            let flags = line.split(" flags=").nth(1).and_then(|rest| rest.split(' ').next());
            flags.expect("flags of the client").contains('b')
        })
    }
}

/// A client whose command blocks.
pub struct Waiting {
    client: Client,
    id: i64,
}

impl Waiting {
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Fails unless the client still waits for its reply.
    #[track_caller]
    pub fn still_waits(&self) {
        let mut observer = Client::connect(self.client.port);
        assert!(observer.is_blocked(self.id), "the client does not wait any more");
    }

    /// The reply, once it comes.
    pub fn reply(&mut self) -> Result<Value, String> {
        self.client.next_reply()
    }

    /// The one message for which the client waits, and its connection.
    #[track_caller]
    pub fn message(mut self) -> (Message, Client) {
        match self.reply().expect("a message for the waiting client") {
            Value::Nil => panic!("no message for the waiting client"),
            reply => (Message::from(&reply), self.client),
        }
    }

    /// The client, once its command has been answered.
    pub fn client(self) -> Client {
        self.client
    }

    /// Closes the connection without a word.
    pub fn hang_up(self) {}
}

/// Waits until two servers have the same data.
#[track_caller]
pub fn same_data(one: &mut Client, other: &mut Client, after: &str) {
    eventually(&format!("the same data on both after {after}"), || {
        one.text("DEBUG DIGEST") == other.text("DEBUG DIGEST")
    });
}

impl Server {
    /// A new client whose command blocks.
    #[track_caller]
    pub fn waiting(&self, line: &str) -> Waiting {
        self.client().wait_with(line)
    }

    pub fn resp3_client(&self) -> Client {
        Client::connect_resp3(self.port())
    }

    /// A client that has selected this database.
    /// A client logged in as a user with these rules.
    pub fn client_of_user(&self, rules: &str) -> Client {
        self.client().ask(&format!("ACL SETUSER alice reset on >secret {rules}"));
        let mut client = self.client();
        client.ask("AUTH alice secret");
        client
    }

    pub fn client_of_database(&self, database: u32) -> Client {
        let mut client = self.client();
        client.ask(&format!("SELECT {database}"));
        client
    }
}

fn words(line: &str) -> Vec<&str> {
    let empty = |word| if word == "\"\"" { "" } else { word };
    line.split_whitespace().map(empty).collect()
}

fn command<A: AsRef<[u8]>>(arguments: &[A]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    command
}

/// The error as the server sent it.
fn error_text(error: &RedisError) -> String {
    match (error.kind(), error.code(), error.detail()) {
        (ErrorKind::Server(ServerErrorKind::ResponseError), _, detail) => {
            format!("ERR {}", detail.unwrap_or(""))
        }
        (ErrorKind::Server(_) | ErrorKind::Extension, Some(code), Some(detail)) => {
            format!("{code} {detail}")
        }
        (ErrorKind::Server(_) | ErrorKind::Extension, Some(code), None) => code.to_string(),
        _ => format!("the connection failed: {error}"),
    }
}
