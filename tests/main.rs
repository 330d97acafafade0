mod seats_agree_with_a_model;
mod seats_are_held_all_or_nothing;
mod seats_are_seen_live;
mod seats_model;
mod seats_outlive_a_failover;
mod seats_scripts_keep_their_headers;
mod seats_support;
mod support;
