//! The mailbox of `dev` as a person uses it: letters are found, read in each of their forms, and followed to the order.

use futures_util::FutureExt as _;
use holdfast::mailbox::{Behaviour, How};

use crate::support::browser::Browser;
use crate::support::journeys::id;
use crate::support::post::a_port;
use crate::support::{Client, Holdfast, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_found_read_and_followed_to_its_order() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let (ada, ben) = (holdfast.customer().await, holdfast.customer().await);
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    holdfast.sold(&ben, event, &["stalls-B-1"]).await;
    ada.gets(&post, "Your tickets").await;
    ben.gets(&post, "Your tickets").await;

    let page = Browser::shared().await.person(&post.url()).await;
    page.goto("/").await;
    page.sees("All letters").await;
    page.sees(&ben.address().await).await;
    page.is_accessible().await;
    page.type_into("searchbox", "Letters to", &ada.address().await).await;
    page.click("button", "Show").await;
    page.sees(&format!("Letters to {}", ada.address().await)).await;
    page.sees_not(&ben.address().await).await;
    page.click("link", "Your tickets: The Tempest, 1 May 2031").await;

    // As it looks: in a frame of its own, which can neither run anything nor reach this page.
    page.waits_for("heading", "Your tickets: The Tempest, 1 May 2031").await;
    page.waits_for("Iframe", "The letter").await;
    let rules: String = page.eval("document.querySelector('iframe').sandbox.value").await;
    assert!(!rules.contains("allow-scripts") && !rules.contains("allow-same-origin"), "{rules}");
    page.is_accessible().await;
    page.sized(320, 640).await;
    page.comes_to("document.documentElement.scrollWidth <= 320").await;
    page.is_accessible().await;
    page.sized(1280, 800).await;

    page.click("link", "Source").await;
    page.sees("Content-Type: multipart/mixed").await;
    page.is_accessible().await;
    page.click("link", "Plain text").await;
    page.sees("Stalls, row A, seat 1, 48.00 EUR").await;
    page.is_accessible().await;
    page.has_no_complaints();
    page.expects_status(401);
    page.click("link", &format!("{}/orders/{}", holdfast.url(), id(&order))).await;
    page.arrives_at(&format!("/orders/{}", id(&order))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_seen_with_its_link_and_can_do_nothing_to_the_page() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let order = holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    ada.gets(&post, "Your tickets").await;
    let page = Browser::shared().await.person(&post.url()).await;
    page.goto("/mailbox/1").await;
    let letter: String = page.eval("document.querySelector('iframe').srcdoc").await;
    assert!(letter.contains("<base target=\"_blank\">"), "its links open beside it");
    assert!(letter.contains(&format!("href=\"{}/orders/{}\"", holdfast.url(), id(&order))));
    page.in_dark().await;
    page.is_accessible().await;
    page.has_no_complaints();

    // A letter of the worst kind, sent by somebody else's program.
    let smtp = post.smtp_url().replace("smtp://", "");
    let pixel = a_port().await;
    let letter = "Subject: <script>alert(1)</script>\r\nContent-Type: text/html\r\n\r\n\
                  <head></head><script>top.document.title = 'owned'</script><img src=http://PIXEL/>\
                  <form action=http://PIXEL/><b>worst</b></form>\r\n..\r\n.a line with a dot\r\n.";
    let letter = letter.replace("PIXEL", &pixel.local_addr().expect("an address").to_string());
    says_smtp(
        &smtp,
        &["HELO me", "MAIL FROM:<eve@example.com>", "RCPT TO:<ada@example.com>", "DATA", &letter, "QUIT"],
    )
    .await;
    page.goto("/mailbox/2").await;
    page.waits_for("heading", "<script>alert(1)</script>").await;
    page.comes_to("document.title.startsWith('<script>')").await;
    // The page has loaded, and whatever it would have fetched with it.
    assert!(pixel.accept().now_or_never().is_none(), "nobody is told that it was read");
    let source = post.shelf().letter(2).expect("it came").source.clone();
    assert!(
        String::from_utf8_lossy(&source).ends_with("</form>\r\n.\r\na line with a dot\r\n"),
        "dots are as they were"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailbox_can_be_made_to_fail_by_hand_and_emptied() {
    let (holdfast, post) = Holdfast::with_mail().await;
    let event = holdfast.theatre().await;
    let ada = holdfast.customer().await;
    let page = Browser::shared().await.person(&post.url()).await;
    page.goto("/mailbox").await;
    page.sees("Nothing has come yet.").await;
    page.click("DisclosureTriangle", "How letters are treated: Take letters").await;
    page.choose("combobox", "From now on", "Refuse the recipient (550)").await;
    page.type_into("textbox", "so often", "1").await;
    page.click("button", "Set").await;
    page.sees("How letters are treated: Refuse the recipient (550)").await;
    page.is_accessible().await;
    holdfast.sold(&ada, event, &["stalls-A-1"]).await;
    holdfast.letters_are("order_confirmed", "parked").await;
    assert_eq!(post.shelf().behaviour(), Behaviour::of(How::Take));

    holdfast.sold(&ada, event, &["stalls-B-1"]).await;
    ada.gets(&post, "Your tickets").await;
    let programs = Client::new(post.url(), None);
    let list = programs.get(&format!("/mailbox.json?to={}", ada.address().await)).await.expect(200);
    assert_eq!(list["letters"].as_array().map(Vec::len), Some(1));
    assert!(list["letters"][0]["text"].as_str().is_some_and(|text| text.contains("seat 1")));
    assert_eq!(list["letters"][0]["files"][1]["name"], "event.ics");
    let file = programs.get("/mailbox/1/files/1").await;
    assert_eq!(
        (file.status, file.header("content-disposition")),
        (200, Some("attachment; filename=\"event.ics\""))
    );
    assert_eq!(programs.get("/mailbox/1/files/9").await.status, 404);
    assert_eq!(programs.post_form("/mailbox/behaviour", &[("how", "dance")]).await.status, 400);

    page.reload().await;
    page.click("button", "Empty the mailbox").await;
    page.sees("Nothing has come yet.").await;
    page.has_no_complaints();
    assert!(post.shelf().letters().is_empty());
}

/// Speaks SMTP by hand.
async fn says_smtp(address: &str, lines: &[&str]) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).await.expect("said");
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.expect("answers");
    assert!(answers.contains("250 it is in the mailbox"), "{answers}");
    eventually("it hangs up", async || answers.ends_with("221 good-bye\r\n").then_some(())).await;
}
