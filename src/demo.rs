//! The demo: four events that show what can be sold, and three accounts to sell and buy with.

use crate::accounts::{AccountsError, NewAccount, Role};
use crate::app::App;
use crate::catalog::NewEvent;
use crate::ids::{AccountId, EventId};
use anyhow::Context as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The password of every demo account.
pub const PASSWORD: &str = "holdfast-demo-1";

/// Demo accounts: address, name, role, and an id that is the same in every demo.
const ACCOUNTS: [(&str, &str, Role, u128); 3] = [
    ("admin@holdfast.test", "Ada Admin", Role::Admin, 1),
    ("organiser@holdfast.test", "Otto Organiser", Role::Organiser, 2),
    ("customer@holdfast.test", "Cleo Customer", Role::Customer, 3),
];

/// The addresses of the demo accounts.
pub fn addresses() -> impl Iterator<Item = &'static str> {
    ACCOUNTS.iter().map(|(email, ..)| *email)
}

/// UUIDv7s of a fixed moment: running the demo again finds what is there.
fn demo_id(number: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | number)
}

/// Creates what is missing. Safe to run at every start.
pub async fn open(app: &App) -> anyhow::Result<()> {
    for (email, name, role, number) in ACCOUNTS {
        let account = NewAccount {
            id: AccountId(demo_id(number)),
            name: name.to_owned(),
            email: email.to_owned(),
            password: SecretString::from(PASSWORD),
            role,
        };
        match app.accounts.create(account).await {
            Ok(_) | Err(AccountsError::EmailTaken) => {}
            Err(error) => return Err(error).with_context(|| format!("the demo account {email}")),
        }
    }
    let organiser = AccountId(demo_id(2));
    for (number, form) in (16..).zip([theatre(), arena(), club(), reading()]) {
        let id = EventId(demo_id(number));
        let form: NewEvent = serde_json::from_value(form)?;
        let event = app.catalog.create(id, organiser, form).await.context("a demo event")?;
        app.desk.open(event.id).await.context("opening a demo event")?;
    }
    Ok(())
}

/// So many days ahead, at the full hour.
fn in_days(days: i64, hour: u8) -> String {
    let day = OffsetDateTime::now_utc() + Duration::days(days);
    let time = time::Time::from_hms(hour, 0, 0).unwrap_or(time::Time::MIDNIGHT);
    day.replace_time(time).format(&Rfc3339).unwrap_or_default()
}

fn theatre() -> Value {
    let stalls: Vec<_> =
        ('A'..='H').map(|row| json!({ "name": row.to_string(), "seats": 14, "aisles_after": [7] })).collect();
    let balcony: Vec<_> = ('J'..='L').map(|row| json!({ "name": row.to_string(), "seats": 16 })).collect();
    json!({
        "title": "The Tempest", "venue": "Harbour Theatre",
        "description": "A storm, an island and a reckoning, in two hours without an interval.",
        "starts_at": in_days(21, 19), "currency": "eur", "max_per_customer": 8,
        "categories": [
            { "key": "gold", "name": "Stalls", "price": 4800 },
            { "key": "silver", "name": "Balcony", "price": 2900 },
        ],
        "sections": [
            { "key": "stalls", "name": "Stalls", "category": "gold", "rows": stalls },
            { "key": "balcony", "name": "Balcony", "category": "silver", "rows": balcony },
        ],
    })
}

/// Twenty blocks of twenty-five rows of forty seats.
fn arena() -> Value {
    let rows: Vec<_> =
        (1..=25).map(|row| json!({ "name": row.to_string(), "seats": 40, "aisles_after": [20] })).collect();
    let sections: Vec<_> = (1..=20)
        .map(|block| {
            let category = match block {
                1..=6 => "front",
                7..=14 => "middle",
                _ => "back",
            };
            json!({ "key": format!("block{block}"), "name": format!("Block {block}"), "category": category,
                    "rows": rows })
        })
        .collect();
    json!({
        "title": "Northern Lights Tour", "venue": "Granite Arena", "starts_at": in_days(60, 18),
        "currency": "eur", "max_per_customer": 6,
        "categories": [
            { "key": "front", "name": "Front", "price": 12900 },
            { "key": "middle", "name": "Middle", "price": 8900 },
            { "key": "back", "name": "Back", "price": 5900 },
        ],
        "sections": sections,
    })
}

fn club() -> Value {
    json!({
        "title": "Late Shift", "venue": "Cellar Club", "starts_at": in_days(9, 22), "currency": "eur",
        "max_per_customer": 10,
        "categories": [{ "key": "entry", "name": "Entry", "price": 1800 }],
        "areas": [{ "key": "floor", "name": "Floor", "category": "entry", "capacity": 400 }],
    })
}

fn reading() -> Value {
    json!({
        "title": "An Evening of Short Stories", "starts_at": in_days(14, 18), "total_tickets": 60, "price": 0,
        "currency": "eur",
    })
}
