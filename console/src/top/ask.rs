//! What is asked of servers while the terminal stays responsive: each question is a task, its answer a message.

use super::seen::{Place, Queue};
use crate::dead_letters::{self, DeadLetters};
use crate::sampling::State;
use crate::view;
use redis::aio::ConnectionManager;
use redis_mq::Client;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

#[derive(Clone, Debug)]
pub enum Question {
    Queue(Place),
    DeadLetters(Place),
    Act(Place, Action),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Pause,
    Resume,
}

/// Errors are texts for who looks.
#[derive(Debug)]
pub enum Answer {
    Queue(Place, Result<Queue, String>),
    DeadLetters(Place, Result<DeadLetters, String>),
    Act(Place, Action, Result<(), String>),
}

#[derive(Debug)]
pub struct Asker {
    pub state: Arc<State>,
    answers: Sender<Answer>,
}

impl Asker {
    pub fn new(state: Arc<State>, answers: Sender<Answer>) -> Self {
        Self { state, answers }
    }

    pub fn ask(&self, question: Question) {
        let (state, answers) = (Arc::clone(&self.state), self.answers.clone());
        tokio::spawn(async move {
            // Nobody listens when the program ends.
            let _ = answers.send(answer(&state, question).await).await;
        });
    }
}

async fn answer(state: &State, question: Question) -> Answer {
    match question {
        Question::Queue(place) => {
            let queue = queue(state, &place).await;
            Answer::Queue(place, queue)
        }
        Question::DeadLetters(place) => {
            let letters = dead_letters(state, &place).await;
            Answer::DeadLetters(place, letters)
        }
        Question::Act(place, action) => {
            let done = act(state, &place, action).await;
            Answer::Act(place, action, done)
        }
    }
}

async fn queue(state: &State, place: &Place) -> Result<Queue, String> {
    let client = client(state, place)?;
    let queue = state.current(&client, &place.source, &place.name).await;
    let queue = queue.map_err(|error| error.to_string())?;
    let seen = view::queue(&place.source, &place.server, &queue, SystemTime::now());
    serde_json::from_value(seen).map_err(|error| error.to_string())
}

async fn dead_letters(state: &State, place: &Place) -> Result<DeadLetters, String> {
    let client = client(state, place)?;
    dead_letters::count(&client, &place.name).await.map_err(|error| error.to_string())
}

async fn act(state: &State, place: &Place, action: Action) -> Result<(), String> {
    let client = client(state, place)?;
    let Place { server, name, .. } = place;
    let done = match action {
        Action::Pause => client.pause(name, None).await,
        Action::Resume => client.resume(name).await,
    };
    match &done {
        Ok(()) => info!(server, queue = name, ?action, "done"),
        Err(error) => warn!(server, queue = name, ?action, %error, "failed"),
    }
    done.map_err(|error| error.to_string())
}

fn client(state: &State, place: &Place) -> Result<Client<ConnectionManager>, String> {
    match state.client(&place.source, &place.server) {
        Ok(Some(client)) => Ok(client),
        Ok(None) => Err(format!("{} is no master now", place.server)),
        Err(error) => Err(error.to_string()),
    }
}
