mod seats_agree_with_a_model;
mod seats_model;
mod seats_support;
mod support;
