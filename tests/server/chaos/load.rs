//! Producers and consumers that go on whatever happens to their servers: they look for the master,
//! connect again, and write down what they were told.

use super::{
    bystander::stand_by,
    consumer::consume,
    journal::{During, Entries, Journal, Kept, Told},
    now_us,
    producer::produce,
    ticks,
};
use crate::harness::*;
use std::{
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long an unanswered command may still be carried out by a server that was only slow.
const AFTERMATH_US: u64 = 1_000_000;

/// How long consumers may take for what is left, on a busy machine.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// When a client takes a thing as done for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// With the reply: the server has it on disk.
    Reply,
    /// When so many replicas have it (WAIT).
    Replicas(i64),
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub queue: &'static str,
    pub producers: u64,
    pub consumers: u64,
    pub confirm: Confirm,
    /// How long a client waits for a reply before it gives up the connection.
    pub patience: Duration,
    /// The queue's MAXRETRIES.
    pub max_retries: i64,
    /// Some connections are closed while a command is under way.
    pub vanishing: bool,
    /// Deliveries can be extended after their end: 0.1.0 refuses that.
    pub late_extensions: bool,
    /// Schedules tick on a queue beside it: 0.1.0 has none.
    pub schedules: bool,
    pub seed: u64,
}

impl Plan {
    pub fn new(confirm: Confirm) -> Plan {
        let seed = super::seed();
        eprintln!("MQ_CHAOS_SEED={seed}");
        let patience = Duration::from_secs(5);
        Plan {
            queue: "orders",
            producers: 3,
            consumers: 4,
            confirm,
            patience,
            max_retries: 4,
            vanishing: false,
            late_extensions: true,
            schedules: true,
            seed,
        }
    }

    pub fn dead_letter_queue(&self) -> String {
        format!("{{{}}}:dead", self.queue)
    }
}

/// Where the clients find the master: a port, 0 while there is none.
#[derive(Default)]
pub struct Address {
    port: AtomicU16,
    others: Mutex<Vec<u16>>,
}

impl Address {
    pub fn is_at(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// Servers that may know where it is.
    pub fn others_are_at(&self, ports: &[u16]) {
        self.others.lock().expect("the ports").extend(ports);
    }

    /// Nobody is at this port.
    fn is_not_at(&self, port: u16) {
        if self.port() == port
            && let Some(other) = fastrand::choice(self.others.lock().expect("the ports").iter())
        {
            self.is_at(*other);
        }
    }
}

/// What the threads of a load share.
pub struct Shared {
    pub plan: Plan,
    pub address: Arc<Address>,
    pub journal: Journal,
    /// Calls are made while it is held for reading.
    gate: RwLock<()>,
    is_producing: AtomicBool,
    is_consuming: AtomicBool,
}

impl Shared {
    pub fn is_producing(&self) -> bool {
        self.is_producing.load(Ordering::Relaxed)
    }

    /// Does something that [`Load::while_quiet`] must not see half done.
    pub fn while_not_quiet<T>(&self, action: impl FnOnce() -> T) -> T {
        let _guard = self.gate.read().expect("the gate");
        action()
    }

