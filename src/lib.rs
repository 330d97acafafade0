//! Holdfast: hold-and-confirm seat reservations.
//!
//! **No seat is ever sold twice, and no captured payment is left without its seats or its money back,
//! whatever crashes.** Redis decides fast, Postgres decides finally before money moves, and Stripe is asked,
//! never guessed. `ARCHITECTURE.md` is the map.

pub mod accounts;
pub mod app;
pub mod catalog;
pub mod config;
mod connections;
pub mod demo;
pub mod hooks;
pub mod http;
pub mod ids;
mod lanes;
pub mod limits;
pub mod lines;
pub mod local;
pub mod mail;
pub mod mailbox;
pub mod markup;
pub mod money;
pub mod node;
pub mod orders;
pub mod packing;
pub mod payments;
pub mod proof;
pub mod room;
pub mod sandbox;
pub mod seal;
pub mod seats;
pub mod stores;
pub mod telemetry;
pub mod tickets;
pub mod trail;
pub mod waitlist;
pub mod workers;
