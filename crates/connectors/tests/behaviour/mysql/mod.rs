//! `source-mysql` on a real server.

mod connecting;
mod given;
mod incremental;
mod round_trip;
mod source;