    pub fn is_consuming(&self) -> bool {
        self.is_consuming.load(Ordering::Relaxed)
    }
}

pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Sets the queue up at the server and begins.
    pub fn start(server: &Server, plan: Plan) -> Load {
        let mut client = server.client();
        let retries = plan.max_retries;
        let settings =
            format!("MQ.CONFIG {} MAXRETRIES {retries} BACKOFF 10 BACKOFFMAX 100", plan.queue);
        // A master may not know yet that its replicas are in sync, and takes no writes without.
        eventually("the queue is set up", || client.reply_to(&settings).is_ok());
        let address = Arc::new(Address::default());
        address.is_at(server.port());
        let shared = Arc::new(Shared {
            plan,
            address,
            journal: Journal::default(),
            gate: RwLock::new(()),
            is_producing: AtomicBool::new(true),
            is_consuming: AtomicBool::new(true),
        });
        if plan.schedules {
            ticks::set(&mut client, &shared);
        }
        let spawn = |work: fn(&Arc<Shared>, u64), n: u64| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared, n))
        };
        let producers = (0..plan.producers).map(|n| spawn(produce, n));
        let consumers = (0..plan.consumers).map(|n| spawn(consume, n));
        let bystanders = (0..1).map(|n| spawn(stand_by, n));
        let tickers = (0..u64::from(plan.schedules)).map(|n| spawn(ticks::take, n));
        let threads = producers.chain(consumers).chain(bystanders).chain(tickers).collect();
        Load { shared, threads }
    }

    pub fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    pub fn address(&self) -> Arc<Address> {
        Arc::clone(&self.shared.address)
    }

    /// Lets it work for about that long.
    pub fn work(&self, random: &mut fastrand::Rng, most: Duration) {
        let most = u64::try_from(most.as_millis()).expect("milliseconds");
        thread::sleep(Duration::from_millis(random.u64(most / 3..=most)));
    }

    /// Breaks something, and writes down when.
    pub fn disturb<T>(&self, fault: impl FnOnce() -> T) -> T {
        let disturbances = |change: &dyn Fn(&mut Vec<During>)| {
            change(&mut self.shared.journal.write().disturbances);
        };
        let began_us = now_us();
        let under_way = During { began_us, ended_us: u64::MAX };
        disturbances(&|all| all.push(under_way));
        let outcome = fault();
        let ended_us = now_us();
        disturbances(&|all| {
            let this = all.iter_mut().find(|one| one.began_us == began_us);
            this.expect("the disturbance").ended_us = ended_us;
        });
        outcome
    }

    /// Does something while no client's call is under way.
    pub fn while_quiet<T>(&self, action: impl FnOnce() -> T) -> T {
        let _guard = self.shared.gate.write().expect("the gate");
        action()
    }

    /// A crash lost all that came after this moment.
    pub fn undo_since(&self, moment_us: u64) {
        self.shared.journal.write().undo_since(moment_us);
    }

    /// Ends the producers, lets the consumers take all that is left, and returns the journal.
    pub fn drain(self) -> Entries {
        let Load { shared, threads } = self;
        shared.is_producing.store(false, Ordering::Relaxed);
        let lines = [shared.plan.queue.to_string(), shared.plan.dead_letter_queue()];
        let mut lines = lines.map(|queue| format!("MQ.LEN {queue}")).to_vec();
        let started = Instant::now();
        if shared.plan.schedules {
            eventually("the schedules are there", || {
                let port = shared.address.port();
                let skipped = Client::try_connect(port)
                    .and_then(|mut client| ticks::skipped(&mut client, &shared));
                let is_known = skipped.is_some();
                shared.journal.write().skipped.extend(skipped.into_iter().flatten());
                is_known
            });
            lines.extend(ticks::ending(&shared));
        }
        while !lines.iter().all(|line| ask(&shared, line) == "0") {
            assert!(started.elapsed() < DRAINED_WITHIN, "{}", left(&shared));
            thread::sleep(Duration::from_millis(5));
        }
        shared.is_consuming.store(false, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("a client of the load");
        }
        let entries = shared.journal.write();
        entries.clone()
    }
}

/// What the master says to a command.
fn ask(shared: &Shared, line: &str) -> String {
    match Client::try_connect(shared.address.port()).map(|mut client| client.reply_to(line)) {
        None => "no connection".into(),
        Some(Ok(Value::Int(number))) => number.to_string(),
        Some(reply) => format!("{reply:?}"),
    }
}

/// Why a load can't be drained.
fn left(shared: &Shared) -> String {
    let (queue, grave) = (shared.plan.queue, shared.plan.dead_letter_queue());
    let lines = [
        format!("MQ.LEN {queue}"),
        format!("MQ.LEN {grave}"),
        format!("MQ.INFO {queue}"),
        format!("MQ.CHECK {queue}"),
        format!("MQ.PEEK {queue} READY COUNT 3"),
        format!("MQ.PEEK {queue} INFLIGHT COUNT 3"),
        format!("MQ.PEEK {queue} DELAYED COUNT 3"),
        "INFO replication".into(),
        "CLIENT LIST".into(),
    ];
    let port = shared.address.port();
    let said = lines.map(|line| format!("\n{line}: {}", ask(shared, &line)));
    format!("not all is acknowledged in time; the master at port {port} says{}", said.concat())
}

