//! One or several queues.

/// The queues of a pull or a worker, served in this order: made of a name or of several.
///
/// In a cluster all of them must be in one slot, as `{acme}.orders` and `{acme}.mails` are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues(pub(crate) Vec<String>);

impl From<&str> for Queues {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl From<&String> for Queues {
    fn from(name: &String) -> Self {
        Self(vec![name.clone()])
    }
}

impl From<String> for Queues {
    fn from(name: String) -> Self {
        Self(vec![name])
    }
}

impl<S: AsRef<str>> From<&[S]> for Queues {
    fn from(names: &[S]) -> Self {
        Self(names.iter().map(|name| name.as_ref().to_owned()).collect())
    }
}

impl<S: AsRef<str>, const N: usize> From<[S; N]> for Queues {
    fn from(names: [S; N]) -> Self {
        Self::from(names.as_slice())
    }
}

impl<S: AsRef<str>> From<Vec<S>> for Queues {
    fn from(names: Vec<S>) -> Self {
        Self::from(names.as_slice())
    }
}
