//! The PostgreSQL connectors against a real server.

mod cdc;
mod connecting;
mod destination;
mod evolution;
mod generations;
pub(crate) mod given;
mod incremental;
mod round_trip;
mod source;
mod xmin;
