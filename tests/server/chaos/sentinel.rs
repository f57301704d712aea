//! Three sentinels decide who is the master; the clients ask them.

use super::{
    crashes::drained,
    duration,
    load::{Confirm, Load, Plan},
    replicas::SETTINGS,
};
use crate::harness::*;
use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Command, Stdio},
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
             sentinel down-after-milliseconds orders 700\n\
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

    /// The port of whom it takes for the master.
    fn master(&self) -> u16 {
        let address = strings(&self.client().ask("SENTINEL GET-MASTER-ADDR-BY-NAME orders"));
        address[1].parse().expect("a port")
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

impl Drop for Sentinel {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
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
    let started = Instant::now();
    while started.elapsed() < duration() {
        eventually("the sentinels know all", || {
            sentinels.iter().all(|sentinel| sentinel.knows(2, &servers[1..]))
        });
        load.work(&mut random, PACE);
        load.disturb(|| {
            let mut old = servers.remove(0);
            let old_port = old.port();
            old.kill();
            eventually("the sentinels agree on another master", || {
                let masters = sentinels.each_ref().map(Sentinel::master);
                masters[0] != old_port && masters.iter().all(|port| *port == masters[0])
            });
            let new_port = sentinels[0].master();
            load.address().is_at(new_port);
            servers.sort_by_key(|server| server.port() != new_port);
            eventually("the other one follows it", || {
                let info = servers[1].client().info("replication");
                info.get("master_port") == Some(&new_port.to_string())
                    && info["master_link_status"] == "up"
            });
            old.start_again();
            old.follow(&servers[0]);
            servers.push(old);
        });
    }
    drained(load);
}
