//! /metrics, the dashboard and the alert rules, as promtool and a real Prometheus see them.

use crate::world::{Console, Server, TOKEN, eventually, free_port, http, work};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const DASHBOARD: &str = include_str!("../../monitoring/dashboard.json");

/// Runs promtool and returns what it says; it must be content.
fn promtool(words: &[&str], input: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    promtool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{words:?}: {text}");
    text
}

#[test]
fn promtool_finds_no_fault_with_the_metrics() {
    let server = Server::start(&[]);
    let _replica = Server::replica(&server);
    let odd = "a \"queue\" \\ with\na line end";
    server.push(odd, b"x", &[]);
    server.push("broken", b"x", &["DELAY", "60000"]);
    server.run_command("SET mq:{broken}:ready x");
    server.push("orders", b"done", &[]);
    work(&mut server.connection(), "orders");
    server.push("orders", b"ready", &[]);
    let console = Console::start(&[server.url()], &[]);
    let line = r#"mq_queue_messages{queue="a \"queue\" \\ with\na line end",state="ready"} 1"#;
    eventually("the queue is there", || console.get("/metrics").body.contains(line));
    eventually("the replica is there", || {
        console.get("/metrics").body.contains("mq_server_replica_lag_bytes{")
    });
    let broken = "mq_queue_unreadable{queue=\"broken\"} 1\n";
    assert!(console.get("/metrics").body.contains(broken));
    for name in ["delivery", "processing"] {
        for line in [
            format!("mq_queue_{name}_seconds_bucket{{queue=\"orders\",le=\"16777.216\"}} 1\n"),
            format!("mq_queue_{name}_seconds_bucket{{queue=\"orders\",le=\"+Inf\"}} 1\n"),
            format!("mq_queue_{name}_seconds_count{{queue=\"orders\"}} 1\n"),
            format!("mq_queue_{name}_seconds_sum{{queue=\"orders\"}} 0"),
        ] {
            assert!(console.get("/metrics").body.contains(&line), "no {line}");
        }
    }
    let page = console.get("/metrics");
    assert!(page.head.contains("content-type: text/plain; version=0.0.4"));
    assert_eq!(promtool(&["check", "metrics"], &page.body), "");
}

#[test]
fn queues_of_several_sources_are_told_apart() {
    let (one, two) = (Server::start(&[]), Server::start(&[]));
    one.push("orders", b"x", &[]);
    two.push("orders", b"x", &[]);
    let console = Console::start(&[one.url(), two.url()], &[]);
    for server in [&one, &two] {
        let line =
            format!("mq_queue_backlog{{queue=\"orders\",source=\"{}\"}} 1\n", server.address());
        eventually("both are there", || console.get("/metrics").body.contains(&line));
    }
    assert_eq!(promtool(&["check", "metrics"], &console.get("/metrics").body), "");
    assert_eq!(console.get("/api/queue?name=orders").status, 400);
    let path = format!("/api/queue?name=orders&server={}", two.address());
    assert_eq!(console.json(&path)["server"], two.address());
}

#[test]
fn each_alert_fires_when_it_should() {
    promtool(&["check", "rules", "monitoring/alerts.yml"], "");
    promtool(&["test", "rules", "monitoring/alerts_test.yml"], "");
    let rules = fs::read_to_string("monitoring/alerts.yml").unwrap();
    let tests = fs::read_to_string("monitoring/alerts_test.yml").unwrap();
    for name in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name} is not tested");
    }
}

struct Prometheus {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Prometheus {
    fn start(console: &Console) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let file = folder.path().join("prometheus.yml");
        let configuration = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [format!("{}/monitoring/alerts.yml", env!("CARGO_MANIFEST_DIR"))],
            "scrape_configs": [{
                "job_name": "redis-mq",
                "authorization": { "credentials": TOKEN },
                "static_configs": [{ "targets": [console.address] }],
            }],
        });
        fs::write(&file, configuration.to_string()).unwrap(); // JSON is YAML
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .spawn()
            .expect("prometheus is installed");
        Self { process, address, _folder: folder }
    }

    fn get(&self, path: &str) -> Value {
        let reply = http(&self.address, "GET", path, &[], "");
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    fn series(&self, query: &str) -> usize {
        let plain = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        let encoded: String = query.bytes().map(plain).collect();
        let reply = self.get(&format!("/api/v1/query?query={encoded}"));
        reply["data"]["result"].as_array().unwrap().len()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Every query of the dashboard.
fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .map(|query| query.replace("$__rate_interval", "1m").replace("$queue", ".*"))
        .collect()
}

/// What the rules compare with limits: without the limits, none may be empty.
fn compared(rule: &str) -> Vec<String> {
    let joined = rule.replace(" or ", "\n").replace(" and on (queue, source) ", "\n");
    let side = |line: &str| {
        let end = line.rfind([' ']).unwrap();
        line[..end].trim_end_matches([' ', '=', '>', '<', '!']).to_owned()
    };
    joined.lines().map(side).collect()
}

#[test]
fn every_query_finds_something_in_a_real_prometheus() {
    let server = Server::start(&[]);
    let _replica = Server::replica(&server);
    // An empty queue is not listed, and these would be empty nearly all the time.
    for queue in ["orders", "mails"] {
        server.push(queue, b"x", &[]);
    }
    let done = Arc::new(AtomicBool::new(false));
    let load = {
        let (done, mut connection) = (Arc::clone(&done), server.connection());
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                for queue in ["orders", "mails"] {
                    redis::cmd("MQ.PUSH").arg(queue).arg("x").exec(&mut connection).unwrap();
                    redis::cmd("MQ.PULL").arg(queue).arg("NOACK").exec(&mut connection).unwrap();
                }
                redis::cmd("MQ.PUSH").arg("orders").arg("x").exec(&mut connection).unwrap();
                work(&mut connection, "orders");
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        })
    };
    server.push("later", b"x", &["DELAY", "600000"]);
    let console = Console::start(&[server.url()], &[]);
    let prometheus = Prometheus::start(&console);
    eventually("prometheus listens", || std::net::TcpStream::connect(&prometheus.address).is_ok());
    eventually("prometheus is ready", || {
        http(&prometheus.address, "GET", "/-/ready", &[], "").status == 200
    });
    eventually("the load is seen", || {
        console.get("/api/queues"); // somebody looks, so that samples are frequent
        prometheus.series(r#"rate(mq_queue_messages_pushed_total{queue="orders"}[1m]) > 1"#) == 1
            && prometheus.series("mq_server_replica_lag_bytes") == 1
    });
    let rules = prometheus.get("/api/v1/rules");
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 10);
    let rules = rules.iter().flat_map(|rule| compared(rule["query"].as_str().unwrap()));
    for query in dashboard_queries().into_iter().chain(rules) {
        assert!(prometheus.series(&query) > 0, "nothing: {query}");
    }
    done.store(true, Ordering::Relaxed);
    load.join().unwrap();
}
