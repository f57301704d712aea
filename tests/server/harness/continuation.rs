//! The ways in which the data of a server go on when its process ends.

use super::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    Snapshot,
    AppendOnlyFile,
    Promotion,
}

impl Continuation {
    pub const ALL: [Self; 3] = [Self::Snapshot, Self::AppendOnlyFile, Self::Promotion];

    /// A server that can go on in this way.
    pub fn start(self) -> Server {
        match self {
            Self::AppendOnlyFile => Server::start_with_append_only_file(),
            Self::Snapshot | Self::Promotion => Server::start(),
        }
    }

    /// Ends the process; what goes on then: the server, started again, or its replica.
    pub fn go_on<'a>(self, server: &'a mut Server, replica: &'a Server) -> &'a Server {
        match self {
            Self::Snapshot => server.restart_with_snapshot(),
            Self::AppendOnlyFile => server.kill_and_start_again(),
            Self::Promotion => {
                server.kill();
                replica.client().ask("REPLICAOF NO ONE");
                return replica;
            }
        }
        server
    }
}
