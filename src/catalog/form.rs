//! The form in which an organiser describes an event: the full one, and the short one that is one standing area.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A new event. Numbers are wide so that one that makes no sense can be named instead of not being read.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "The Tempest", "venue": "Harbour Theatre", "starts_at": "2031-05-01T19:00:00Z", "currency": "eur",
    "categories": [{"key": "gold", "name": "Stalls", "price": 4800}],
    "sections": [{"key": "stalls", "name": "Stalls", "category": "gold",
                  "rows": [{"name": "A", "seats": 14, "aisles_after": [7]}]}]
}))]
pub struct NewEvent {
    pub title: String,
    pub description: Option<String>,
    pub venue: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sale_starts_at: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sale_ends_at: Option<OffsetDateTime>,
    /// Three letters; `eur` where it is left out.
    pub currency: Option<String>,
    /// How many seats one customer may hold and have.
    pub max_per_customer: Option<i64>,
    /// How long a hold lasts; the service's default where it is left out.
    pub hold_seconds: Option<i64>,
    /// Whether a choice that would strand a single seat is refused. It is, where this is left out.
    pub orphan_rule: Option<bool>,
    /// Whether one can wait for seats. One can, where this is left out.
    pub waitlist: Option<bool>,
    /// How long an offer to a waiting party lasts; the service's default where it is left out.
    pub offer_seconds: Option<i64>,
    /// The list closes this long before the event; an hour where it is left out.
    pub waitlist_cutoff_seconds: Option<i64>,
    #[serde(default)]
    pub categories: Vec<CategoryForm>,
    /// Parts with numbered seats, best first.
    #[serde(default)]
    pub sections: Vec<SectionForm>,
    /// Parts where any place is as good as another.
    #[serde(default)]
    pub areas: Vec<AreaForm>,
    /// The short form: so many standing places, and nothing of the three above.
    pub total_tickets: Option<i64>,
    /// The price of the short form, in minor units; free of charge where it is left out.
    pub price: Option<i64>,
    /// Entered through a waiting room that opens so many minutes before the sale; without one where it is left out.
    pub room_minutes: Option<i64>,
    /// Prepared, and seen by nobody else until it is published.
    pub draft: Option<bool>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CategoryForm {
    #[schema(example = "gold")]
    pub key: String,
    pub name: Option<String>,
    /// In the currency's smallest unit.
    pub price: i64,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SectionForm {
    #[schema(example = "stalls")]
    pub key: String,
    pub name: Option<String>,
    pub category: String,
    /// Best first.
    pub rows: Vec<RowForm>,
    /// Where its first row begins, in seats; laid out where it is left out.
    pub x: Option<f64>,
    pub y: Option<f64>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowForm {
    #[schema(value_type = String, example = "A")]
    pub name: Label,
    /// The seats in the order in which one walks along them, or only how many there are.
    pub seats: Option<SeatsForm>,
    /// How many seats there are, numbered from 1.
    pub count: Option<i64>,
    /// After which seats, counted from 1, there is an aisle: nobody is a neighbour across it.
    #[serde(default)]
    pub aisles_after: Vec<i64>,
    pub x: Option<f64>,
    pub y: Option<f64>,
}

/// Seats one by one, or how many.
#[derive(Debug, Clone)]
pub enum SeatsForm {
    Count(i64),
    List(Vec<SeatForm>),
}

/// Read by hand, so described by hand: a number, or a list of names and seats.
impl utoipa::PartialSchema for SeatsForm {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
        use utoipa::openapi::{Ref, RefOr, Schema};

        let text = ObjectBuilder::new().schema_type(Type::String);
        let seat = OneOfBuilder::new().item(text).item(Ref::from_schema_name(SeatForm::name()));
        OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Integer))
            .item(ArrayBuilder::new().items(RefOr::T(Schema::from(seat))))
            .description(Some("Seats one by one, or how many."))
            .into()
    }
}

impl ToSchema for SeatsForm {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        let seat = <SeatForm as utoipa::PartialSchema>::schema();
        schemas.push((SeatForm::name().into_owned(), seat));
    }
}

