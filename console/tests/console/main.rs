//! The console as its users see it, on real servers: in a browser, in a terminal, and as Prometheus sees it. Every test starts
//! its own servers. They mostly wait for samples, so many run at once; all are in one program, or cargo would run one file
//! after the other.

mod actions;
mod browser;
mod get;
mod monitoring;
mod overview;
mod page;
mod page_actions;
mod security;
mod terminal;
mod tls;
mod top;
mod why;
mod world;
