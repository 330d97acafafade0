//! Every promise, one file each, against real servers. The list of modules is the table of contents.

mod a_crash_loses_nothing;
mod a_race_has_one_winner_a_seat;
mod accounts_are_safe;
mod an_order_ends_as_its_payment_does;
mod an_outage_is_told_quickly_and_ends_by_itself;
mod bad_input_is_a_clear_problem;
mod events_are_what_was_published;
mod one_command_opens_for_business;
mod payments_are_made_once;
mod payments_page_tells_the_truth;
mod payments_sandbox_keeps_stripes_rules;
mod payments_support;
mod payments_webhooks_are_believed_when_signed;
mod seats_agree_with_a_model;
mod seats_are_held_all_or_nothing;
mod seats_are_seen_live;
mod seats_model;
mod seats_outlive_a_failover;
mod seats_scripts_keep_their_headers;
mod seats_support;
mod support;
mod the_audit_sees_every_breach;
mod the_documentation_is_true;
mod the_old_defects_are_not_here;
mod the_same_key_gives_the_same_result;
mod the_story_of_two_customers;
