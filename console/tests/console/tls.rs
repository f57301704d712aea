//! TLS: with a certificate of its own authority, and one of the client. The server is the installed redis-server, which is
//! built with TLS.

use crate::world::{Console, eventually, free_port};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn openssl(folder: &Path, words: &str) {
    let output = Command::new("openssl").args(words.split(' ')).current_dir(folder).output();
    let output = output.expect("openssl is installed");
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, and a certificate of it for 127.0.0.1 and for a client.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -keyout ca.key -out ca.crt -days 2 -subj /CN=authority"),
    );
    for (name, extension) in
        [("server", "subjectAltName=IP:127.0.0.1"), ("client", "keyUsage=digitalSignature")]
    {
        std::fs::write(folder.join("extension"), extension).unwrap();
        openssl(folder, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let by = "-CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extension";
        openssl(folder, &format!("x509 -req -in {name}.csr {by} -out {name}.crt"));
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_server_with_tls_is_watched_if_its_certificate_is_good() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let (port, module) = (free_port(), std::env::var("MQ_MODULE").unwrap());
    let arguments = format!(
        "--port 0 --tls-port {port} --bind 127.0.0.1 --tls-ca-cert-file ca.crt --tls-cert-file server.crt \
         --tls-key-file server.key --loadmodule {module}"
    );
    let server = Command::new("redis-server")
        .args(arguments.split_whitespace())
        .current_dir(&folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    let _server = Server(server);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let url = [format!("rediss://127.0.0.1:{port}")];
    let (ca, certificate, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    let all = ["--tls-ca", &ca, "--tls-certificate", &certificate, "--tls-key", &key];
    let console = Console::start(&url, &all);
    let server = || console.json("/api/queues")["sources"][0]["servers"][0].clone();
    eventually("the server answers", || {
        server()["error"] == Value::Null && server() != Value::Null
    });
    let other = Console::start(&url, &["--tls-certificate", &certificate, "--tls-key", &key]);
    let line = other.wait_for_log("the server does not answer");
    assert!(line.to_lowercase().contains("certificate"), "{line}");
}
