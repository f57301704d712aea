//! Futures of one task that wake each other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

const IDLE: u8 = 0;
const POLLED: u8 = 1;
const WOKEN: u8 = 2;

/// How often it is polled again before other tasks have their turn.
const POLLS: usize = 16;

/// Polls a future again at once if it was woken meanwhile. The runtime would put its task behind all others, and wake
/// another thread that may take it over.
pub async fn together<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let relay =
        Arc::new(Relay { state: AtomicU8::new(IDLE), task: Mutex::new(Waker::noop().clone()) });
    let waker = Waker::from(Arc::clone(&relay));
    poll_fn(|context| relay.poll(future.as_mut(), &waker, context.waker())).await
}

struct Relay {
    state: AtomicU8,
    task: Mutex<Waker>,
}

impl Relay {
    fn poll<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        waker: &Waker,
        task: &Waker,
    ) -> Poll<F::Output> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(task);
        for _ in 0..POLLS {
            self.state.store(POLLED, Ordering::SeqCst);
            let result = future.as_mut().poll(&mut Context::from_waker(waker));
            let is_woken = self
                .state
                .compare_exchange(POLLED, IDLE, Ordering::SeqCst, Ordering::SeqCst)
                .is_err();
            if result.is_ready() || !is_woken {
                return result;
            }
        }
        task.wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == IDLE {
            self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::Notify;

    #[derive(Default)]
    struct Task {
        wakes: AtomicUsize,
    }

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.wakes.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Is ready at the poll of this number, and wakes itself at each; with the number of polls so far.
    fn busy(ready_at: usize) -> (Arc<AtomicUsize>, impl Future<Output = ()>) {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let future = poll_fn(move |context| {
            context.waker().wake_by_ref();
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            if number < ready_at { Poll::Pending } else { Poll::Ready(()) }
        });
        (polls, future)
    }

    #[test]
    fn what_wakes_itself_is_polled_again_without_the_runtime() {
        let task = Arc::new(Task::default());
        let (polls, future) = busy(3);
        let mut future = pin!(together(future));
        let waker = Waker::from(Arc::clone(&task));
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        assert_eq!((polls.load(Ordering::SeqCst), task.wakes.load(Ordering::SeqCst)), (3, 0));
    }

    #[test]
    fn others_have_their_turn() {
        let task = Arc::new(Task::default());
        let (polls, future) = busy(POLLS + 1);
        let mut future = pin!(together(future));
        let waker = Waker::from(Arc::clone(&task));
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((polls.load(Ordering::SeqCst), task.wakes.load(Ordering::SeqCst)), (POLLS, 1));
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn what_is_woken_later_wakes_its_task_once() {
        let task = Arc::new(Task::default());
        let woken = Notify::new();
        let mut future = pin!(together(async {
            loop {
                woken.notified().await;
            }
        }));
        let waker = Waker::from(Arc::clone(&task));
        for wakes in 1..=2 {
            let result: Poll<()> = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(result.is_pending());
            woken.notify_one();
            woken.notify_one();
            assert_eq!(task.wakes.load(Ordering::SeqCst), wakes);
        }
    }
}
