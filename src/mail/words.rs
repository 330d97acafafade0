//! Every word that stands in a letter. A translation is another file like this one.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::mail::news::{Booking, News, Offered, Place, Shop};
use crate::mail::sheet::{EventLines, Link, PlaceLine, Sheet, addressed, one_line};
use crate::money::written;

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday], [day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:long] [year]");

const YOUR_ORDER: &str = "Open your order";
const CODE: &str = "Code";
const TOTAL: &str = "Total";
const AUTOMATIC: &str = "This letter was written by a machine; nobody reads answers to it.";

/// What a customer of this name is told.
#[must_use]
pub fn sheet_for(name: &str, news: &News, shop: &Shop) -> Sheet {
    let mut sheet = match news {
        News::Registered => registered(shop),
        News::OrderConfirmed(booking) => confirmed(booking, shop),
        News::OrderFailed(booking) => failed(booking, shop),
        News::OrderExpired(booking) => expired(booking, shop),
        News::OrderCancelled(booking) => cancelled(booking, shop),
        News::OrderRefunded(booking) => refunded(booking, shop),
        News::MoneyReturned(booking, amount) => money_returned(booking, *amount, shop),
        News::EventCancelled(booking) => event_cancelled(booking, shop),
        News::Offered(offered) => offer(offered, shop),
        News::OfferLapsed(offered) => offer_lapsed(offered, shop),
    };
    sheet.greeting = greeting(name);
    sheet.subject = one_line(&sheet.subject);
    sheet
}

fn registered(shop: &Shop) -> Sheet {
    Sheet {
        subject: "Welcome to Holdfast".to_owned(),
        lead: vec![
            "Your account is open. Seats that you hold stay yours while you pay, and your orders and tickets \
             are always on your own page."
                .to_owned(),
        ],
        link: Link { label: "See what is on", url: shop.at("/") },
        notes: vec![
            "If you did not register, somebody has mistyped their address: you need do nothing.".to_owned(),
        ],
        foot: format!("Holdfast, {}. {AUTOMATIC}", shop.url),
        ..Sheet::default()
    }
}

fn confirmed(booking: &Booking, shop: &Shop) -> Sheet {
    let paid = if booking.amount == 0 {
        "Your order is confirmed; there is nothing to pay.".to_owned()
    } else {
        format!("Your order is confirmed: {} is paid.", booking.money(booking.amount))
    };
    let tickets =
        "These are your tickets. At the door, show their codes from the page of your order or from here.";
    Sheet {
        subject: format!("Your tickets: {}, {}", booking.title, day(booking.starts_at)),
        lead: vec![format!("{paid} {tickets}")],
        places: booking.places.iter().map(|place| ticket_line(place, booking)).collect(),
        sums: vec![(TOTAL, booking.money(booking.amount))],
        link: Link { label: "Open your tickets", url: shop.order(booking.order) },
        notes: vec![
            "Each code opens the door once, whoever shows it: keep this letter to yourself.".to_owned(),
        ],
        ..about(booking, shop)
    }
}

fn failed(booking: &Booking, shop: &Shop) -> Sheet {
    Sheet {
        subject: format!("Not paid: {}", booking.title),
        lead: vec![
            "The payment of your order did not go through. Nothing was charged, and the seats are free again."
                .to_owned(),
        ],
        places: booking.places.iter().map(|place| line(place, booking)).collect(),
        notes: vec!["You can hold seats again and pay in another way.".to_owned()],
        ..about(booking, shop)
    }
}

fn expired(booking: &Booking, shop: &Shop) -> Sheet {
    Sheet {
        subject: format!("Time is up: {}", booking.title),
        lead: vec![format!(
            "Your order was not paid by {}, so it has ended and its seats are free again. Nothing was charged.",
            moment(booking.pay_by)
        )],
        places: booking.places.iter().map(|place| line(place, booking)).collect(),
        notes: vec![
            "If your bank moves the money after all, you get your seats if they are still free, or else the \
             money back."
                .to_owned(),
        ],
        ..about(booking, shop)
    }
}

fn cancelled(booking: &Booking, shop: &Shop) -> Sheet {
    Sheet {
        subject: format!("Cancelled: {}", booking.title),
        lead: vec![format!(
            "Your order is cancelled; its seats are free again and its tickets open no door. {}",
            where_the_money_is(booking)
        )],
        places: booking.places.iter().map(|place| line(place, booking)).collect(),
        ..about(booking, shop)
    }
}

fn refunded(booking: &Booking, shop: &Shop) -> Sheet {
    let back = booking.money(booking.returned.arrived);
    let why = if booking.paid_too_late {
        format!(
            "Your payment came when the order had ended and its seats were gone. So all of it has gone back: {back}."
        )
    } else {
        format!("Everything that you paid for this order has gone back: {back}.")
    };
    Sheet {
        subject: format!("Refunded: {back} for {}", booking.title),
        lead: vec![why, TAKES_DAYS.to_owned()],
        places: booking.places.iter().map(|place| line(place, booking)).collect(),
        sums: vec![("Refunded", back)],
        ..about(booking, shop)
    }
}

