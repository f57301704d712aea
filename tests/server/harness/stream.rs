//! The replication stream of a server, read as a replica reads it.

use super::{DEADLINE, Server, client::Client, facts};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// One command of the stream, as its arguments.
pub type Command = Vec<Vec<u8>>;

pub struct ReplicationStream {
    reader: BufReader<TcpStream>,
    control: Client,
    marks: u32,
}

impl Server {
    /// Starts to follow this server; what it replicates from now on is in the stream.
    pub fn replication_stream(&self) -> ReplicationStream {
        let mut socket =
            TcpStream::connect(("127.0.0.1", self.port())).expect("a connection to the server");
        socket.set_read_timeout(Some(DEADLINE)).expect("a read timeout");
        socket.write_all(b"SYNC\r\n").expect("SYNC sent");
        let mut reader = BufReader::new(socket);
        skip_snapshot(&mut reader);
        let mut stream = ReplicationStream { reader, control: self.client(), marks: 0 };
        stream.take();
        stream
    }
}

impl ReplicationStream {
    /// All that was replicated since the last call, without SELECT and the server's own PING, and
    /// without the MULTI and EXEC with which servers before 7.0 wrap each single command of a
    /// module.
    pub fn take(&mut self) -> Vec<Command> {
        let mut commands = self.take_all();
        commands.retain(|command| !command[0].eq_ignore_ascii_case(b"SELECT"));
        if facts().wraps_module_replication() {
            commands = without_wraps_of_single_commands(commands);
        }
        commands
    }

    /// As `take`, each command as `NAME first-argument`, which says what it was without its op.
    pub fn take_names(&mut self) -> Vec<String> {
        self.take().iter().map(short).collect()
    }

    /// As `take`, with SELECT and every MULTI and EXEC.
    pub fn take_all(&mut self) -> Vec<Command> {
        // A write of our own shows where the stream has to be read to.
        self.marks += 1;
        let mark = format!("mark:{}", self.marks);
        let channel = "PUBLISH";
        self.control.ask(&format!("{channel} {mark} x"));
        let mut commands = Vec::new();
        loop {
            let command = read_command(&mut self.reader);
            let is = |name: &str| command[0].eq_ignore_ascii_case(name.as_bytes());
            if is(channel) && command[1] == mark.as_bytes() {
                // The mark itself is published from database 0.
                let is_select = |last: &mut Command| last[0].eq_ignore_ascii_case(b"SELECT");
                commands.pop_if(is_select);
                return commands;
            }
            if !is("PING") && !is("REPLCONF") {
                commands.push(command);
            }
        }
    }
}

/// `NAME first-argument` of a command, the name in capitals.
pub fn short(command: &Command) -> String {
    let name = String::from_utf8_lossy(&command[0]).to_uppercase();
    match command.get(1) {
        Some(first) => format!("{name} {}", String::from_utf8_lossy(first)),
        None => name,
    }
}

fn without_wraps_of_single_commands(commands: Vec<Command>) -> Vec<Command> {
    let name = |command: Option<&Command>| command.map(|command| command[0].to_ascii_uppercase());
    let mut kept = Vec::new();
    let mut rest = &commands[..];
    while let Some(command) = rest.first() {
        if name(Some(command)).as_deref() == Some(b"MULTI")
            && name(rest.get(2)).as_deref() == Some(b"EXEC")
        {
            kept.push(rest[1].clone());
            rest = &rest[3..];
        } else {
            kept.push(command.clone());
            rest = &rest[1..];
        }
    }
    kept
}

/// The snapshot comes as `$length`, CR LF and its bytes, after any number of empty lines.
fn skip_snapshot(reader: &mut BufReader<TcpStream>) {
    loop {
        let line = read_line(reader);
        if line.is_empty() {
            continue;
        }
        let length = line.strip_prefix('$').and_then(|length| length.parse().ok());
        let length: u64 = length.unwrap_or_else(|| panic!("no snapshot, but {line:?}"));
        let copied = std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink());
        assert_eq!(copied.expect("the snapshot"), length);
        return;
    }
}

fn read_command(reader: &mut BufReader<TcpStream>) -> Command {
    loop {
        let line = read_line(reader);
        if line.is_empty() {
            continue;
        }
        let count = length_after('*', &line);
        return (0..count).map(|_| read_bulk(reader)).collect();
    }
}

fn read_bulk(reader: &mut BufReader<TcpStream>) -> Vec<u8> {
    let line = read_line(reader);
    let mut bytes = vec![0; length_after('$', &line) + 2];
    reader.read_exact(&mut bytes).expect("the rest of the replication stream");
    bytes.truncate(bytes.len() - 2);
    bytes
}

fn length_after(sign: char, line: &str) -> usize {
    let length = line.strip_prefix(sign).and_then(|length| length.parse().ok());
    length.unwrap_or_else(|| {
        panic!("expected {sign} and a length in the replication stream, found {line:?}")
    })
}

fn read_line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = Vec::new();
    let read = reader.read_until(b'\n', &mut line).expect("the replication stream");
    assert!(read > 0, "the replication stream ended");
    String::from_utf8_lossy(&line).trim_end().to_string()
}
