//! Whoever is signed in stays so, whatever gets lost between the page and the service.

use serde_json::{Value, json};

use crate::support::Holdfast;

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_whose_answer_is_lost_signs_nobody_out() {
    let holdfast = Holdfast::with_pages().await;
    let event = holdfast.theatre().await;
    let page = holdfast.visitor().await;
    page.goto(&crate::support::visits::event_page(event)).await;
    page.presses_seat("stalls-A-3").await;
    page.click("button", "Hold these seats").await;
    page.registers("Ada Lovelace").await;
    page.arrives_at("/checkout/").await;

    // The access token is about to end, and the wire breaks when the service has answered.
    let told: Value = page
        .eval(
            "(async () => {
               const script = [...document.querySelectorAll('link[rel=modulepreload]')]
                 .map((link) => link.href).find((href) => href.endsWith('/session.js'));
               const {Session} = await import(script);
               const kept = () => JSON.parse(localStorage.getItem('holdfast.session'));
               const before = kept();
               localStorage.setItem('holdfast.session', JSON.stringify({...before, ends: 0}));
               const send = window.fetch;
               let lost = 0;
               window.fetch = async (...call) => {
                 const answer = await send(...call);
                 if (String(call[0]).includes('/auth/refresh') && lost++ === 0) throw new TypeError('lost');
                 return answer;
               };
               const session = new Session();
               const first = await session.token().catch(() => 'lost');
               const second = await session.token();
               window.fetch = send;
               return {first, isNew: second !== before.access && second === kept().access, tries: lost};
             })()",
        )
        .await;
    assert_eq!(told, json!({ "first": "lost", "isNew": true, "tries": 2 }));
    page.goto("/orders").await;
    page.sees("Sign out").await;
    page.has_no_complaints();
    holdfast.every_invariant_holds().await;
}
