//! Promises under faults: nodes are processes that are killed, servers are lost, wires are cut. What is promised holds
//! afterwards, in the stores, in Stripe's ledger and in what every customer was told.

mod crash_matrix;
mod stand;
mod the_stand_stands;
