//! Who asks, and what there is to ask for: some of it nobody's, some of it somebody else's.

use holdfast::ids::EventId;
use serde_json::{Value, json};

use super::Kind;
use crate::support::journeys::id;
use crate::support::{Client, Holdfast};

pub const PASSWORD: &str = "four-quiet-words";
/// Nobody else would be called this.
const NAME: &str = "Alba Kanarienvogel";
const EMAIL: &str = "alba.kanarienvogel@example.com";

/// The address that signs in, and out again.
pub const SIGNS_IN: &str = "cleo@example.com";

/// The most things of one kind that are remembered.
const REMEMBERED: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    Nobody,
    /// A customer.
    Ben,
    /// An organiser of nothing that anybody here has to do with.
    Stranger,
    /// A customer whose things are looked after.
    Ada,
    Organiser,
    Admin,
}

impl Who {
    /// Those to whom nothing of Ada's is any business.
    pub const OUTSIDERS: [Self; 3] = [Self::Nobody, Self::Ben, Self::Stranger];
    pub const INSIDERS: [Self; 3] = [Self::Ada, Self::Organiser, Self::Admin];

    pub fn is_outside(self) -> bool {
        Self::OUTSIDERS.contains(&self)
    }
}

#[derive(Debug, Clone)]
pub struct Thing {
    pub kind: Kind,
    pub id: String,
    pub whose: Who,
    /// Made on the way: nobody minds when it is cancelled or thrown away.
    pub is_spare: bool,
}

pub struct World {
    pub holdfast: Holdfast,
    pub document: Value,
    pub event: EventId,
    people: [(Who, Client); 6],
    pub things: Vec<Thing>,
    pub codes: Vec<String>,
    pub sessions: Vec<String>,
    pub places: Vec<String>,
    pub admissions: Vec<String>,
    /// What only Ada, those who sell to her and those who run the service may see.
    pub secrets: Vec<String>,
}

impl World {
    pub async fn open() -> Self {
        let holdfast = Holdfast::with(|config| {
            // Nobody's time is up while the world is asked everything.
            config.hold_seconds = 3600;
            config.payment_seconds = 3600;
            config.hooks_allow_private = true;
        })
        .await;
        let document = holdfast.anyone().finds("/openapi.json").await.expect(200);
        let event = holdfast.event(house("The Tempest", 14)).await;
        let full = holdfast.event(house("Othello", 1)).await;
        let (ada, ada_signed_in) = registers(&holdfast, NAME, EMAIL).await;
        let (ben, _) = registers(&holdfast, "Ben", "ben@example.com").await;
        let stranger = holdfast.another_organiser().await;
        let people = [
            (Who::Nobody, holdfast.anyone()),
            (Who::Ben, ben.clone()),
            (Who::Stranger, stranger.clone()),
            (Who::Ada, ada.clone()),
            (Who::Organiser, holdfast.organiser()),
            (Who::Admin, holdfast.admin().await),
        ];
        let mut world = Self {
            holdfast,
            document,
            event,
            people,
            things: Vec::new(),
            codes: Vec::new(),
            sessions: Vec::new(),
            places: Vec::new(),
            admissions: Vec::new(),
            secrets: vec![NAME.to_owned(), EMAIL.to_owned()],
        };
        for event in [event, full] {
            world.keep(Kind::Event, &event.to_string(), Who::Organiser);
        }
        world.have(Who::Ada, &ada, full).await;
        world.note_secrets(&ada_signed_in);
        world.have(Who::Ben, &ben, full).await;
        // Whoever signs them out everywhere ends nobody's who asks here.
        let (_, signed_in) = registers(&world.holdfast, "Cleo", SIGNS_IN).await;
        world.sessions.push(text(&signed_in, "refresh_token"));
        let mut form = house("The stranger's own", 3);
        form["title"] = json!("The stranger's own");
        let own = stranger.gets_through("/v1/admin/events", form).await.expect(201);
        world.keep(Kind::Event, id(&own), Who::Stranger);
        world
    }

