//! The tests in a browser can be believed: hands do what hands do, eyes see what is drawn, and what is wrong is told.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse as _};
use axum::routing::get;
use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};

use crate::support::browser::{Browser, Page};

/// A small site: a page to try hands on, a stream that goes on, a thing that is refused.
async fn site() -> String {
    let script = || async { ([(header::CONTENT_TYPE, "text/javascript")], include_str!("browser/trial.js")) };
    let site = Router::new()
        .route("/", get(|| async { Html(include_str!("browser/trial.html")) }))
        .route("/trial.js", get(script))
        .route("/stream", get(|| async { Sse::new(ticks()) }))
        .route("/refused", get(|| async { StatusCode::CONFLICT }))
        .route(
            "/strict",
            get(|| async {
                let policy = [(header::CONTENT_SECURITY_POLICY, "script-src 'none'")];
                (policy, Html("<!doctype html><title>Strict</title><script>1</script>")).into_response()
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, site).await });
    url
}

fn ticks() -> impl Stream<Item = Result<Event, Infallible>> {
    let ticks = stream::iter(0..).then(|tick: u32| async move {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        tick
    });
    ticks.map(|tick| Ok(Event::default().data(tick.to_string())))
}

async fn at_the_site() -> Page {
    let page = Browser::shared().await.person(&site().await).await;
    page.goto("/").await;
    page
}

