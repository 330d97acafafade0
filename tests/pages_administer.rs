//! An administrator's pages: who has an account, what they may do, and what was done.

use serde_json::{Value, json};

use crate::support::Holdfast;
use crate::support::browser::Page;

async fn admin_at(holdfast: &Holdfast, path: &str) -> Page {
    holdfast.visitor_as(&holdfast.admin().await, "admin", path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_shut_out_is_asked_to_sign_in_and_may_come_back() {
    let holdfast = Holdfast::with_pages().await;
    let ada = holdfast.visitor().await;
    ada.expects_status(401);
    ada.goto("/orders").await;
    ada.registers("Ada Lovelace").await;
    ada.sees("No orders yet.").await;

    let page = admin_at(&holdfast, "/").await;
    page.click("link", "Administration").await;
    page.type_into("searchbox", "Name or e-mail", "lovelace").await;
    page.click("button", "Search").await;
    page.sees_not("A admin").await;
    page.click("button", "Shut out Ada Lovelace").await;
    page.is_accessible().await;
    page.click("button", "Never mind").await;
    ada.reload().await;
    ada.sees("No orders yet.").await;
    page.click("button", "Shut out Ada Lovelace").await;
    page.click("button", "Shut this account out").await;
    page.sees("Ada Lovelace is shut out.").await;
    page.sees("Shut out since").await;
    page.is_accessible().await;

    ada.reload().await;
    ada.sees("You are not signed in any more.").await;
    ada.waits_for("dialog", "Sign in").await;
    ada.waits_for("textbox", "Password").await;
    ada.is_accessible().await;
    page.click("button", "Let Ada Lovelace in again").await;
    page.sees("Ada Lovelace may sign in again.").await;
    let email: String = page.eval("document.querySelector('tbody small').textContent").await;
    ada.type_into("textbox", "E-mail", &email).await;
    ada.type_into("textbox", "Password", "a short sentence").await;
    ada.click("button", "Sign in").await;
    ada.sees("No orders yet.").await;

    page.click("link", "Log").await;
    page.sees("A admin Shut an account out Ada Lovelace").await;
    page.sees("A admin Let an account in again Ada Lovelace").await;
    page.has_no_complaints();
    ada.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_given_and_counts_on_the_pages_but_nobody_changes_their_own() {
    let holdfast = Holdfast::with_pages().await;
    let olga = holdfast.visitor().await;
    olga.expects_status(401);
    olga.goto("/orders").await;
    olga.registers("Olga Organiser").await;
    olga.sees("No orders yet.").await;

    let page = admin_at(&holdfast, "/admin/accounts").await;
    page.sees("This is you. Another administrator must change your account.").await;
    page.choose("combobox", "Role of Olga Organiser", "Organiser").await;
    // The house's own organiser stands here, too.
    page.type_into("searchbox", "Name or e-mail", "Olga").await;
    page.click("button", "Search").await;
    page.sees_not("A organiser").await;
    page.choose("combobox", "Role of Olga Organiser", "Organiser").await;
    page.click("button", "Change role").await;
    page.sees("Olga Organiser has this role now: Organiser.").await;
    olga.reload().await;
    olga.click("link", "Organise").await;
    olga.sees("New event").await;
    page.click("link", "Log").await;
    page.sees("Changed the role of an account Customer → Organiser Olga Organiser").await;
    page.has_no_complaints();
    olga.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_role_is_opened_with_every_fault_at_its_field() {
    let holdfast = Holdfast::with_pages().await;
    let page = admin_at(&holdfast, "/admin/accounts").await;
    page.expects_status(422);
    page.expects_status(409);
    page.click("button", "New account").await;
    page.type_into("textbox", "E-mail", "nowhere").await;
    page.click("button", "Create the account").await;
    page.sees("is not an address").await;
    let told: Value = page.eval("document.querySelectorAll('dialog [aria-invalid=true]').length").await;
    assert_eq!(told, json!(3), "name, address and password");
    page.is_accessible().await;
    page.type_into("textbox", "Name", "Dora Doorkeeper").await;
    page.type_into("textbox", "E-mail", "dora@example.com").await;
    page.type_into("textbox", "Password", "four quiet words here").await;
    page.choose("combobox", "Role", "Organiser").await;
    page.click("button", "Create the account").await;
    page.sees("The account of Dora Doorkeeper is there.").await;
    let login = json!({ "email": "dora@example.com", "password": "four quiet words here" });
    let dora = holdfast.anyone().post("/v1/auth/login", login).await.expect(200);
    assert_eq!(dora["account"]["role"], "organiser");
    page.has_no_complaints();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_administrator_is_told_so_and_not_led_there() {
    let holdfast = Holdfast::with_pages().await;
    let page = holdfast.visitor_as(&holdfast.organiser(), "organiser", "/organise").await;
    page.sees("No events yet.").await;
    assert!(!page.has("link", "Administration").await);
    for path in ["/admin/accounts", "/admin/log"] {
        page.goto(path).await;
        page.sees("This is for administrators.").await;
    }
    page.has_no_complaints();
}