    /// One hold, one order to pay, one that is paid, and a party on the list of the event that is full.
    async fn have(&mut self, who: Who, person: &Client, full: EventId) {
        let row = if who == Who::Ada { "A" } else { "B" };
        let seat = |number: u32| format!("stalls-{row}-{number}");
        let event = self.event;
        let wish = json!({ "seats": [seat(1), seat(2)] });
        let hold = person.gets_through(&format!("/v1/events/{event}/holds"), wish).await.expect(201);
        let open = person.orders(event, &[&seat(3)]).await;
        let paid = self.holdfast.sold(person, event, &[&seat(5), &seat(6)]).await;
        if who == Who::Ada {
            // Nobody but her waits for it, and the rest of the house is kept: so nothing changes by itself.
            self.holdfast.sold(person, full, &["stalls-A-1"]).await;
            let rest =
                json!({ "seats": ["stalls-B-1", "stalls-C-1", "stalls-D-1"], "areas": { "floor": 9 } });
            let keeper = self.holdfast.customer().await;
            keeper.gets_through(&format!("/v1/events/{full}/holds"), rest).await.expect(201);
            let entry = person.waits_for(full, 1).await;
            self.keep(Kind::Entry, id(&entry), who);
            self.note_secrets(&entry);
        }
        let me = person.finds("/v1/me").await.expect(200);
        self.keep(Kind::Account, id(&me), who);
        self.keep(Kind::Hold, id(&hold), who);
        for order in [&open, &paid] {
            self.keep(Kind::Order, id(order), who);
        }
        for ticket in paid["tickets"].as_array().expect("tickets") {
            self.keep(Kind::Ticket, id(ticket), who);
            self.codes.push(text(ticket, "code"));
        }
        if who == Who::Ada {
            for thing in [&me, &hold, &open, &paid] {
                self.note_secrets(thing);
            }
        }
    }

    /// Tickets that nobody has used, moved or given back yet.
    pub async fn restock(&mut self) {
        let event = self.holdfast.event(house("One more", 14)).await;
        let ben = self.person(Who::Ben).clone();
        let paid = self.holdfast.sold(&ben, event, &["stalls-A-1", "stalls-A-2"]).await;
        let tickets = paid["tickets"].as_array().expect("tickets");
        self.codes.extend(tickets.iter().map(|ticket| text(ticket, "code")));
        let order = (Kind::Order, id(&paid));
        for (kind, id) in tickets.iter().map(|ticket| (Kind::Ticket, id(ticket))).chain([order]) {
            self.things.push(Thing { kind, id: id.to_owned(), whose: Who::Ben, is_spare: true });
        }
    }

