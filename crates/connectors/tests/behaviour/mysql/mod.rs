//! `source-mysql` on a real server.

mod cdc;
mod connecting;
mod given;
mod incremental;
mod round_trip;
mod source;
