//! Tables to take away: orders and reports as CSV.

#![expect(unused_qualifications, reason = "in what the documentation macro makes of a query's type")]

use async_stream::try_stream;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::AppState;
use crate::http::admin_events::own_event;
use crate::http::extract::{Organiser, Path, Query};
use crate::http::problem::{Problem, ProblemBody};
use crate::ids::EventId;
use crate::orders::{OrdersError, SoldSeat};

/// Seats read at a time, so that a stadium's table is never in memory as a whole.
const ROWS: i64 = 1000;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(orders)).routes(routes!(report))
}

/// One line, quoted where it must be. What a spreadsheet would take for a formula is only text.
fn line(cells: &[String]) -> String {
    let quoted = cells.iter().map(|cell| {
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if is_formula { format!("'{cell}") } else { cell.clone() };
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    });
    let mut line = quoted.collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

fn head(names: &[&str]) -> String {
    line(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
}

fn moment(at: Option<OffsetDateTime>) -> String {
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

fn file(name: &str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, body).into_response()
}

/// Every seat of every order as a table: one line a seat, oldest order first.
///
/// Amounts are in the currency's smallest unit.
#[utoipa::path(
    get, path = "/v1/admin/events/{id}/orders.csv", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path)),
    responses(
        (status = 200, description = "The table", body = String, content_type = "text/csv"),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ),
)]
async fn orders(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
) -> Result<Response, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    // The first page is read before anything is sent: an outage is a problem and not half a file.
    let mut page = app.desk.sold_seats(id, None, ROWS).await?;
    let body = try_stream! {
        yield Bytes::from(head(&[
            "order", "status", "ordered_at", "customer", "email", "seat", "section", "row", "number", "category",
            "price", "currency", "complimentary", "ticket", "checked_in_at",
        ]));
        loop {
            let text: String = page.iter().map(row).collect();
            yield Bytes::from(text);
            let Some(last) = page.last().filter(|_| page.len() == usize::try_from(ROWS).unwrap_or(0)) else { break };
            page = app.desk.sold_seats(id, Some((last.order_id, last.ordinal)), ROWS).await?;
        }
    };
    let body: std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Bytes, OrdersError>> + Send>> =
        Box::pin(body);
    Ok(file(&format!("orders-{}.csv", event.id), Body::from_stream(body)))
}

fn row(seat: &SoldSeat) -> String {
    line(&[
        seat.order_id.to_string(),
        seat.status.as_str().to_owned(),
        moment(Some(seat.ordered_at)),
        seat.customer_name.clone(),
        seat.customer_email.clone(),
        seat.seat_id.clone(),
        seat.section.clone(),
        seat.row.clone().unwrap_or_default(),
        seat.seat.clone().unwrap_or_default(),
        seat.category.clone(),
        seat.price.to_string(),
        seat.currency.clone(),
        if seat.complimentary { "yes" } else { "no" }.to_owned(),
        seat.ticket_status.clone().unwrap_or_default(),
        moment(seat.checked_in_at),
    ])
}

/// By what a report is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    Section,
    Category,
    Day,
}

/// Which report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    #[param(inline)]
    by: By,
}

/// What was sold, as a table by section, category or day.
#[utoipa::path(
    get, path = "/v1/admin/events/{id}/report.csv", tag = "admin", security(("bearer" = [])),
    params(("id" = EventId, Path), Which),
    responses(
        (status = 200, description = "The table", body = String, content_type = "text/csv"),
        (status = 404, description = "`not_found`: no such event of yours", body = ProblemBody),
    ),
)]
async fn report(
    State(app): State<AppState>,
    organiser: Organiser,
    Path(id): Path<EventId>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let event = own_event(&app, &organiser, id).await?;
    let report = app.desk.report(id).await?;
    let (name, rows): (&str, Vec<(String, i64, i64)>) = match which.by {
        By::Section => (
            "section",
            report.sections.into_iter().map(|part| (part.section, part.sold, part.revenue)).collect(),
        ),
        By::Category => (
            "category",
            report.categories.into_iter().map(|part| (part.category, part.sold, part.revenue)).collect(),
        ),
        By::Day => ("day", report.days.into_iter().map(|part| (part.day, part.sold, part.revenue)).collect()),
    };
    let mut text = head(&[name, "sold", "revenue", "currency"]);
    for (what, sold, revenue) in rows {
        text.push_str(&line(&[what, sold.to_string(), revenue.to_string(), event.currency.to_string()]));
    }
    Ok(file(&format!("report-{name}-{}.csv", event.id), Body::from(text)))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        let cells = |cells: &[&str]| line(&cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
        assert_eq!(cells(&["a", "b c", "4800"]), "a,b c,4800\r\n");
        assert_eq!(cells(&["Smith, Ada", "say \"hi\""]), "\"Smith, Ada\",\"say \"\"hi\"\"\"\r\n");
        assert_eq!(cells(&["=1+1", "@x", "-5"]), "'=1+1,'@x,'-5\r\n");
    }
}
