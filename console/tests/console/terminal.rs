//! A terminal in which a program runs: a pty, and what a terminal would show of what the program writes.

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    emulator: Arc<Mutex<vt100::Parser>>,
    /// The modes before the program ran.
    modes: String,
}

pub const DOWN: &str = "\x1b[B";
pub const ESCAPE: &str = "\x1b";

impl Terminal {
    pub fn run(program: &str, arguments: &[&str], columns: u16, rows: u16) -> Self {
        let pty = native_pty_system().openpty(size(columns, rows)).unwrap();
        let modes = format!("{:?}", pty.master.get_termios());
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        let emulator = vt100::Parser::new(nonzero(rows), nonzero(columns), 0);
        let emulator = Arc::new(Mutex::new(emulator));
        let mut output = pty.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&emulator);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().process(&bytes[..read]);
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { master: pty.master, child, keys, emulator, modes }
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.emulator.lock().unwrap().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    pub fn screen(&self) -> String {
        self.emulator.lock().unwrap().screen().contents()
    }

    /// The line that has a text, or "".
    pub fn line(&self, text: &str) -> String {
        let screen = self.screen();
        screen.lines().find(|line| line.contains(text)).unwrap_or_default().to_owned()
    }

    pub fn wait_for(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let end = Instant::now() + LIMIT;
        while !is_so(&self.screen()) {
            assert!(Instant::now() < end, "never shown: {what}; but:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| screen.contains(text));
    }

    pub fn process(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for the program's end.
    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it goes on, and shows:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The program has given the terminal back as it was.
    pub fn assert_restored(&self) {
        assert_eq!(format!("{:?}", self.master.get_termios()), self.modes);
        self.wait_for("the first screen", |_| {
            let emulator = self.emulator.lock().unwrap();
            !emulator.screen().alternate_screen() && !emulator.screen().hide_cursor()
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn nonzero(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}
