//! The terminal: taken over by `open`, and given back on drop and by any panic, also of a task.

use crossterm::cursor::Show;
use crossterm::execute;
use ratatui::{DefaultTerminal, Frame};
use std::io::stdout;
use std::{panic, process};

pub struct Screen(DefaultTerminal);

impl Screen {
    pub fn open() -> std::io::Result<Self> {
        let terminal = ratatui::try_init()?;
        // Ratatui's hook leaves the alternate screen and tells the panic.
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let _ = execute!(stdout(), Show);
            hook(panic);
            // The panic of a task would leave the others drawing on a terminal that was given back.
            process::exit(101);
        }));
        Ok(Self(terminal))
    }

    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> std::io::Result<()> {
        self.0.draw(draw).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::terminal::Terminal;

    /// What the test below runs in a terminal.
    #[test]
    #[ignore = "panics"]
    fn a_task_panics_while_the_screen_is_open() {
        let mut screen = Screen::open().unwrap();
        screen.draw(|frame| frame.render_widget("the overview", frame.area())).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let task = std::thread::spawn(|| panic!("at the disco"));
        let _ = task.join();
        loop {
            std::thread::park();
        }
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_told() {
        let own = std::env::current_exe().unwrap();
        let test = "top::screen::tests::a_task_panics_while_the_screen_is_open";
        let arguments = ["--ignored", "--exact", "--nocapture", test];
        let mut terminal = Terminal::run(own.to_str().unwrap(), &arguments, 100, 30);
        terminal.wait_for_text("the overview");
        assert_eq!(terminal.ended().exit_code(), 101);
        terminal.assert_restored();
        terminal.wait_for_text("at the disco");
    }
}
