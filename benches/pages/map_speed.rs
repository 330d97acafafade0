//! How quick the seat map of a stadium is: its first picture, its frames while it moves, its news of a taken seat.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::Holdfast;
use crate::support::browser::Page;
use crate::support::visits::event_page;

const RUNS: usize = 5;
/// Moves of the mouse in one pan; about two seconds of frames.
const STEPS: u32 = 120;

/// Forty blocks of fifty rows of fifty seats.
fn stadium() -> Value {
    let rows: Vec<_> =
        (1..=50).map(|row| json!({ "name": row.to_string(), "seats": 50, "aisles_after": [25] })).collect();
    let sections: Vec<_> = (1..=40)
        .map(|block| {
            let category = ["front", "middle", "back"][(block - 1) / 14];
            json!({ "key": format!("b{block}"), "name": format!("Block {block}"), "category": category, "rows": rows })
        })
        .collect();
    json!({
        "title": "Stadium", "starts_at": "2031-05-01T19:00:00Z",
        "categories": [{ "key": "front", "price": 12900 }, { "key": "middle", "price": 8900 }, { "key": "back", "price": 5900 }],
        "sections": sections,
    })
}

pub async fn measure() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.event(stadium()).await;
    let path = event_page(event);
    // A sale that is under way: a tenth of the house is taken.
    for block in 1..=10 {
        let seats: Vec<_> =
            (1..=20).flat_map(|row| (1..=50).map(move |seat| format!("b{block}-{row}-{seat}"))).collect();
        let block = json!({ "seats": seats, "reason": "bench" });
        holdfast.organiser().post(&format!("/v1/admin/events/{event}/seats/block"), block).await.expect(200);
    }
    holdfast.anyone().get(&format!("/v1/events/{event}/seats")).await.expect(200);

    println!(
        "100,000 seats, 10,000 of them taken; {RUNS} runs each, every run in a browser that has seen nothing\n"
    );
    let mut first = Vec::new();
    let mut transferred = 0;
    for _ in 0..RUNS {
        let page = holdfast.visitor().await;
        page.goto(&path).await;
        page.has_the_map().await;
        first.push(page.eval::<f64>("performance.getEntriesByName('seat-map-drawn')[0].startTime").await);
        transferred = page.transferred();
    }
    tell("first picture, ms after the navigation began", &mut first);
    println!("{:52} {:>8}", "transferred for it, kB", transferred / 1000);

    let page = holdfast.visitor().await;
    page.goto(&path).await;
    page.has_the_map().await;
    for (name, zoom) in [("all of it in sight", 1.0), ("blocks in sight", 4.0), ("seats in sight", 16.0)] {
        page.eval::<Value>("(document.querySelector('seat-map').camera.showAll(), null)").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        page.eval::<Value>(&format!("(document.querySelector('seat-map').camera.zoom({zoom}), null)")).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let (mut rates, mut slow) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let (rate, slowest) = pan(&page).await;
            rates.push(rate);
            slow.push(slowest);
        }
        tell(&format!("frames a second while panning, {name}"), &mut rates);
        tell(&format!("the slowest frame in twenty, ms, {name}"), &mut slow);
    }

    let mut news = Vec::new();
    for seat in 1..=25 {
        news.push(news_of(&holdfast, &page, event, &format!("b40-50-{seat}")).await);
    }
    tell("from the hold's call to the watcher's map, ms", &mut news);
}

/// Drags the map here and there; frames a second, and the time of the slowest frame in twenty.
async fn pan(page: &Page) -> (f64, f64) {
    // Each pan has frames of its own: the watch of the one before may have one still to come.
    let watch = "(() => { const frames = window.frames_ = [];
        (function frame(now) { if (window.frames_ !== frames) return; frames.push(now); requestAnimationFrame(frame); })(0);
        return null })()";
    page.eval::<Value>(watch).await;
    let box_: (f64, f64) = page
        .eval("(() => { const map = document.querySelector('seat-map').shadowRoot.querySelector('.stage').getBoundingClientRect();
                       return [map.x + map.width / 2, map.y + Math.min(map.height, innerHeight - map.y) / 2] })()")
        .await;
    page.drag(box_, (box_.0 - 300.0, box_.1 - 120.0), STEPS / 2).await;
    page.drag((box_.0 - 300.0, box_.1 - 120.0), box_, STEPS / 2).await;
    let mut times: Vec<f64> = page
        .eval("(() => { const seen = window.frames_.slice(1); window.frames_ = null; return seen.slice(1).map((now, at) => now - seen[at]) })()")
        .await;
    let whole: f64 = times.iter().sum();
    let rate = 1000.0 * f64::from(u32::try_from(times.len()).expect("few")) / whole;
    times.sort_by(f64::total_cmp);
    (rate, times[times.len() * 19 / 20])
}

/// How long it takes until somebody's hold is drawn in the browser of somebody else.
async fn news_of(holdfast: &Holdfast, page: &Page, event: holdfast::ids::EventId, seat: &str) -> f64 {
    page.eval::<Value>(
        "(() => { const map = document.querySelector('seat-map');
                  map.addEventListener('picture', () => requestAnimationFrame(() => { window.heard_ = Date.now() }), {once: true});
                  return null })()",
    )
    .await;
    let customer = holdfast.customer().await;
    let began = OffsetDateTime::now_utc();
    customer.holds_seats(event, &[seat]).await.expect(201);
    page.sees_seat(seat, "held").await;
    page.comes_to("window.heard_ > 0").await;
    let heard: f64 =
        page.eval("(() => { const heard = window.heard_; window.heard_ = 0; return heard })()").await;
    heard - 1000.0 * (began - OffsetDateTime::UNIX_EPOCH).as_seconds_f64()
}

fn tell(what: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let (least, middle, most) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    println!("{what:52} {middle:>8.1}   from {least:.1} to {most:.1}");
}