/// One seat, or an aisle between two.
#[derive(Debug, Clone, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeatForm {
    pub name: Option<String>,
    pub x: Option<f64>,
    pub y: Option<f64>,
    /// Where it differs from its section's.
    pub category: Option<String>,
    #[schema(required = false)]
    pub accessible: bool,
    /// Not a seat at all.
    #[schema(required = false)]
    pub aisle: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AreaForm {
    #[schema(example = "floor")]
    pub key: String,
    pub name: Option<String>,
    pub category: String,
    pub capacity: i64,
    pub x: Option<f64>,
    pub y: Option<f64>,
}

/// What may be edited of an event that is on sale: everything but what has been promised to buyers.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventPatch {
    pub title: Option<String>,
    pub description: Option<String>,
    pub venue: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<OffsetDateTime>,
    /// `null` takes the value away, as for all that follow.
    #[serde(default, deserialize_with = "given_moment")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Option<OffsetDateTime>>,
    #[serde(default, deserialize_with = "given_moment")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sale_starts_at: Option<Option<OffsetDateTime>>,
    #[serde(default, deserialize_with = "given_moment")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sale_ends_at: Option<Option<OffsetDateTime>>,
    #[serde(default, deserialize_with = "given_number")]
    #[schema(value_type = Option<i64>)]
    pub max_per_customer: Option<Option<i64>>,
    #[serde(default, deserialize_with = "given_number")]
    #[schema(value_type = Option<i64>)]
    pub offer_seconds: Option<Option<i64>>,
    #[serde(default, deserialize_with = "given_number")]
    #[schema(value_type = Option<i64>)]
    pub room_minutes: Option<Option<i64>>,
    pub orphan_rule: Option<bool>,
    pub waitlist: Option<bool>,
    pub waitlist_cutoff_seconds: Option<i64>,
}

impl NewEvent {
    #[must_use]
    pub fn is_draft(&self) -> bool {
        self.draft == Some(true)
    }
}

impl EventPatch {
    /// The fields that it changes.
    #[must_use]
    pub fn changed(&self) -> Vec<&'static str> {
        [
            ("title", self.title.is_some()),
            ("description", self.description.is_some()),
            ("venue", self.venue.is_some()),
            ("starts_at", self.starts_at.is_some()),
            ("ends_at", self.ends_at.is_some()),
            ("sale_starts_at", self.sale_starts_at.is_some()),
            ("sale_ends_at", self.sale_ends_at.is_some()),
            ("max_per_customer", self.max_per_customer.is_some()),
            ("offer_seconds", self.offer_seconds.is_some()),
            ("room_minutes", self.room_minutes.is_some()),
            ("orphan_rule", self.orphan_rule.is_some()),
            ("waitlist", self.waitlist.is_some()),
            ("waitlist_cutoff_seconds", self.waitlist_cutoff_seconds.is_some()),
        ]
        .into_iter()
        .filter_map(|(field, is_changed)| is_changed.then_some(field))
        .collect()
    }
}

/// A field that is there: `null` is a value, and not the same as being left out.
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
fn given_moment<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Option<OffsetDateTime>>, D::Error> {
    time::serde::rfc3339::option::deserialize(source).map(Some)
}

#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
fn given_number<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(source).map(Some)
}

/// A name that people also write as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(pub String);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Label;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Label, E> {
                Ok(Label(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Label, E> {
                Ok(Label(number.to_string()))
            }
        }
        source.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for SeatsForm {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = SeatsForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of seats or how many there are")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<SeatsForm, E> {
                Ok(SeatsForm::Count(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<SeatsForm, E> {
                Ok(SeatsForm::Count(count))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<SeatsForm, A::Error> {
                let mut seats = Vec::new();
                while let Some(seat) = list.next_element()? {
                    seats.push(seat);
                }
                Ok(SeatsForm::List(seats))
            }
        }
        source.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for SeatForm {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            name: Option<Label>,
            x: Option<f64>,
            y: Option<f64>,
            category: Option<String>,
            #[serde(default)]
            accessible: bool,
            #[serde(default)]
            aisle: bool,
        }

        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = SeatForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a seat, or its name")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<SeatForm, E> {
                Ok(SeatForm { name: Some(name.to_owned()), ..SeatForm::default() })
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<SeatForm, E> {
                Ok(SeatForm { name: Some(number.to_string()), ..SeatForm::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SeatForm, A::Error> {
                let Whole { name, x, y, category, accessible, aisle } =
                    Whole::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SeatForm { name: name.map(|name| name.0), x, y, category, accessible, aisle })
            }
        }
        source.deserialize_any(Reader)
    }
}
