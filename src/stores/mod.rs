//! The way to Redis and to Postgres: connections, time-outs and nothing of the business.

mod cluster;
pub mod guards;
pub mod migrate;
pub mod postgres;
pub mod redis;
mod sentinel;
pub mod service_role;
mod single;
