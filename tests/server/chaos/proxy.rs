//! A connection that can be cut: bytes go through it in both directions until then.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens on a port of its own and connects to `target` for each that comes.
    pub fn to(target: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if shared.is_cut.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let ends = [from, to].map(|socket| socket.try_clone().expect("a socket"));
                    thread::spawn(move || forward(ends));
                }
                shared.sockets.lock().expect("the sockets").extend([near, far]);
            }
        });
        Proxy { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections, and takes no more.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::Relaxed);
        for socket in self.state.sockets.lock().expect("the sockets").drain(..) {
            // It fails when the other side has closed it.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn forward([mut from, mut to]: [TcpStream; 2]) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