/// A client's connection to whoever is the master.
pub struct Line<'a> {
    pub shared: &'a Shared,
    connection: Option<(u16, Client)>,
    /// How often it connected.
    pub connections: u64,
}

impl<'a> Line<'a> {
    pub fn new(shared: &'a Shared) -> Line<'a> {
        Line { shared, connection: None, connections: 0 }
    }

    /// One command. An unanswered one is a disturbance if it can change what others see.
    pub fn call<A: AsRef<[u8]>>(&mut self, command: &[A]) -> (During, Result<Value, Told>) {
        let shared = self.shared;
        let (mut when, outcome) = shared.while_not_quiet(|| {
            let began_us = now_us();
            let outcome = match self.connected() {
                None => Err(Told::Refused("no connection".into())),
                Some(client) => client.reply(command).map_err(told),
            };
            (During { began_us, ended_us: now_us() }, outcome)
        });
        match &outcome {
            Err(Told::Nothing) => {
                self.hang_up();
                when.ended_us += AFTERMATH_US;
                shared.journal.write().disturbances.push(when);
            }
            Err(Told::Refused(error)) => self.refused(error),
            _ => {}
        }
        (when, outcome)
    }

    /// Sends a command and closes the connection: nobody learns what came of it.
    pub fn vanish(&mut self, command: &str) -> During {
        let began_us = now_us();
        if let Some(client) = self.connected() {
            client.try_send(command);
            // Most are carried out, or wait, by then.
            thread::sleep(Duration::from_millis(2));
        }
        self.hang_up();
        let when = During { began_us, ended_us: now_us() + AFTERMATH_US };
        self.shared.journal.write().disturbances.push(when);
        when
    }

    /// Closes the connection without a word.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Whether what was just done on this connection is kept, whoever is the master next.
    pub fn confirm(&mut self) -> Kept {
        let is_sure = match self.shared.plan.confirm {
            Confirm::Reply => true,
            Confirm::Replicas(count) => {
                let (_, reply) = self.call(&["WAIT", &count.to_string(), "2000"]);
                reply.is_ok_and(|reached| integer(&reached) >= count)
            }
        };
        if is_sure { Kept::Surely } else { Kept::Perhaps }
    }

    /// What is kept of a delivery: nobody waits for the replicas to have it.
    pub fn kept_delivery(&self) -> Kept {
        match self.shared.plan.confirm {
            Confirm::Reply => Kept::Surely,
            Confirm::Replicas(_) => Kept::Perhaps,
        }
    }

    fn connected(&mut self) -> Option<&mut Client> {
        let port = self.shared.address.port();
        if self.connection.as_ref().is_none_or(|(connected, _)| *connected != port) {
            let patience = self.shared.plan.patience;
            self.connection =
                Client::try_connect_within(port, patience).map(|client| (port, client));
            self.connections += 1;
            if self.connection.is_none() {
                self.shared.address.is_not_at(port);
                thread::sleep(Duration::from_millis(5));
            }
        }
        self.connection.as_mut().map(|(_, client)| client)
    }

    fn refused(&mut self, error: &str) {
        let moved =
            error.strip_prefix("MOVED ").and_then(|rest| rest.rsplit(':').next()?.parse().ok());
        if let Some(port) = moved {
            self.shared.address.is_at(port);
        }
        // Another server may be the master now, or soon.
        let is_of_the_queue =
            ["NOTFOUND ", "BADRECEIPT "].iter().any(|code| error.starts_with(code));
        if !is_of_the_queue {
            self.hang_up();
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn told(error: String) -> Told {
    if error.starts_with("the connection failed") { Told::Nothing } else { Told::Refused(error) }
}

/// What a reply of 1, 0 or -1, or an error, says.
pub fn settled(reply: Result<Value, Told>) -> Told {
    match reply {
        Ok(Value::Int(0)) => Told::Refused("NOTFOUND".into()),
        Ok(Value::Int(-1)) => Told::Refused("BADRECEIPT".into()),
        Ok(_) => Told::Done,
        Err(Told::Refused(error)) => {
            Told::Refused(error.split(' ').next().unwrap_or_default().to_string())
        }
        Err(nothing) => nothing,
    }
}
