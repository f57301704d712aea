//! A connection as bare bytes, for what a reply looks like on the wire and for replies that nobody
//! has to take apart.

use super::{DEADLINE, Server};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

impl Server {
    /// Sends commands as lines in one packet and returns the bytes of their replies.
    pub fn raw_replies(&self, lines: &[&str]) -> Vec<u8> {
        replies_of(self.port(), format!("{}\r\n", lines.join("\r\n")).as_bytes())
    }
}

/// Sends commands in one packet and returns the bytes of their replies.
pub fn replies_of(port: u16, requests: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    socket.set_read_timeout(Some(DEADLINE)).expect("a read timeout");
    let end = b"+PONG\r\n";
    socket.write_all(&[requests, b"PING\r\n"].concat()).expect("commands sent");
    let mut replies = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while !replies.ends_with(end) {
        let length = socket.read(&mut buffer).expect("replies");
        assert!(length > 0, "the connection was closed");
        replies.extend_from_slice(&buffer[..length]);
    }
    replies.truncate(replies.len() - end.len());
    replies
}
