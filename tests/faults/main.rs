//! Promises under faults: nodes are processes that are killed, servers are lost, wires are cut. What is promised holds
//! afterwards, in the stores, in Stripe's ledger and in what every customer was told.

mod a_node_lacks_something;
mod a_shard_takes_only_its_own_events;
mod chaos;
mod clocks_are_wrong;
mod crash_matrix;
mod slots_move_in_a_sale;
mod stand;
mod the_stand_stands;
mod wires_and_splits;
