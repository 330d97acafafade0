//! What counts in odd units stays exact: currencies without decimals or with three, hours that come twice or never.

use proptest::prelude::*;
use serde_json::json;

use crate::support::Holdfast;
use crate::support::journeys::{GOOD_CARD, id};

/// ISO 4217, without metals and funds, as far as Stripe takes it.
const CURRENCIES: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad \
    cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils \
    inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr \
    mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std \
    szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw";

/// As a person reads it: digits without the point, and how many stand behind it.
fn read(text: &str) -> (i64, usize) {
    let amount = text.split(' ').next().expect("an amount");
    let behind = amount.split_once('.').map_or(0, |(_, part)| part.len());
    (amount.replace('.', "").parse().expect("digits"), behind)
}

proptest! {
    #[test]
    fn every_currency_is_written_and_charged_in_its_own_smallest_unit(minor in 0..=holdfast::money::MOST) {
        for currency in CURRENCIES.split_whitespace() {
            let text = holdfast::money::written(minor, currency);
            let decimals = holdfast::money::decimals(currency);
            prop_assert_eq!(read(&text), (minor, decimals as usize), "{} as {}", minor, text);
            let name = text.split(' ').next_back().map(str::to_lowercase);
            prop_assert_eq!(name.as_deref(), Some(currency));
            // What is a sum of prices, or a difference of sums, is charged as exactly as a price.
            let step = holdfast::money::step(currency);
            prop_assert_eq!(holdfast::money::MOST / step * step % step, 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_stripe_would_refuse_is_refused_before_anybody_chooses_a_seat() {
    let holdfast = Holdfast::start().await;
    let organiser = holdfast.organiser();
    let form = |currency: &str, price: i64| {
        json!({ "title": "Odd Money", "starts_at": "2031-05-01T19:00:00Z", "total_tickets": 3, "currency": currency,
                "price": price })
    };
    for (currency, price) in [("kwd", 1255), ("TND", 9), ("isk", 4050), ("bhd", 1), ("ISK", 1)] {
        let refused = organiser.post("/v1/admin/events", form(currency, price)).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_request"), "{currency} {price}");
        assert_eq!(refused.body["errors"][0]["field"], "price", "{}", refused.body);
        let long = json!({
            "title": "Odd Money", "starts_at": "2031-05-01T19:00:00Z", "currency": currency,
            "categories": [{ "key": "a", "name": "A", "price": price }],
            "areas": [{ "key": "pit", "name": "Pit", "category": "a", "capacity": 3 }],
        });
        let refused = organiser.post("/v1/admin/events", long).await;
        assert_eq!(refused.body["errors"][0]["field"], "categories[0].price", "{}", refused.body);
    }
    let ada = holdfast.customer().await;
    for (currency, price) in [("kwd", 1250), ("isk", 4000), ("jpy", 4801), ("mga", 7), ("usd", 1), ("eur", 0)]
    {
        let event = organiser.post("/v1/admin/events", form(currency, price)).await.expect(201);
        let hold =
            ada.post(&format!("/v1/events/{}/holds", id(&event)), json!({ "areas": { "general": 2 } })).await;
        let order = ada.checks_out(&hold.expect(201)).await;
        assert_eq!(order["amount"], price * 2);
        if price > 0 {
            holdfast.pay(&order, GOOD_CARD).await.expect(200);
            let intent = holdfast.ledger_intent(&order).await;
            assert_eq!(
                (&intent["amount_received"], &intent["currency"]),
                (&json!(price * 2), &json!(currency))
            );
        }
        ada.sees(&order, "confirmed").await;
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_that_some_clocks_show_twice_or_never_are_kept_exactly() {
    let holdfast = Holdfast::start().await;
    let organiser = holdfast.organiser();
    // The night in which 02:30 comes twice, and the one in which it never does; a leap day; the last moment of a year.
    for (said, meant) in [
        ("2031-10-26T02:30:00+02:00", "2031-10-26T00:30:00Z"),
        ("2031-10-26T02:30:00+01:00", "2031-10-26T01:30:00Z"),
        ("2031-03-30T02:30:00+01:00", "2031-03-30T01:30:00Z"),
        ("2032-02-29T20:00:00-11:00", "2032-03-01T07:00:00Z"),
        ("2031-12-31T23:59:59+14:00", "2031-12-31T09:59:59Z"),
        ("2031-12-31T23:30:00-12:00", "2032-01-01T11:30:00Z"),
    ] {
        let form = json!({ "title": "Night", "starts_at": said, "total_tickets": 1, "sale_ends_at": said });
        let event = organiser.post("/v1/admin/events", form).await.expect(201);
        let seen = holdfast.anyone().get(&format!("/v1/events/{}", id(&event))).await.expect(200);
        assert_eq!((&seen["starts_at"], &seen["sale_ends_at"]), (&json!(meant), &json!(meant)), "{said}");
    }
    for none in ["2031-02-29T20:00:00Z", "2031-10-26T24:30:00Z", "2031-10-26 02:30", "2031-10-26T02:30:00"] {
        let form = json!({ "title": "Night", "starts_at": none, "total_tickets": 1 });
        assert_eq!(organiser.post("/v1/admin/events", form).await.status, 422, "{none}");
    }
    // A sale that ends in the hour that comes twice ends once.
    let ada = holdfast.customer().await;
    let hour = |offset| format!("2020-10-25T02:30:00{offset}");
    let over = json!({ "title": "Over", "starts_at": "2031-01-01T00:00:00Z", "total_tickets": 1,
                       "sale_starts_at": hour("+02:00"), "sale_ends_at": hour("+01:00") });
    let event = organiser.post("/v1/admin/events", over).await.expect(201);
    let late =
        ada.post(&format!("/v1/events/{}/holds", id(&event)), json!({ "areas": { "general": 1 } })).await;
    assert_eq!(late.code(), "sale_closed");
    let never = json!({ "title": "Never", "starts_at": "2031-01-01T00:00:00Z", "total_tickets": 1,
                        "sale_starts_at": hour("+01:00"), "sale_ends_at": hour("+02:00") });
    assert_eq!(organiser.post("/v1/admin/events", never).await.status, 422, "it would end before it starts");
}