/// What a test would have failed with.
async fn failure(of: impl Future<Output = ()>) -> String {
    let failure = AssertUnwindSafe(of).catch_unwind().await.expect_err("it fails");
    failure.downcast_ref::<String>().expect("a text").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_pressed_by_hand_where_they_are_drawn() {
    let page = at_the_site().await;
    assert_eq!(page.path().await, "/");

    page.click("button", "Best available").await;
    page.sees("Best available by hand.").await;
    page.click("button", "Far").await;
    page.sees("Far below by hand.").await;

    page.eval::<()>("late.classList.add('on')").await;
    page.click("button", "Runs away").await;
    page.sees("Runs away by hand.").await;

    page.eval::<()>("void setTimeout(() => { once.disabled = false }, 300)").await;
    page.click("button", "Pay").await;
    page.sees("Pay by hand.").await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_may_be_begun_when_only_one_begins_so() {
    let page = at_the_site().await;

    assert!(page.has("button", "Best").await);
    assert!(!page.has("button", "Worst").await);
    assert!(!page.has("link", "Best").await, "it is no link");
    page.waits_for("button", "Best av").await;

    let page = page.impatient();
    let ambiguous = failure(page.click("button", "Best")).await;
    assert!(ambiguous.contains("2 names begin so"), "{ambiguous}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_filled_in() {
    let page = at_the_site().await;

    page.type_into("textbox", "E-mail", "ada@example.com").await;
    page.press("Tab").await;
    page.sees("mail ada@example.com.").await;
    page.choose("combobox", "Tickets", "two").await;
    page.sees("tickets 2.").await;
    page.choose("Date", "Day", "2027-03-04").await;
    page.sees("day 2027-03-04.").await;

    page.type_into("textbox", "E-mail", "").await;
    assert_eq!(page.eval::<String>("email.value").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn shadows_are_no_hiding_place() {
    let page = at_the_site().await;

    page.sees("In the shade.").await;
    page.click("button", "Deep inside").await;
    page.sees("deep.").await;
    page.eval::<()>("document.activeElement.blur()").await;
    page.tab_to("button", "Deep inside").await;
    assert_eq!(page.focused().await, ("button".to_owned(), "Deep inside".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_with_keys() {
    let page = at_the_site().await;
    assert_eq!(page.focused().await, ("none".to_owned(), String::new()));

    page.tab_to("button", "Best available").await;
    page.press("Enter").await;
    page.sees("Best available by hand.").await;
    page.press("Tab").await;
    page.press("Space").await;
    page.sees("Best of all by hand.").await;
    page.press("Shift+Tab").await;
    assert_eq!(page.focused().await.1, "Best available");
    page.press("Shift+ArrowDown").await;
    page.sees("down, shifted.").await;

    page.tab_to("textbox", "E-mail").await;
    page.press("Control+a").await;
    for key in ["a", "@", "B", "1"] {
        page.press(key).await;
    }
    page.press("Tab").await;
    page.sees("mail a@B1.").await;

    let lost = failure(page.tab_to("button", "Nowhere")).await;
    assert!(lost.contains("textbox \"E-mail\""), "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mouse_and_fingers_move() {
    let page = at_the_site().await;

    page.mouse(610.0, 320.0).await;
    page.sees("mouse at 10 20.").await;
    page.click_at(650.0, 350.0).await;
    page.sees("dragged 0 to 50 50.").await;
    page.drag((620.0, 320.0), (700.0, 400.0), 4).await;
    page.sees("dragged 4 to 100 100.").await;
    page.wheel(650.0, 350.0, 120.0).await;
    page.sees("wheel 120.").await;
    page.pinch(700.0, 400.0, 1.5).await;
    page.sees("two fingers.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_is_what_is_drawn() {
    let page = at_the_site().await;

    page.sees("Some text that runs over lines.").await;
    page.sees("nobody@example.com").await;
    page.sees_not("Only to be heard.").await;
    page.sees_not("Not to be seen.").await;
    page.sees_not("Skip it all").await;
    page.press("Tab").await;
    page.sees("Skip it all").await;

    page.sees("Wide enough.").await;
    page.sized(400, 800).await;
    page.sees_not("Wide enough.").await;

    let background = "getComputedStyle(document.body).backgroundColor";
    let duration = "getComputedStyle(late).transitionDuration";
    assert_ne!(page.eval::<String>(background).await, "rgb(0, 0, 0)");
    page.in_dark().await;
    page.reduces_motion().await;
    assert_eq!(page.eval::<String>(background).await, "rgb(0, 0, 0)");
    assert_eq!(page.eval::<String>(duration).await, "0s");

    let picture = std::env::temp_dir().join(format!("holdfast-picture-{}.png", std::process::id()));
    page.screenshot(&picture).await;
    let bytes = std::fs::read(&picture).expect("a picture");
    std::fs::remove_file(&picture).expect("removed");
    assert!(bytes.starts_with(b"\x89PNG"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_share_nothing_and_their_tabs_everything() {
    let url = site().await;
    let ada = Browser::shared().await.person(&url).await;
    let ben = Browser::shared().await.person(&url).await;
    let (first, second) = (ada.goto("/"), ben.goto("/"));
    tokio::join!(first, second);

    ada.eval::<()>("void (localStorage.name = 'ada')").await;
    let tab = ada.another_tab().await;
    tab.goto("/").await;
    assert_eq!(tab.eval::<Option<String>>("localStorage.name").await.as_deref(), Some("ada"));
    assert_eq!(ben.eval::<Option<String>>("localStorage.name").await, None);
    ada.reload().await;
    assert_eq!(ada.eval::<Option<String>>("localStorage.name").await.as_deref(), Some("ada"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulled_cable_ends_what_is_open_and_what_is_new() {
    let page = at_the_site().await;
    page.eval::<()>(
        "void (stream = new EventSource('/stream'), ticks = 0, stream.onmessage = () => { ticks += 1 },
               stream.onerror = () => say('cut'))",
    )
    .await;
    let ticks = async || page.eval::<u32>("ticks").await;
    crate::support::eventually("it ticks", async || (ticks().await > 2).then_some(())).await;

    page.offline(true).await;
    page.sees("cut.").await;
    assert!(!page.eval::<bool>("navigator.onLine").await);
    assert!(page.eval::<bool>("fetch('/refused').then(() => false, () => true)").await);

    page.offline(false).await;
    let before = ticks().await;
    crate::support::eventually("it ticks again", async || (ticks().await > before).then_some(())).await;
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_complaint_of_a_page_is_heard() {
    let page = at_the_site().await;

    page.eval::<()>("void fetch('/refused')").await;
    page.eval::<()>("fetch('/refused').then(() => {})").await;
    page.eval::<()>("console.error('one', {}); console.warn('two'); console.log('three')").await;
    page.eval::<()>("void setTimeout(() => { throw new Error('four') })").await;
    page.eval::<()>("void Promise.reject(new Error('five'))").await;
    let heard = async |what: &str| {
        let heard = async || page.complaints().iter().any(|it| it.contains(what)).then_some(());
        crate::support::eventually(what, heard).await;
    };
    for what in ["status of 409", "console error: one Object", "console warning: two", "four", "five"] {
        heard(what).await;
    }
    page.expects_status(409);
    assert_eq!(page.complaints().len(), 4, "{:?}", page.complaints());
    assert!(failure(async { page.has_no_complaints() }).await.contains("four"));

    page.goto("/strict").await;
    heard("Content Security Policy").await;

    let thrown = failure(page.eval::<()>("(() => { throw new TypeError('six') })()")).await;
    assert!(thrown.contains("TypeError: six"), "{thrown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_loads_and_how_it_jumps_is_measured() {
    let page = at_the_site().await;

    let size = (include_str!("browser/trial.html").len() + include_str!("browser/trial.js").len()) as u64;
    let loaded = page.transferred();
    assert!((size..size + 2000).contains(&loaded), "{loaded} bytes for {size}");

    assert!(page.layout_shift().await < 0.001);
    page.eval::<()>("document.querySelector('h1').before(Object.assign(document.createElement('div'), {style: 'height: 300px'}))")
        .await;
    assert!(page.layout_shift().await > 0.05);
    page.reload().await;
    assert!(page.layout_shift().await < 0.001);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_outside_is_never_asked_and_may_have_a_stand_in() {
    let page = at_the_site().await;
    let load = "new Promise(done => {
        const script = document.createElement('script');
        script.src = 'https://js.example.com/v3/?now';
        script.onload = () => done(window.standIn ?? 'loaded');
        script.onerror = () => done('not found');
        document.head.append(script);
    })";
    assert_eq!(page.eval::<String>(load).await, "not found");

    page.serve_instead("https://js.example.com/v3/?", "text/javascript", "window.standIn = 'a stand-in'")
        .await;
    assert_eq!(page.eval::<String>(load).await, "a stand-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_some_people_could_not_use_is_told() {
    let page = at_the_site().await;
    page.is_accessible().await;

    page.eval::<()>(
        "void (document.querySelector('trial-box').shadowRoot.innerHTML = '<img src=\"data:,\">')",
    )
    .await;
    let told = failure(page.is_accessible()).await;
    assert!(told.contains("image-alt"), "{told}");
}
