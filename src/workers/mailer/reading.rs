//! What a letter says: read when it goes, so that it tells what is so and not what was.

use std::collections::HashMap;

use crate::accounts::AccountsError;
use crate::app::App;
use crate::catalog::CatalogError;
use crate::ids::{EventId, OrderId};
use crate::mail::{
    self, Attachment, Booking, Due, Envelope, News, Occasion, Offer, Offered, Place, Returned, Shop,
    Undelivered,
};
use crate::orders::{Order, OrderState, OrdersError, calendar_of};
use crate::tickets;
use crate::waitlist::WaitlistError;

/// What is to be done with a letter.
pub enum Reading {
    Tell(Box<Envelope>),
    /// It would tell what is not so, or not so any more.
    Untrue(&'static str),
}

/// Causes of refunds by which settling says that the money came too late.
const TOO_LATE: [&str; 2] = ["late_payment", "paid_after_cancellation"];

/// Reads what a letter is to say now.
pub async fn read(app: &App, letter: &Due) -> Result<Reading, Undelivered> {
    let Some(occasion) = &letter.occasion else {
        return Err(Undelivered::Later("this version cannot read it".to_owned()));
    };
    match occasion {
        Occasion::Registered => to_the_account(app, letter, News::Registered).await,
        Occasion::OrderConfirmed(order)
        | Occasion::OrderFailed(order)
        | Occasion::OrderExpired(order)
        | Occasion::OrderCancelled(order)
        | Occasion::OrderRefunded(order)
        | Occasion::MoneyReturned(_, order)
        | Occasion::EventCancelled(order) => of_an_order(app, letter, occasion, *order).await,
        Occasion::Offered(_, offer) if offer.expires_at <= letter.now => {
            Ok(Reading::Untrue("the offer had ended"))
        }
        Occasion::Offered(hold, _)
            if app.waitlist.is_answered(*hold).await.map_err(|error| away(&error))? =>
        {
            Ok(Reading::Untrue("the offer was answered"))
        }
        Occasion::Offered(_, offer) => {
            let news = offered(app, letter, offer).await?.map(News::Offered);
            of_an_offer(app, letter, news).await
        }
        Occasion::OfferLapsed(_, offer) => {
            let news = offered(app, letter, offer).await?.map(News::OfferLapsed);
            of_an_offer(app, letter, news).await
        }
    }
}

async fn of_an_order(
    app: &App,
    letter: &Due,
    occasion: &Occasion,
    order: OrderId,
) -> Result<Reading, Undelivered> {
    let order = match app.desk.order_unchecked(order).await {
        Err(OrdersError::NotFound) => return Ok(Reading::Untrue("there is no such order")),
        order => order.map_err(|error| trouble(&error))?,
    };
    let (name, address) = (order.buyer.name.clone(), order.buyer.email.clone());
    let Some(news) = news_of(occasion, order.status, &order, || booking(app, &order)).await? else {
        return Ok(Reading::Untrue("the order has moved on"));
    };
    let files = match &news {
        News::OrderConfirmed(_) => ticket_files(app, &order, letter).await?,
        _ => Vec::new(),
    };
    Ok(told(app, letter, name, address, &news, files))
}

/// What is attached to the letter with the tickets: to print, and for the calendar.
async fn ticket_files(app: &App, order: &Order, letter: &Due) -> Result<Vec<Attachment>, Undelivered> {
    let papers = app.desk.papers_of_order(order.id).await.map_err(|error| trouble(&error))?;
    let prints: Vec<_> = papers.into_iter().filter(|paper| paper.is_valid).map(|paper| paper.print).collect();
    // A school's worth of tickets takes a second.
    let paper = tokio::task::spawn_blocking(move || tickets::pdf(&prints)).await;
    let paper = paper.map_err(|panic| Undelivered::Later(panic.to_string()))?;
    let event = app.catalog.event(order.event.id).await.map_err(|error| unread(&error))?;
    let entry = calendar_of(order, &event, &app.config.public_url(), letter.now);
    Ok(vec![
        Attachment {
            name: "tickets.pdf".to_owned(),
            kind: "application/pdf",
            content: paper.map_err(|error| Undelivered::Later(error.to_string()))?,
        },
        Attachment {
            name: "event.ics".to_owned(),
            kind: "text/calendar; charset=utf-8; method=PUBLISH",
            content: entry.into_bytes(),
        },
    ])
}

/// The news, if they are still true.
async fn news_of(
    occasion: &Occasion,
    state: OrderState,
    order: &Order,
    booking: impl AsyncFnOnce() -> Result<Booking, Undelivered>,
) -> Result<Option<News>, Undelivered> {
    use OrderState::{Cancelled, Confirmed, Expired, Failed, Refunded, Refunding};
    let is_off = matches!(state, Cancelled | Refunding | Refunded);
    Ok(match occasion {
        Occasion::OrderConfirmed(_) if state == Confirmed => Some(News::OrderConfirmed(booking().await?)),
        Occasion::OrderFailed(_) if state == Failed => Some(News::OrderFailed(booking().await?)),
        Occasion::OrderExpired(_) if state == Expired => Some(News::OrderExpired(booking().await?)),
        Occasion::OrderCancelled(_) if is_off => Some(News::OrderCancelled(booking().await?)),
        Occasion::EventCancelled(_) if is_off => Some(News::EventCancelled(booking().await?)),
        Occasion::OrderRefunded(_) if state == Refunded => Some(News::OrderRefunded(booking().await?)),
        Occasion::MoneyReturned(refund, _) => {
            let refund = order.refunds.iter().find(|it| it.id == refund.0 && it.status == "succeeded");
            match refund {
                Some(refund) => Some(News::MoneyReturned(booking().await?, refund.amount)),
                None => None,
            }
        }
        _ => None,
    })
}

async fn booking(app: &App, order: &Order) -> Result<Booking, Undelivered> {
    let event = app.catalog.event(order.event.id).await.map_err(|error| unread(&error))?;
    let names = names_of(app, order.event.id).await?;
    let codes: HashMap<_, _> = order
        .tickets
        .iter()
        .filter(|ticket| ticket.status == "valid")
        .map(|ticket| (ticket.seat_id.as_str(), ticket.code.clone()))
        .collect();
    let places = order.seats.iter().map(|seat| {
        let section = names.get(&seat.section).unwrap_or(&seat.section);
        Place {
            name: mail::place(section, seat.row.as_deref(), seat.seat.as_deref()),
            price: seat.price,
            code: codes.get(seat.id.as_str()).cloned(),
        }
    });
    let sum = |states: &[&str]| -> i64 {
        let counted = order.refunds.iter().filter(|refund| states.contains(&refund.status.as_str()));
        counted.map(|refund| refund.amount).sum()
    };
    Ok(Booking {
        order: order.id,
        title: event.title,
        venue: event.venue,
        starts_at: event.starts_at,
        ends_at: event.ends_at,
        places: places.collect(),
        amount: order.amount,
        currency: order.currency.clone(),
        pay_by: order.pay_by,
        returned: Returned { arrived: sum(&["succeeded"]), on_its_way: sum(&["due", "pending"]) },
        paid_too_late: order.refunds.iter().any(|refund| TOO_LATE.contains(&refund.cause.as_str())),
    })
}

/// The names of an event's sections and areas by their keys.
async fn names_of(app: &App, event: EventId) -> Result<HashMap<String, String>, Undelivered> {
    let chart = app.catalog.chart(event).await.map_err(|error| unread(&error))?;
    let sections = chart.sections().map(|section| (section.key.to_owned(), section.name.to_owned()));
    let areas = chart.areas().map(|area| (area.key.to_owned(), area.name.to_owned()));
    Ok(sections.chain(areas).collect())
}

async fn offered(app: &App, letter: &Due, offer: &Offer) -> Result<Option<Offered>, Undelivered> {
    let Some(event) = letter.event else { return Ok(None) };
    let event = app.catalog.event(event).await.map_err(|error| unread(&error))?;
    Ok(Some(Offered {
        title: event.title,
        venue: event.venue,
        starts_at: event.starts_at,
        offer: offer.clone(),
    }))
}

async fn of_an_offer(app: &App, letter: &Due, news: Option<News>) -> Result<Reading, Undelivered> {
    match news {
        Some(news) => to_the_account(app, letter, news).await,
        None => Ok(Reading::Untrue("it names no event")),
    }
}

async fn to_the_account(app: &App, letter: &Due, news: News) -> Result<Reading, Undelivered> {
    match app.accounts.account(letter.to).await {
        Ok(account) => Ok(told(app, letter, account.name, account.email, &news, Vec::new())),
        Err(AccountsError::NotFound) => Ok(Reading::Untrue("the account is closed")),
        Err(AccountsError::Outage(error)) => Err(Undelivered::Away(error.to_string())),
        Err(error) => Err(Undelivered::Later(error.to_string())),
    }
}

fn told(
    app: &App,
    letter: &Due,
    name: String,
    address: String,
    news: &News,
    files: Vec<Attachment>,
) -> Reading {
    let sheet = mail::sheet_for(&name, news, &shop(app));
    Reading::Tell(Box::new(Envelope { id: letter.id, name, address, sheet, files }))
}

fn shop(app: &App) -> Shop {
    Shop { url: app.config.public_url().trim_end_matches('/').to_owned() }
}

fn unread(error: &CatalogError) -> Undelivered {
    match error {
        CatalogError::Outage(_) => Undelivered::Away(error.to_string()),
        CatalogError::NotFound
        | CatalogError::NotADraft
        | CatalogError::Invalid(_)
        | CatalogError::Unreadable(..) => Undelivered::Later(error.to_string()),
    }
}

fn away(error: &WaitlistError) -> Undelivered {
    Undelivered::Away(error.to_string())
}

fn trouble(error: &OrdersError) -> Undelivered {
    if error.is_outage() {
        Undelivered::Away(error.to_string())
    } else {
        Undelivered::Later(error.to_string())
    }
}