    /// Ids of what is somebody's own, codes, and what money is asked for with.
    fn note_secrets(&mut self, thing: &Value) {
        const OWN: [&str; 8] = [
            "id",
            "order_id",
            "hold_id",
            "code",
            "client_secret",
            "payment_intent",
            "access_token",
            "refresh_token",
        ];
        match thing {
            Value::Object(members) => {
                for (name, value) in members {
                    if name != "event" && name != "event_id" && name != "seats" {
                        self.note_secrets(value);
                    }
                    if let Some(text) = value.as_str().filter(|_| OWN.contains(&name.as_str())) {
                        self.secrets.push(text.to_owned());
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.note_secrets(item)),
            _ => {}
        }
    }

    fn keep(&mut self, kind: Kind, id: &str, whose: Who) {
        self.things.push(Thing { kind, id: id.to_owned(), whose, is_spare: false });
    }

    pub fn person(&self, who: Who) -> &Client {
        &self.people.iter().find(|(known, _)| *known == who).expect("everybody is here").1
    }

    /// Remembers what an answer has made, so that it is asked for later.
    pub fn learn(&mut self, who: Who, path: &str, answer: &Value) {
        if path == "/v1/me/password" {
            // From now on no other token of theirs is good.
            let token = text(answer, "access_token");
            let client = Client::new(self.holdfast.url(), Some(token));
            self.people
                .iter_mut()
                .filter(|(known, _)| *known == who)
                .for_each(|(_, old)| *old = client.clone());
            return;
        }
        let kind = match path.trim_start_matches("/v1/").trim_start_matches("admin/") {
            "events" => Kind::Event,
            "orders" => Kind::Order,
            "hooks" => Kind::Hook,
            "accounts" => Kind::Account,
            path if path.ends_with("/holds") && answer["seats"].is_array() => Kind::Hold,
            path if path.ends_with("/holds") || path.ends_with("/waitlist") => Kind::Entry,
            path if path.ends_with("/comps") => Kind::Order,
            _ => return self.learn_words(answer),
        };
        if let Some(id) = answer["id"].as_str() {
            let known = self.things.iter().filter(|thing| thing.kind == kind && thing.is_spare);
            if known.clone().count() >= REMEMBERED {
                let oldest = known.map(|thing| thing.id.clone()).next();
                self.things.retain(|thing| Some(&thing.id) != oldest.as_ref());
            }
            self.things.push(Thing { kind, id: id.to_owned(), whose: who, is_spare: true });
        }
    }

    fn learn_words(&mut self, answer: &Value) {
        for (name, known) in [
            ("refresh_token", &mut self.sessions),
            ("place", &mut self.places),
            ("admission", &mut self.admissions),
        ] {
            if let Some(word) = answer[name].as_str() {
                known.push(word.to_owned());
            }
        }
    }

    /// All that Ada has, as she sees it, and her account as it is stored.
    pub async fn what_ada_has(&self) -> Value {
        let ada = self.person(Who::Ada);
        let mut seen = Vec::new();
        let mut paths =
            vec!["/v1/me".to_owned(), "/v1/orders?limit=100".to_owned(), "/v1/waitlist?limit=100".to_owned()];
        for thing in self.things.iter().filter(|thing| thing.whose == Who::Ada && !thing.is_spare) {
            match thing.kind {
                Kind::Hold => paths.push(format!("/v1/holds/{}", thing.id)),
                Kind::Order => paths.push(format!("/v1/orders/{}", thing.id)),
                Kind::Ticket => paths.push(format!("/v1/tickets/{}/qr.svg", thing.id)),
                Kind::Event | Kind::Entry | Kind::Hook | Kind::Account => {}
            }
        }
        for path in paths {
            let answer = ada.finds(&path).await;
            let mut body = answer.body;
            without_the_clock(&mut body);
            seen.push(json!([path, answer.status, body]));
        }
        let account: (Value,) = sqlx::query_as("select to_jsonb(a) from accounts a where email = $1")
            .bind(EMAIL)
            .fetch_one(&self.holdfast.app().pg)
            .await
            .expect("her account");
        let events: (Value,) = sqlx::query_as(
            "select coalesce(jsonb_agg(to_jsonb(e) order by id), '[]') from events e where organiser_id = $1",
        )
        .bind(self.holdfast.organiser_id())
        .fetch_one(&self.holdfast.app().pg)
        .await
        .expect("the events that she goes to");
        json!({ "seen": seen, "account": account.0, "events": events.0 })
    }
}

/// Two answers at two moments are the same but for this.
fn without_the_clock(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("server_time");
            // Of a hold it is the moment of asking and what is left, so no two answers are the same.
            members.remove("expires_at");
            members.values_mut().for_each(without_the_clock);
        }
        Value::Array(items) => items.iter_mut().for_each(without_the_clock),
        _ => {}
    }
}

/// Four rows of so many seats, and a floor.
pub fn house(title: &str, seats: u32) -> Value {
    let rows: Vec<_> = ["A", "B", "C", "D"].map(|row| json!({ "name": row, "seats": seats })).into();
    json!({
        "title": title, "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
        "orphan_rule": false,
        "categories": [{ "key": "gold", "name": "Stalls", "price": 4800 }, { "key": "silver", "price": 2000 }],
        "sections": [{ "key": "stalls", "name": "Stalls", "category": "gold", "rows": rows }],
        "areas": [{ "key": "floor", "category": "silver", "capacity": if seats == 1 { 9 } else { 500 } }],
    })
}

async fn registers(holdfast: &Holdfast, name: &str, email: &str) -> (Client, Value) {
    let form = json!({ "name": name, "email": email, "password": PASSWORD });
    // On a busy machine a password may take longer than an answer may.
    let asked = holdfast.anyone().request(reqwest::Method::POST, "/v1/auth/register").json(&form);
    let signed_in = holdfast.anyone().patiently(asked).await.expect(201);
    (Client::new(holdfast.url(), Some(text(&signed_in, "access_token"))), signed_in)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}")).to_owned()
}
