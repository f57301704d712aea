//! The signals that stop a worker.

/// Is ready at the first SIGTERM or SIGINT. The second one ends the process.
pub async fn first() {
    let mut signals = Signals::watch();
    signals.next().await;
    tokio::spawn(async move {
        let number = signals.next().await;
        std::process::exit(128 + number);
    });
}

#[cfg(unix)]
struct Signals(Option<[tokio::signal::unix::Signal; 2]>);

#[cfg(unix)]
impl Signals {
    fn watch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => Self(Some([terminate, interrupt])),
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "signals can't be watched");
                Self(None)
            }
        }
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        let Some([terminate, interrupt]) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => 15,
            _ = interrupt.recv() => 2,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn watch() -> Self {
        Self
    }

    /// The number of Ctrl-C.
    async fn next(&mut self) -> i32 {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "signals can't be watched");
            return std::future::pending().await;
        }
        2
    }
}
