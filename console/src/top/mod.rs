//! `redis-mq top`: the overview and the pages of queues in a terminal, from the samples and views that the page shows.

mod app;
mod ask;
mod list;
mod page;
mod screen;
mod seen;
#[cfg(test)]
#[allow(dead_code)] // the test here uses a part of it
#[path = "../../tests/console/terminal.rs"]
mod terminal;
mod text;

use crate::options::Top;
use crate::sampling::{self, State};
use crate::source::Source;
use app::App;
use ask::Asker;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use screen::Screen;
use std::io::{IsTerminal, stdin, stdout};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Shows them until a key or a signal ends it.
pub async fn run(options: Top) -> Result<(), String> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err("top needs a terminal; for scripts there is redis-mq get".to_owned());
    }
    let state = State::new(Source::all(&options.servers)?);
    state.seen();
    sampling::watch(&state, options.max_queues);
    let mut screen = Screen::open().map_err(|error| error.to_string())?;
    show(&state, &mut screen, options.allow_writes).await.map_err(|error| error.to_string())
}

async fn show(state: &Arc<State>, screen: &mut Screen, writes: bool) -> std::io::Result<()> {
    let (answers, mut answered) = mpsc::channel(16);
    let mut app = App::new(Asker::new(Arc::clone(state), answers), writes);
    let mut changes = state.changes();
    let mut events = EventStream::new();
    let mut ends = Ends::new()?;
    loop {
        state.seen();
        screen.draw(|frame| app.draw(frame))?;
        tokio::select! {
            () = ends.recv() => return Ok(()),
            event = events.next() => match event.transpose()? {
                None => return Ok(()),
                Some(Event::Key(key)) if key.is_press() => {
                    if app.key(key).is_break() {
                        return Ok(());
                    }
                }
                // The size is asked for with each drawing.
                Some(_) => {}
            },
            Ok(()) = changes.changed() => app.sampled(),
            Some(answer) = answered.recv() => app.answered(answer),
        }
    }
}

/// The signals that end it; Ctrl-C is a key here.
struct Ends([Signal; 3]);

impl Ends {
    fn new() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn recv(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
