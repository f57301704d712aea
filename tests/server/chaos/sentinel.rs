//! Three sentinels decide who is the master; the clients ask them.

use super::{
    drained, duration,
    load::{Confirm, Load, Plan},
    replicas::SETTINGS,
};
use crate::harness::*;
use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const PACE: Duration = Duration::from_millis(1500);

struct Sentinel {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Sentinel {
    fn watch(master: &Server) -> Sentinel {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let settings = format!(
            "port {port}\nbind 127.0.0.1\nlogfile sentinel.log\ndir {folder}\n\
             sentinel monitor orders 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds orders 1000\n\
             sentinel failover-timeout orders 3000\n",
            folder = folder.path().display(),
            master = master.port(),
        );
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, settings).expect("the settings written");
        let process = Command::new(server_binary())
            .arg(&file)
            .arg("--sentinel")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a sentinel");
        eventually("the sentinel answers", || Client::try_connect(port).is_some());
        Sentinel { process, port, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Whether it knows of the other sentinels, and of these replicas that they are well.
    fn knows(&self, sentinels: usize, replicas: &[Server]) -> bool {
        let mut client = self.client();
        let well: Vec<u16> = items(&client.ask("SENTINEL REPLICAS orders"))
            .iter()
            .map(|replica| entries(replica).into_iter().collect::<BTreeMap<String, Value>>())
            .filter(|replica| text_of(&replica["flags"]) == "slave")
            .map(|replica| text_of(&replica["port"]).parse().expect("a port"))
            .collect();
        replicas.iter().all(|replica| well.contains(&replica.port()))
            && items(&client.ask("SENTINEL SENTINELS orders")).len() == sentinels
    }
}

/// The port of whom a sentinel takes for the master.
fn master(sentinel: &mut Client) -> u16 {
    let address = strings(&sentinel.ask("SENTINEL GET-MASTER-ADDR-BY-NAME orders"));
    address[1].parse().expect("a port")
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Tells the clients of a load who the master is, as the sentinels see it, until it is dropped.
struct Guide {
    is_wanted: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Guide {
    fn of(load: &Load, sentinels: &[Sentinel]) -> Guide {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let (go_on, address) = (Arc::clone(&is_wanted), load.address());
        let mut clients: Vec<Client> = sentinels.iter().map(Sentinel::client).collect();
        let thread = thread::spawn(move || {
            while go_on.load(Ordering::Relaxed) {
                let masters: Vec<u16> = clients.iter_mut().map(master).collect();
                if masters.iter().all(|port| *port == masters[0]) {
                    address.is_at(masters[0]);
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Guide { is_wanted, thread: Some(thread) }
    }
}

impl Drop for Guide {
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the guide");
        }
    }
}

#[test]
fn sentinels_promote_a_replica() {
    let master = Server::start_with(&SETTINGS);
    let replicas = [0, 1].map(|_| {
        let replica = Server::start_with(&SETTINGS);
        replica.follow(&master);
        replica
    });
    let [one, other] = replicas;
    let mut servers = vec![master, one, other];
    let sentinels = [0, 1, 2].map(|_| Sentinel::watch(&servers[0]));
    let patience = Duration::from_millis(1500);
    let plan = Plan { patience, ..Plan::new(Confirm::Replicas(2)) };
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let load = Load::start(&servers[0], plan);
    let guide = Guide::of(&load, &sentinels);
    // On a busy machine sentinels may also promote one while the master is well: those that they know
    // follow it then.
    let sentinels_know_all = |servers: &mut Vec<Server>| {
        eventually("the sentinels know all", || {
            let port = load.address().port();
            servers.sort_by_key(|server| server.port() != port);
            // One that they don't know yet follows who was the master when it came. One that they promote must not
            // follow the other.
            let strays = |server: &&Server| says(server, "role:slave") && !follows(server, port);
            servers[1..].iter().filter(strays).for_each(|server| follow(server, port));
            sentinels.iter().all(|sentinel| sentinel.knows(2, &servers[1..]))
        });
    };
    load.disturb(|| {
        let started = Instant::now();
        while started.elapsed() < duration() {
            sentinels_know_all(&mut servers);
            load.work(&mut random, PACE);
            let mut old = servers.remove(0);
            let old_port = old.port();
            old.kill();
            eventually("there is another master", || load.address().port() != old_port);
            old.start_again();
            follow(&old, load.address().port());
            servers.push(old);
        }
        sentinels_know_all(&mut servers);
        eventually("all follow the master", || {
            let port = load.address().port();
            servers.iter().all(|server| {
                server.port() == port
                    || follows(server, port) && says(server, "master_link_status:up")
            })
        });
    });
    drained(load);
    drop(guide);
}

fn follows(server: &Server, port: u16) -> bool {
    says(server, &format!("master_port:{port}"))
}

/// Whether INFO has this line. A sentinel that reconfigures a server closes its connections.
fn says(server: &Server, line: &str) -> bool {
    let info = server.client().reply_to("INFO replication");
    info.is_ok_and(|info| text_of(&info).lines().any(|one| one == line))
}

/// It is asked again if a sentinel closes this connection.
fn follow(server: &Server, port: u16) {
    let _ = server.client().reply_to(&format!("REPLICAOF 127.0.0.1 {port}"));
}