fn money_returned(booking: &Booking, amount: i64, shop: &Shop) -> Sheet {
    let back = booking.money(amount);
    Sheet {
        subject: format!("Refunded: {back} for {}", booking.title),
        lead: vec![
            format!("{back} has gone back to you. Nothing else about your order changes."),
            TAKES_DAYS.to_owned(),
        ],
        sums: vec![("Refunded", back)],
        ..about(booking, shop)
    }
}

fn event_cancelled(booking: &Booking, shop: &Shop) -> Sheet {
    Sheet {
        subject: format!("The event is cancelled: {}", booking.title),
        lead: vec![format!(
            "We are sorry: this event does not take place, and your order is cancelled with it. {}",
            where_the_money_is(booking)
        )],
        places: booking.places.iter().map(|place| line(place, booking)).collect(),
        notes: vec!["You need do nothing.".to_owned()],
        ..about(booking, shop)
    }
}

fn offer(offered: &Offered, shop: &Shop) -> Sheet {
    let Offered { offer, title, .. } = offered;
    Sheet {
        subject: format!("Seats for you: {title}"),
        lead: vec!["You are next on the waiting list, and these seats are held for you.".to_owned()],
        places: offered_lines(offered),
        sums: vec![(TOTAL, written(offer.amount, &offer.currency))],
        deadline: Some(format!("Take them by {}.", moment(offer.expires_at))),
        link: Link { label: "Take these seats", url: shop.at(&offer.path) },
        notes: vec!["After that they are offered to whoever waits behind you.".to_owned()],
        ..about_an_offer(offered, shop)
    }
}

fn offer_lapsed(offered: &Offered, shop: &Shop) -> Sheet {
    let Offered { offer, title, .. } = offered;
    Sheet {
        subject: format!("Your offer has ended: {title}"),
        lead: vec![format!(
            "The seats that we held for you were not taken by {}, so they have gone to whoever waited behind you.",
            moment(offer.expires_at)
        )],
        places: offered_lines(offered),
        link: Link { label: "See the event", url: shop.at(&offer.path) },
        ..about_an_offer(offered, shop)
    }
}

const TAKES_DAYS: &str = "Banks may take some days to show it.";

fn where_the_money_is(booking: &Booking) -> String {
    let back = booking.returned;
    match (back.arrived, back.on_its_way) {
        (0, 0) => "Nothing was charged.".to_owned(),
        (arrived, 0) => format!("{} has gone back to where it came from.", booking.money(arrived)),
        (0, coming) => format!("{} is on its way back to where it came from.", booking.money(coming)),
        (arrived, coming) => format!(
            "{} has gone back to where it came from, and {} is on its way.",
            booking.money(arrived),
            booking.money(coming)
        ),
    }
}

/// What all letters about an order share.
fn about(booking: &Booking, shop: &Shop) -> Sheet {
    Sheet {
        event: Some(event_lines(&booking.title, &booking.venue, booking.starts_at)),
        link: Link { label: YOUR_ORDER, url: shop.order(booking.order) },
        foot: format!("Holdfast, {}, order {}. {AUTOMATIC}", shop.url, booking.order),
        ..Sheet::default()
    }
}

fn about_an_offer(offered: &Offered, shop: &Shop) -> Sheet {
    Sheet {
        event: Some(event_lines(&offered.title, &offered.venue, offered.starts_at)),
        foot: format!("Holdfast, {}. {AUTOMATIC}", shop.url),
        ..Sheet::default()
    }
}

fn event_lines(title: &str, venue: &str, starts_at: OffsetDateTime) -> EventLines {
    EventLines { title: one_line(title), venue: one_line(venue), when: moment(starts_at) }
}

fn line(place: &Place, booking: &Booking) -> PlaceLine {
    PlaceLine { name: one_line(&place.name), price: Some(booking.money(place.price)), code: None }
}

fn ticket_line(place: &Place, booking: &Booking) -> PlaceLine {
    PlaceLine { code: place.code.clone().map(|code| (CODE, code)), ..line(place, booking) }
}

fn offered_lines(offered: &Offered) -> Vec<PlaceLine> {
    let line = |seat: &String| PlaceLine { name: one_line(seat), price: None, code: None };
    offered.offer.seats.iter().map(line).collect()
}

/// What a seat is called: the page's words for it are the same.
#[must_use]
pub fn place(section: &str, row: Option<&str>, seat: Option<&str>) -> String {
    match (row, seat) {
        (Some(row), Some(seat)) => format!("{section}, row {row}, seat {seat}"),
        _ => format!("{section}, standing"),
    }
}

fn moment(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(MOMENT).unwrap_or_else(|_| at.to_string())
}

fn day(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(DAY).unwrap_or_else(|_| at.date().to_string())
}

fn greeting(name: &str) -> String {
    match addressed(name) {
        Some(name) => format!("Hello {name},"),
        None => "Hello,".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_say_their_zone() {
        let at = OffsetDateTime::from_unix_timestamp(1_935_428_400).expect("a moment");
        assert_eq!(moment(at), "Thursday, 1 May 2031, 19:00 UTC");
    }
}
